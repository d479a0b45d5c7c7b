// 3x3 convolutions of stride 1, with padding 1 or none, by Winograd's minimal filtering: a product for every position of a small
// tile in the place of one for every position of the kernel.
//
// For output tiles of 2x2 that takes 16 products where the plain sum takes 36, for 4x4 it takes 36 for 144. What they
// cost is the transform of each tile into and out of that form, and rounding: the larger the tile, the more of both.
// Rows and columns that tiles of 4 leave over are computed in tiles of 2 or 3: a map of 7 takes 11 products an axis where two
// tiles of 4 take 12, one of 3 takes 5 for 6.
// Here in float32; winograd-bf16.h has tiles of 2x2 in bfloat16.
//
// Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, arXiv:1509.09308 (2015).
#pragma once

#include <cstdint>

#include "conv-shape.h"

namespace cifar10_fast {

// The three passes on one instruction set. `tile` is 2 or 4, the largest tile.
struct WinogradPasses {
  // y [N,OH,OW,Co] = x * k. Ci is a multiple of `multiple`, and Co.
  void (*forward)(const float* x, const float* k, const ConvShape& shape, int tile, int threads, float* y);
  // dx [N,H,W,Ci], the gradient by x, of dy [N,OH,OW,Co].
  void (*backprop_input)(const float* dy, const float* k, const ConvShape& shape, int tile, int threads, float* dx);
  // dk [3,3,Ci,Co], the gradient by k.
  void (*backprop_filter)(const float* x, const float* dy, const ConvShape& shape, int tile, int threads, float* dk);
  // Channels come in whole vectors.
  int multiple;
};

// What this processor can do; null where it cannot.
const WinogradPasses* winogradFloat();

}  // namespace cifar10_fast
