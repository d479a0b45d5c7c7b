// Convolution operations of our own, registered with TensorFlow beside those that it has: 3x3 kernels, stride 1, padding
// 1, activations x and y in T, which is float or bfloat16, kernels always in float.
//
//   Cifar10FastConv3x3                x [N,H,W,Ci], k [3,3,Ci,Co] -> y [N,OH,OW,Co]
//   Cifar10FastConv3x3BackpropInput   dy [N,OH,OW,Co], k [3,3,Ci,Co] -> dx [N,H,W,Ci]
//   Cifar10FastConv3x3BackpropFilter  x [N,H,W,Ci], dy [N,OH,OW,Co] -> dk [3,3,Ci,Co]
//
// Attribute `extents` is [H, W, OH, OW]: OH and OW are H and W, or one less where the last row or column of outputs is
// left out. `algorithm` is one of those that `convAlgorithms` lists, `threads` how many compute.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "conv-shape.h"

namespace cifar10_fast {

enum class Pass { kForward, kInput, kFilter };

// The algorithms that this processor has for a pass; none where another has to compute it.
std::vector<std::string> convAlgorithms(Pass pass, bool is_bfloat16, const ConvShape& shape);

// Registers the operations; once for the process, before a graph uses them.
void registerConvKernels();

}  // namespace cifar10_fast
