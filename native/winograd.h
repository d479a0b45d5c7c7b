// 3x3 convolutions of stride 1, with padding 1 or none, by Winograd's minimal filtering: a product for every position of a small
// tile in the place of one for every position of the kernel.
//
// For output tiles of 2x2 that takes 16 products where the plain sum takes 36, for 4x4 36 for 144, for 6x6 64 for 324. What
// they cost is the transform of each tile into and out of that form, and rounding: the larger the tile, the more of both.
// What large tiles leave over is computed in smaller ones, down to 2: a map of 7 takes 11 products an axis where two
// tiles of 4 take 12, one of 3 takes 5 for 6.
//
// Where the outputs that a max pooling drops are left out, the gradient by the input has fewer pixels to come from than to
// go to: it is then the forward pass transposed, in tiles of dy. For 6x6 of 7x7 that takes 64 products, for 121.
// Here in float32; winograd-bf16.h has tiles of 2x2 in bfloat16.
//
// Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, arXiv:1509.09308 (2015).
#pragma once

#include <cstdint>

#include "conv-shape.h"

namespace cifar10_fast {

// The three passes on one instruction set. `tile` is 4 or 6, the largest tile.
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
