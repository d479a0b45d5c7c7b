// The gradient of a 3x3 kernel in bfloat16 as outer products of pixels.
#pragma once

#include <cstdint>

#include "conv-shape.h"

namespace cifar10_fast {

// Whether this processor has the instructions.
bool hasOuterProduct();

// Whether Ci is a multiple of 8 and Co of 16.
bool fitsOuterProduct(const ConvShape& shape);

// dk [3,3,Ci,Co] of x [N,H,W,Ci] and dy [N,OH,OW,Co].
void outerProductFilter(const uint16_t* x, const uint16_t* dy, const ConvShape& shape, int threads, float* dk);

}  // namespace cifar10_fast
