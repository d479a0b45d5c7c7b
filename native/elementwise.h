// The layers between convolutions, in single passes over memory: activations with a bias, batch norm with the activation
// that follows it, max pooling, and their gradients.
//
// Tensors are rows [P,C], where P is the product of all extents except the last; elements T are float or, as uint16_t,
// bfloat16. Per-channel values are float [C]. Sums over P are taken in a fixed order that does not depend on the threads.
#pragma once

#include <cstdint>

namespace cifar10_fast {

// The values of the operations' attribute `activation`.
enum class Act : int { kNone = 0, kRelu = 1, kGelu = 2, kSilu = 3, kCelu = 4 };
constexpr int kActs = 5;

struct Activation {
  Act act;
  float alpha;  // of CELU
};

struct Rows {
  int64_t count, channels;
};

// The per-channel inputs of batch norm; in training, mean and reciprocal are computed.
struct NormNumbers {
  const float* scale;
  const float* bias;
  const float* mean;
  const float* reciprocal;  // 1 / sqrt(variance + epsilon)
};

// Non-overlapping windows of size x size; pixels that do not fill a window are dropped.
struct PoolShape {
  int64_t n, h, w, c, size;
};

template <typename T>
struct ElementwisePasses {
  // y = act(x + bias); y may be x.
  void (*activate)(const T* x, const float* bias, Rows rows, Activation activation, int threads, T* y);
  // dx = dy act'(x + bias), and dbias [C], its sum over P; dx may be dy.
  void (*activate_gradient)(const T* dy, const T* x, const float* bias, Rows rows, Activation activation, int threads,
                            T* dx, float* dbias);
  // Mean and the sum of squared differences from it.
  void (*moments)(const T* x, Rows rows, int threads, double* mean, double* squares);
  // y = act((x - mean) reciprocal scale + bias); y may be x.
  void (*normalise)(const T* x, NormNumbers numbers, Rows rows, Activation activation, int threads, T* y);
  // The gradients of `normalise` if mean and reciprocal are the statistics of x; dx may be dy.
  void (*normalise_gradient)(const T* dy, const T* x, NormNumbers numbers, Rows rows, Activation activation,
                             int threads, T* dx, float* dscale, float* dbias);
  // y [N,H/size,W/size,C], and the position of each element in its window: row * size + column, the first of equal ones.
  // NaN counts as the largest.
  void (*pool)(const T* x, PoolShape shape, int threads, T* y, uint8_t* place);
  // dx [N,H,W,C].
  void (*pool_gradient)(const T* dy, const uint8_t* place, PoolShape shape, int threads, T* dx);
};

// The passes for this processor; null if it has neither AVX-512 nor AVX2 with FMA.
const ElementwisePasses<float>* elementwiseFloat();
const ElementwisePasses<uint16_t>* elementwiseBfloat16();

// Registers the operations with TensorFlow, once per process, before a graph uses them.
void registerElementwiseKernels();

}  // namespace cifar10_fast
