// How winograd-bf16-convolve.cc transforms products into outputs and stores them.
#pragma once

#include "winograd-bf16-kernels.h"

namespace cifar10_fast {
namespace winograd_bf16 {

// The output's transform along one axis, from four points to two outputs.
CIFAR10_FAST_BF16_INLINE void transformOutput(const Vec* m, int step_in, int step_out, Vec* out) {
  const Vec m1 = m[step_in], m2 = m[2 * step_in];
  out[0] = _mm512_add_ps(_mm512_add_ps(m[0], m1), m2);
  out[step_out] = _mm512_add_ps(_mm512_sub_ps(m1, m2), m[3 * step_in]);
}

// How 32 channels are written.
enum class Store {
  kPart,    // the first 8, 16 or 24 of them
  kWhole,   // all, through the cache
  kStream,  // all, past the cache: whole lines of an output that is too large to be cached when it is read
};

template <Store S>
CIFAR10_FAST_BF16_INLINE void store32(uint16_t* at, Vec low, Vec high, __mmask32 mask) {
  const __m512i bits = (__m512i)_mm512_cvtne2ps_pbh(high, low);
  if constexpr (S == Store::kPart) _mm512_mask_storeu_epi16(at, mask, bits);
  if constexpr (S == Store::kWhole) _mm512_storeu_si512(at, bits);
  if constexpr (S == Store::kStream) _mm512_stream_si512(reinterpret_cast<__m512i*>(at), bits);
}

// Where the outputs of tiles go: rows are `down` elements apart, columns `across`, and tiles `step`. In a region of four
// points, the two outputs of a tile are `beside` elements apart, along one of the two axes.
struct Places {
  int64_t down, across, beside, step;
};

// The outputs of one tile for 16 channels; the points of m are `point` floats apart.
template <int Points>
CIFAR10_FAST_BF16_INLINE void transformOutputs(const float* m, int64_t point, Vec* out) {
  Vec in[Points];
#pragma GCC unroll 16
  for (int i = 0; i < Points; i++) in[i] = _mm512_loadu_ps(m + i * point);
  if constexpr (Points == 16) {
    Vec half[8];
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) transformOutput(in + j, 4, 4, half + j);
    transformOutput(half, 1, 1, out);
    transformOutput(half + 4, 1, 1, out + 2);
  } else if constexpr (Points == 4) {
    transformOutput(in, 1, 1, out);
  } else {
    out[0] = in[0];
  }
}

// Writes 32 channels, or those of `mask`, of the outputs of `count` tiles.
template <int Points, Store S>
CIFAR10_FAST_BF16 inline void writeTiles(const float* m, int64_t point, int64_t count, Places to, __mmask32 mask,
                                  uint16_t* y) {
  for (int64_t t = 0; t < count; t++, m += kPanel, y += to.step) {
    Vec low[4], high[4];
    transformOutputs<Points>(m, point, low);
    transformOutputs<Points>(m + kLanes, point, high);
    store32<S>(y, low[0], high[0], mask);
    if constexpr (Points == 4) store32<S>(y + to.beside, low[1], high[1], mask);
    if constexpr (Points == 16) {
      store32<S>(y + to.across, low[1], high[1], mask);
      store32<S>(y + to.down, low[2], high[2], mask);
      store32<S>(y + to.down + to.across, low[3], high[3], mask);
    }
  }
}

using Writer = void (*)(const float*, int64_t, int64_t, Places, __mmask32, uint16_t*);

template <Store S>
Writer writerFor(int64_t points) {
  return points == 16 ? writeTiles<16, S> : points == 4 ? writeTiles<4, S> : writeTiles<1, S>;
}

inline Writer writerOf(int64_t points, Store how) {
  if (how == Store::kPart) return writerFor<Store::kPart>(points);
  return how == Store::kWhole ? writerFor<Store::kWhole>(points) : writerFor<Store::kStream>(points);
}

// Outputs of more bytes than this are written past the cache.
constexpr int64_t kStreamed = 16 << 20;

inline Store storeOf(const Problem& p, const uint16_t* y) {
  const bool is_whole = p.columns % kPanel == 0;
  const bool is_aligned = is_whole && reinterpret_cast<uintptr_t>(y) % 64 == 0;
  const int64_t bytes = p.n * p.to.h * p.to.w * p.columns * static_cast<int64_t>(sizeof *y);
  return is_aligned && bytes > kStreamed ? Store::kStream : Store::kWhole;
}

}  // namespace winograd_bf16
}  // namespace cifar10_fast
