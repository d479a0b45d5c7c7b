// The gradient of a 3x3 kernel in bfloat16, for processors with AVX-512 BF16.
//
// oneDNN computes it at less than half the speed of the forward pass there. As a product it has the shape that suits the
// instruction best: dw[kh,kw] = sum over pixels p of x[p + offset]^T dy[p], an outer product per pixel, and vdpbf16ps takes
// two pixels at once if their values are adjacent. So both operands are packed in pairs of neighbouring pixels of a row, x
// three times: unshifted, shifted left, shifted right. Each of the nine offsets is then the same product of contiguous rows;
// rows off the image are skipped.
//
//   x pack   [shift][Ci/8][image][row][pair][8 channels][2 pixels]
//   dy pack  [Co/(16 NR)][image][row][pair][16 NR channels][2 pixels]
//
// Sums are kept in float32 from the first product to the result.
#include "outer-product.h"

#include <immintrin.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "parallel.h"

namespace cifar10_fast {
namespace {

#define CIFAR10_FAST_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))

constexpr int kRows = 8;  // input channels of a tile

// The number of pairs of neighbouring outputs in a row; the last output of an odd row is paired with a zero.
int64_t pairsOf(const ConvShape& s) { return (s.ow + 1) / 2; }

// Packs, for each pair of outputs (w, w + 1), the pixels (w + shift, w + shift + 1) for shift -1, 0, 1; a pixel off the row
// is zero.
CIFAR10_FAST_TARGET void packInput(const uint16_t* x, const ConvShape& s, int64_t images, uint16_t* pack) {
  const int64_t pairs = pairsOf(s);
  const int64_t panel = images * s.h * pairs * kRows * 2;
  const int64_t panels = s.ci / kRows;
  for (int shift = -1; shift <= 1; shift++) {
    uint16_t* out = pack + (shift + 1) * panels * panel;
    for (int64_t row = 0; row < images * s.h; row++) {
      for (int64_t pair = 0; pair < pairs; pair++) {
        const int64_t left = 2 * pair + shift;
        const bool has_left = left >= 0 && left < s.w;
        const bool has_right = left + 1 < s.w;
        const uint16_t* a = x + (row * s.w + left) * s.ci;
        uint16_t* to = out + (row * pairs + pair) * kRows * 2;
        for (int64_t c = 0; c < s.ci; c += kRows, to += panel) {
          const __m128i zero = _mm_setzero_si128();
          const __m128i l = has_left ? _mm_loadu_si128(reinterpret_cast<const __m128i*>(a + c)) : zero;
          const __m128i r = has_right ? _mm_loadu_si128(reinterpret_cast<const __m128i*>(a + s.ci + c)) : zero;
          _mm_store_si128(reinterpret_cast<__m128i*>(to), _mm_unpacklo_epi16(l, r));
          _mm_store_si128(reinterpret_cast<__m128i*>(to + 8), _mm_unpackhi_epi16(l, r));
        }
      }
    }
  }
}

// Packs pairs of neighbouring outputs, 16 channels per vector, `vectors` vectors per panel.
CIFAR10_FAST_TARGET void packGradient(const uint16_t* dy, const ConvShape& s, int64_t images, int vectors,
                                      uint16_t* pack) {
  const int64_t pairs = pairsOf(s);
  const int64_t rows = images * s.oh;
  const int64_t width = 16 * vectors;
  for (int64_t c = 0; c < s.co; c += width) {
    uint16_t* to = pack + c * rows * pairs * 2;
    for (int64_t row = 0; row < rows; row++) {
      for (int64_t pair = 0; pair < pairs; pair++) {
        const uint16_t* a = dy + (row * s.ow + 2 * pair) * s.co + c;
        const bool has_right = 2 * pair + 1 < s.ow;
        for (int v = 0; v < vectors; v++, to += 32) {
          const __m512i l = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(a + 16 * v)));
          const __m256i beside = has_right
                                     ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(a + s.co + 16 * v))
                                     : _mm256_setzero_si256();
          _mm512_store_si512(to, _mm512_or_si512(l, _mm512_slli_epi32(_mm512_cvtepu16_epi32(beside), 16)));
        }
      }
    }
  }
}

