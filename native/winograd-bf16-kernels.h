// The kernel transforms of winograd-bf16-convolve.cc.
#pragma once

#include "winograd-bf16-regions.h"

namespace cifar10_fast {
namespace winograd_bf16 {

// What the passes read and write: images with `depth` channels, and with `columns`.
struct Problem {
  int64_t n, depth, columns;
  Extents from, to;
  bool has_amx;  // products are computed in AMX tiles, which sum over multiples of 32
  int64_t padded(int64_t sum) const { return has_amx ? (sum + 31) / 32 * 32 : sum; }
  int64_t panels() const { return (columns + kPanel - 1) / kPanel; }
};

// The kernel's transform along one axis, for an input transform whose last point is negated.
CIFAR10_FAST_BF16_INLINE void transformKernel(const Vec* k, int step_in, int step_out, Vec* out) {
  const Vec half = _mm512_set1_ps(0.5f);
  const Vec even = _mm512_mul_ps(half, _mm512_add_ps(k[0], k[2 * step_in]));
  const Vec odd = _mm512_mul_ps(half, k[step_in]);
  out[0] = k[0];
  out[step_out] = _mm512_add_ps(even, odd);
  out[2 * step_out] = _mm512_sub_ps(even, odd);
  out[3 * step_out] = k[2 * step_in];
}

// The points of one tap of a region, from a kernel's 3x3 vectors.
CIFAR10_FAST_BF16_INLINE void transformTap(const Vec* k, const Region& region, int row, int column, Vec* out) {
  if (region.rows.isPair() && region.columns.isPair()) {
    Vec half[12];
    for (int j = 0; j < 3; j++) transformKernel(k + j, 3, 3, half + j);
    for (int i = 0; i < 4; i++) transformKernel(half + 3 * i, 1, 1, out + 4 * i);
  } else if (region.rows.isPair()) {
    transformKernel(k + column, 3, 1, out);
  } else if (region.columns.isPair()) {
    transformKernel(k + 3 * row, 1, 1, out);
  } else {
    out[0] = k[3 * row + column];
  }
}

// u [panel][point][sum/2][32 columns][2] from k [3,3,depth,columns], for input channels [first, last), both even.
CIFAR10_FAST_BF16 inline void transformKernels(const float* k, const Problem& p, const Region& region, int64_t first,
                                        int64_t last, uint16_t* u) {
  const int points = region.points();
  const int64_t sum = p.padded(region.sums() * p.depth);
  for (int64_t c = first; c < last; c += 2) {
    for (int64_t column = 0; column < p.panels() * kPanel; column += kLanes) {
      const int64_t left = std::max<int64_t>(0, std::min<int64_t>(kLanes, p.columns - column));
      const __mmask16 mask = static_cast<__mmask16>((1u << left) - 1);
      Vec kernel[2][9];
      for (int e = 0; e < 2; e++) {
        for (int i = 0; i < 9; i++) {
          kernel[e][i] = _mm512_maskz_loadu_ps(mask, k + (i * p.depth + c + e) * p.columns + std::min(column, p.columns));
        }
      }
      uint16_t* panel = u + (column / kPanel * points * sum / 2) * kPanel * 2 + column % kPanel * 2;
      for (int row = 0; row < region.rows.sums(); row++) {
        for (int at = 0; at < region.columns.sums(); at++) {
          Vec even[16], odd[16];
          transformTap(kernel[0], region, row, at, even);
          transformTap(kernel[1], region, row, at, odd);
          const int64_t tap = (row * region.columns.sums() + at) * p.depth;
          for (int i = 0; i < points; i++) {
            uint16_t* to = panel + (i * sum + tap + c) / 2 * kPanel * 2;
            _mm512_storeu_si512(to, interleave(even[i], odd[i]));
          }
        }
      }
    }
  }
}

// k [3,3,Ci,Co] rotated by 180 degrees, with its channels exchanged: [3,3,Co,Ci]. Eight columns at a time, as they share
// cache lines.
inline void turnKernel(const float* k, const ConvShape& s, int64_t first, int64_t last, float* turned) {
  constexpr int64_t kColumns = 8;
  for (int i = 0; i < 9; i++) {
    for (int64_t co = 0; co < s.co; co += kColumns) {
      for (int64_t ci = first; ci < last; ci++) {
        const float* from = k + (i * s.ci + ci) * s.co + co;
        float* to = turned + ((8 - i) * s.co + co) * s.ci + ci;
        for (int64_t j = 0; j < kColumns; j++) to[j * s.ci] = from[j];
      }
    }
  }
}

}  // namespace winograd_bf16
}  // namespace cifar10_fast
