// The shapes of a 3x3 convolution with stride 1.
#pragma once

#include <cstdint>

namespace cifar10_fast {

// A convolution of x [N,H,W,Ci] with k [3,3,Ci,Co] to y [N,OH,OW,Co].
//
// With padding, a row and a column of zeros precede the image: OH and OW are H and W, or one less if the last row or column
// of outputs is skipped (trimmed). Without padding both are two less.
struct ConvShape {
  int64_t n, h, w, ci, co, oh, ow;
  bool isPadded() const { return oh != h - 2 || ow != w - 2; }
};

// Height and width of images.
struct Extents {
  int64_t h, w;
};

}  // namespace cifar10_fast