// sums[8][stride] += a^T b over `images` runs of `length` pairs; runs are `step_a` pairs apart in a, `step_b` in b.
template <int NR>
CIFAR10_FAST_TARGET void tile(const uint16_t* a, const uint16_t* b, int64_t images, int64_t step_a,
                              int64_t step_b, int64_t length, float* sums, int64_t stride) {
  __m512 acc[kRows][NR];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; i++) {
#pragma GCC unroll 2
    for (int j = 0; j < NR; j++) acc[i][j] = _mm512_setzero_ps();
  }
  for (int64_t image = 0; image < images; image++) {
    const uint16_t* p = a + image * step_a * kRows * 2;
    const uint16_t* q = b + image * step_b * NR * 32;
    for (int64_t k = 0; k < length; k++, p += kRows * 2, q += NR * 32) {
      __m512bh right[NR];
#pragma GCC unroll 2
      for (int j = 0; j < NR; j++) right[j] = (__m512bh)_mm512_load_si512(q + 32 * j);
#pragma GCC unroll 8
      for (int i = 0; i < kRows; i++) {
        int32_t both;
        std::memcpy(&both, p + 2 * i, sizeof both);
        const __m512bh left = (__m512bh)_mm512_set1_epi32(both);
#pragma GCC unroll 2
        for (int j = 0; j < NR; j++) acc[i][j] = _mm512_dpbf16_ps(acc[i][j], left, right[j]);
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; i++) {
#pragma GCC unroll 2
    for (int j = 0; j < NR; j++) {
      float* to = sums + i * stride + 16 * j;
      _mm512_storeu_ps(to, _mm512_add_ps(_mm512_loadu_ps(to), acc[i][j]));
    }
  }
}

// Enough images for the sums to stay in registers, few enough for the packs to stay in the cache.
int64_t imagesAtOnce(const ConvShape& s) { return std::min<int64_t>(s.n, std::max<int64_t>(1, 1024 / (s.h * s.w))); }

// Adds the gradient of images [first, last) to `sums` [3,3,Ci,Co].
template <int NR>
void accumulate(const uint16_t* x, const uint16_t* dy, const ConvShape& s, int64_t first, int64_t last,
                uint16_t* left, uint16_t* right, float* sums) {
  const int64_t row = pairsOf(s);
  const int64_t chunk = imagesAtOnce(s);
  for (int64_t start = first; start < last; start += chunk) {
    const int64_t images = std::min(chunk, last - start);
    packInput(x + start * s.h * s.w * s.ci, s, images, left);
    packGradient(dy + start * s.oh * s.ow * s.co, s, images, NR, right);
    const int64_t left_panel = images * s.h * row * kRows * 2;
    const int64_t right_pairs = images * s.oh * row;
    for (int kh = 0; kh < 3; kh++) {
      // Output row r pairs with pixel row r + kh - 1, if there is one.
      const int64_t top = kh == 0 ? 1 : 0;
      const int64_t bottom = std::min(s.oh, s.h + 1 - kh);
      if (bottom <= top) continue;
      const int64_t skip_x = (top + kh - 1) * row;
      const int64_t skip_dy = top * row;
      for (int kw = 0; kw < 3; kw++) {
        const uint16_t* shifted = left + kw * (s.ci / kRows) * left_panel + skip_x * kRows * 2;
        float* plane = sums + (kh * 3 + kw) * s.ci * s.co;
        for (int64_t co = 0; co < s.co; co += 16 * NR) {
          const uint16_t* b = right + co * right_pairs * 2 + skip_dy * NR * 32;
          for (int64_t ci = 0; ci < s.ci; ci += kRows) {
            tile<NR>(shifted + ci / kRows * left_panel, b, images, s.h * row, s.oh * row, (bottom - top) * row,
                     plane + ci * s.co + co, s.co);
          }
        }
      }
    }
  }
}

}  // namespace

bool hasOuterProduct() {
  return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

bool fitsOuterProduct(const ConvShape& s) { return s.ci % kRows == 0 && s.co % 16 == 0; }

void outerProductFilter(const uint16_t* x, const uint16_t* dy, const ConvShape& s, int threads, float* dk) {
  const int64_t size = 9 * s.ci * s.co;
  const auto run = s.co % 32 == 0 ? accumulate<2> : accumulate<1>;
  const int64_t pixels = imagesAtOnce(s) * s.h * 2 * pairsOf(s);
  std::vector<size_t> sizes;
  for (int t = 0; t < threads; t++) {
    sizes.push_back(3 * pixels * s.ci * sizeof(uint16_t));
    sizes.push_back(pixels * s.co * sizeof(uint16_t));
    sizes.push_back(size * sizeof(float));
  }
  const Scratch scratch(sizes);
  parallel(threads, s.n, [&](int t, int64_t first, int64_t last) {
    float* sums = scratch.piece<float>(3 * t + 2);
    std::memset(sums, 0, size * sizeof(float));
    run(x, dy, s, first, last, scratch.piece<uint16_t>(3 * t), scratch.piece<uint16_t>(3 * t + 1), sums);
  });
  parallel(threads, size, [&](int, int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++) {
      dk[i] = scratch.piece<float>(2)[i];
      for (int t = 1; t < threads; t++) dk[i] += scratch.piece<float>(3 * t + 2)[i];
    }
  });
}

}  // namespace cifar10_fast
