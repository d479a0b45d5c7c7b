// The regions into which winograd-bf16.h divides the outputs of an image, and the vectors that its two parts share.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "conv-shape.h"

namespace cifar10_fast {
namespace winograd_bf16 {

#define CIFAR10_FAST_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))
#define CIFAR10_FAST_BF16_INLINE CIFAR10_FAST_BF16 static inline __attribute__((always_inline))

// Outputs along one axis: pairs, and the last output of an odd number, which reads one or two pixels (see fitsWinogradBf16).
struct Axis {
  Axis(int64_t outputs, int64_t source)
      : pairs(outputs / 2), taps(outputs % 2 == 0 ? 0 : static_cast<int>(std::min<int64_t>(2, source - (outputs - 2)))) {}
  int64_t pairs;
  int taps;  // of the last output: pixels outputs - 2 and, if there is one, outputs - 1; 0 if there is no such output
};

// One axis of a region: tiles of two outputs each, or the single output at the end.
struct Side {
  int64_t tiles;  // of an image
  int64_t last;   // the output at the end
  int taps;       // of the output at the end; 0: these are pairs
  bool isPair() const { return taps == 0; }
  // The first source pixel of a tile.
  int64_t source(int64_t tile) const { return isPair() ? 2 * tile - 1 : last - 1; }
  int64_t output(int64_t tile) const { return isPair() ? 2 * tile : last; }
  int points() const { return isPair() ? 4 : 1; }
  int sums() const { return isPair() ? 1 : taps; }
};

struct Region {
  Side rows, columns;
  int64_t tiles() const { return rows.tiles * columns.tiles; }  // of an image
  int points() const { return rows.points() * columns.points(); }
  int sums() const { return rows.sums() * columns.sums(); }
};

constexpr int kRegions = 4;

// The regions of outputs `to` of images `from`, including those without tiles.
inline void findRegions(const Extents& from, const Extents& to, Region* regions) {
  const Axis down(to.h, from.h), across(to.w, from.w);
  const Side rows[] = {{down.pairs, to.h - 1, 0}, {down.taps > 0 ? 1 : 0, to.h - 1, down.taps}};
  const Side columns[] = {{across.pairs, to.w - 1, 0}, {across.taps > 0 ? 1 : 0, to.w - 1, across.taps}};
  for (int i = 0; i < kRegions; i++) regions[i] = {rows[i / 2], columns[i % 2]};
}

using Vec = __m512;
constexpr int kLanes = 16;
constexpr int kPanel = 32;  // output channels that are multiplied at a time

CIFAR10_FAST_BF16_INLINE Vec fromBits(__m256i bits) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

// 16 channels, or the last 8.
CIFAR10_FAST_BF16_INLINE Vec loadChannels(const uint16_t* at, bool is_half) {
  if (is_half) return fromBits(_mm256_zextsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at))));
  return fromBits(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
}

CIFAR10_FAST_BF16_INLINE void storeChannels(uint16_t* at, Vec value, bool is_half) {
  const __m256i bits = (__m256i)_mm512_cvtneps_pbh(value);
  if (is_half) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(at), _mm256_castsi256_si128(bits));
  } else {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), bits);
  }
}

// Pairs of an element of a and one of b, lane by lane.
CIFAR10_FAST_BF16_INLINE __m512i interleave(Vec a, Vec b) {
  alignas(64) static constexpr uint16_t kOrder[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                                      8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  return _mm512_permutexvar_epi16(_mm512_load_si512(kOrder), (__m512i)_mm512_cvtne2ps_pbh(b, a));
}

CIFAR10_FAST_BF16_INLINE __m512bh spread(const uint16_t* pair) {
  int32_t both;
  std::memcpy(&both, pair, sizeof both);
  return (__m512bh)_mm512_set1_epi32(both);
}

// The input's transform along one axis, from `in` to `out`, both `step` vectors apart.
CIFAR10_FAST_BF16_INLINE void transformInput(const Vec* in, int step, Vec* out) {
  out[0] = _mm512_sub_ps(in[0], in[2 * step]);
  out[step] = _mm512_add_ps(in[step], in[2 * step]);
  out[2 * step] = _mm512_sub_ps(in[2 * step], in[step]);
  out[3 * step] = _mm512_sub_ps(in[3 * step], in[step]);
}

}  // namespace winograd_bf16
}  // namespace cifar10_fast
