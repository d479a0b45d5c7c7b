// Convolution operations of our own, registered with TensorFlow beside those that it has: 3x3 kernels, stride 1, padding
// 1, activations x and y in T, which is float or bfloat16, kernels always in float.
//
//   Cifar10FastConv3x3                x [N,H,W,Ci], k [3,3,Ci,Co] -> y [N,H,W,Co]
//   Cifar10FastConv3x3BackpropInput   dy [N,H,W,Co], k [3,3,Ci,Co] -> dx [N,H,W,Ci]
//   Cifar10FastConv3x3BackpropFilter  x [N,H,W,Ci], dy [N,H,W,Co] -> dk [3,3,Ci,Co]
//
// Attribute `tile` names the algorithm: 2 and 4 are Winograd's for output tiles of so many pixels, 0 (for the kernel's
// gradient in bfloat16) outer products. Attribute `threads` is how many compute.
#pragma once

namespace cifar10_fast {

// Channels come in multiples of this: of floats, of bfloat16; 0 where this processor cannot.
int winogradMultiple(bool is_bfloat16);

// Registers the operations; once for the process, before a graph uses them.
void registerConvKernels();

}  // namespace cifar10_fast
