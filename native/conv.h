// Our own convolution operations, registered with TensorFlow in addition to its own: 3x3 kernels, stride 1, padding 1 or
// none. Activations x and y are of type T, float or bfloat16; kernels are always float.
//
//   Cifar10FastConv3x3                x [N,H,W,Ci], k [3,3,Ci,Co] -> y [N,OH,OW,Co]
//   Cifar10FastConv3x3BackpropInput   dy [N,OH,OW,Co], k [3,3,Ci,Co] -> dx [N,H,W,Ci]
//   Cifar10FastConv3x3BackpropFilter  x [N,H,W,Ci], dy [N,OH,OW,Co] -> dk [3,3,Ci,Co]
//
// Attribute `extents` is [H, W, OH, OW]: OH and OW are H and W, or one less if the last row or column of outputs is
// skipped; both are two less without padding. `algorithm` is one that `convAlgorithms` returns, `threads` a number of threads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "conv-shape.h"

namespace cifar10_fast {

enum class Pass { kForward, kInput, kFilter };

// The algorithms that this processor supports for a pass; empty if TensorFlow has to compute it.
std::vector<std::string> convAlgorithms(Pass pass, bool is_bfloat16, const ConvShape& shape);

// Registers the operations, once per process, before a graph uses them.
void registerConvKernels();

}  // namespace cifar10_fast
