// What a 3x3 convolution of stride 1 works on.
#pragma once

#include <cstdint>

namespace cifar10_fast {

// A convolution of x [N,H,W,Ci] with k [3,3,Ci,Co] to y [N,OH,OW,Co].
//
// Padded, a row and a column of zeros precede the image: OH and OW are H and W; or one less, where the last row or column
// of outputs is left out (trimmed). Without padding both are two less.
struct ConvShape {
  int64_t n, h, w, ci, co, oh, ow;
  bool isPadded() const { return oh != h - 2 || ow != w - 2; }
};

// Rows and columns of images.
struct Extents {
  int64_t h, w;
};

}  // namespace cifar10_fast
