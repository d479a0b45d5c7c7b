// 3x3 convolutions in bfloat16 by Winograd's minimal filtering with tiles of 2x2 outputs, for AVX-512 BF16.
//
// Odd numbers of rows or columns are not padded to whole tiles: the last row, the last column and the corner are regions of
// their own. Along such an edge the single output is the plain sum of its two taps (the third lies on the zeros of the
// padding). For 7x7 outputs this takes (4 + 4 + 4 + 2)^2 = 196 products, where whole tiles take 256 and the direct sum 361;
// for 3x3 it takes 36, against 64 and 49.
#pragma once

#include <cstdint>

#include "conv-shape.h"

namespace cifar10_fast {

// Whether this processor has the instructions.
bool hasWinogradBf16();

// Whether channels are multiples of 8, and an odd last row or column of outputs is at the edge of the image.
bool fitsWinogradBf16(const ConvShape& shape);

// y [N,OH,OW,Co] of x [N,H,W,Ci] and k [3,3,Ci,Co].
void winogradBf16Forward(const uint16_t* x, const float* k, const ConvShape& shape, bool has_amx, int threads,
                         uint16_t* y);

// dx [N,H,W,Ci], the gradient with respect to x, from dy [N,OH,OW,Co].
void winogradBf16Input(const uint16_t* dy, const float* k, const ConvShape& shape, bool has_amx, int threads,
                       uint16_t* dx);

// dk [3,3,Ci,Co], the gradient with respect to k.
void winogradBf16Filter(const uint16_t* x, const uint16_t* dy, const ConvShape& shape, bool has_amx, int threads,
                        float* dk);

}  // namespace cifar10_fast
