// Convolution kernels of our own, registered with TensorFlow beside those that it has.
#pragma once

namespace cifar10_fast {

// Whether this processor has the instructions that the kernels are written in.
bool hasConvKernels();

// Registers the operations; once for the process, before a graph uses them.
//
//   Cifar10FastConv3x3BackpropFilter: x bfloat16 [N,H,W,Ci], dy bfloat16 [N,H,W,Co] -> dw float32 [3,3,Ci,Co],
//   the gradient of the kernel of a 3x3 convolution of stride 1 and padding 1. W is even, Ci a multiple of 8, Co of 16.
void registerConvKernels();

}  // namespace cifar10_fast
