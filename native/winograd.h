// 3x3 convolutions with stride 1, with padding 1 or none, by Winograd's minimal filtering: one product for every position of a
// transformed tile, instead of one for every output and every position of the kernel.
//
// Output tiles of 2x2 take 16 products instead of 36, tiles of 4x4 36 instead of 144, tiles of 6x6 64 instead of 324, tiles of
// 7x7 81 instead of 441. The cost is the transform of each tile to and from that form, and rounding; both grow with the tile.
// Outputs that large tiles leave over are computed in smaller ones, down to 2: along an axis in tiles of up to 6, a map of 7
// takes 11 products, where two tiles of 4 take 12, and a map of 3 takes 5 instead of 6.
//
// If the outputs that a max pooling drops are skipped, the input gradient reads fewer pixels than it writes. It is then
// computed as the transpose of the forward pass, in tiles of dy. For 6x6 of 7x7 this takes 64 products instead of 81.
// These passes are in float32; winograd-bf16.h has tiles of 2x2 in bfloat16.
//
// Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, arXiv:1509.09308 (2015).
#pragma once

#include <cstdint>

#include "conv-shape.h"

namespace cifar10_fast {

// The three passes on one instruction set. `tile` is 4, 6 or 7, the largest tile.
struct WinogradPasses {
  // y [N,OH,OW,Co] = x * k. Ci and Co are multiples of `multiple`.
  void (*forward)(const float* x, const float* k, const ConvShape& shape, int tile, int threads, float* y);
  // dx [N,H,W,Ci], the gradient with respect to x, from dy [N,OH,OW,Co].
  void (*backprop_input)(const float* dy, const float* k, const ConvShape& shape, int tile, int threads, float* dx);
  // dk [3,3,Ci,Co], the gradient with respect to k.
  void (*backprop_filter)(const float* x, const float* dy, const ConvShape& shape, int tile, int threads, float* dk);
  // Channels are multiples of this, the width of a vector.
  int multiple;
};

// The passes for this processor; null if it supports none.
const WinogradPasses* winogradFloat();

}  // namespace cifar10_fast
