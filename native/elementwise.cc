#include "elementwise.h"

#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "parallel.h"

namespace cifar10_fast {
namespace {

namespace avx2 {

#include "vectors-avx2.h"

using Mask = __m256;

CIFAR10_FAST_INLINE Vec min(Vec a, Vec b) { return _mm256_min_ps(a, b); }
CIFAR10_FAST_INLINE Vec max(Vec a, Vec b) { return _mm256_max_ps(a, b); }
CIFAR10_FAST_INLINE Vec absolute(Vec a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.f), a); }
CIFAR10_FAST_INLINE Vec nearest(Vec a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
CIFAR10_FAST_INLINE Vec inverse(Vec a) { return _mm256_div_ps(_mm256_set1_ps(1.f), a); }
CIFAR10_FAST_INLINE Vec roughInverse(Vec a) { return inverse(a); }
// n is at least -250: multiplies by two factors, as one alone would underflow.
CIFAR10_FAST_INLINE Vec timesPowerOfTwo(Vec a, Vec n) {
  const __m256i whole = _mm256_cvtps_epi32(n);
  const __m256i half = _mm256_srai_epi32(whole, 1);
  const __m256i bias = _mm256_set1_epi32(127);
  const __m256i low = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
  const __m256i high = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(whole, half), bias), 23);
  return _mm256_mul_ps(_mm256_mul_ps(a, _mm256_castsi256_ps(low)), _mm256_castsi256_ps(high));
}
CIFAR10_FAST_INLINE Mask greater(Vec a, Vec b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
CIFAR10_FAST_INLINE Mask isNan(Vec a) { return _mm256_cmp_ps(a, a, _CMP_UNORD_Q); }
CIFAR10_FAST_INLINE Mask either(Mask a, Mask b) { return _mm256_or_ps(a, b); }
CIFAR10_FAST_INLINE Vec choose(Mask mask, Vec yes, Vec no) { return _mm256_blendv_ps(no, yes, mask); }

CIFAR10_FAST_INLINE Vec load(const uint16_t* at) {
  const __m256i bits = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
  return _mm256_castsi256_ps(_mm256_slli_epi32(bits, 16));
}
// Rounds to nearest, ties to even; NaN stays NaN.
CIFAR10_FAST_INLINE void store(uint16_t* at, Vec a) {
  const __m256i bits = _mm256_castps_si256(a);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  const Vec chosen = choose(isNan(a), _mm256_castsi256_ps(quiet), _mm256_castsi256_ps(rounded));
  const __m256i high = _mm256_srli_epi32(_mm256_castps_si256(chosen), 16);
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(high, high), 0x08);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(at), _mm256_castsi256_si128(packed));
}
template <typename T>
CIFAR10_FAST_INLINE Vec loadPart(const T* at, int lanes) {
  T all[kWidth] = {};
  std::memcpy(all, at, lanes * sizeof(T));
  return load(all);
}
template <typename T>
CIFAR10_FAST_INLINE void storePart(T* at, Vec a, int lanes) {
  T all[kWidth];
  store(all, a);
  std::memcpy(at, all, lanes * sizeof(T));
}

using Place = __m256i;
CIFAR10_FAST_INLINE Place firstPlace() { return _mm256_setzero_si256(); }
CIFAR10_FAST_INLINE Place choosePlace(Mask mask, int yes, Place no) {
  return _mm256_blendv_epi8(no, _mm256_set1_epi32(yes), _mm256_castps_si256(mask));
}
CIFAR10_FAST_INLINE void storePlace(uint8_t* at, Place place, int lanes) {
  int32_t all[kWidth];
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(all), place);
  for (int i = 0; i < lanes; i++) at[i] = static_cast<uint8_t>(all[i]);
}
CIFAR10_FAST_INLINE Mask isPlace(const uint8_t* at, int place, int lanes) {
  int64_t bytes = 0;
  std::memcpy(&bytes, at, lanes);
  const __m256i found = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(bytes));
  return _mm256_castsi256_ps(_mm256_cmpeq_epi32(found, _mm256_set1_epi32(place)));
}

#include "activation-math.h"
#include "elementwise-passes.h"
#include "norm-passes.h"
#include "pool-passes.h"

#undef CIFAR10_FAST_INLINE
#undef CIFAR10_FAST_TARGET

}  // namespace avx2

// Shared by both variants of AVX-512.
namespace vectors512 {

#include "vectors-avx512.h"

using Mask = __mmask16;

CIFAR10_FAST_INLINE Vec min(Vec a, Vec b) { return _mm512_min_ps(a, b); }
CIFAR10_FAST_INLINE Vec max(Vec a, Vec b) { return _mm512_max_ps(a, b); }
CIFAR10_FAST_INLINE Vec absolute(Vec a) { return _mm512_abs_ps(a); }
CIFAR10_FAST_INLINE Vec nearest(Vec a) {
  return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
// For a finite number >= 1: an estimate of 14 bits, and the same with one step of Newton's method.
CIFAR10_FAST_INLINE Vec roughInverse(Vec a) { return _mm512_rcp14_ps(a); }
CIFAR10_FAST_INLINE Vec inverse(Vec a) {
  const Vec r = roughInverse(a);
  return _mm512_fmadd_ps(r, _mm512_fnmadd_ps(a, r, _mm512_set1_ps(1.f)), r);
}
CIFAR10_FAST_INLINE Vec timesPowerOfTwo(Vec a, Vec n) { return _mm512_scalef_ps(a, n); }
CIFAR10_FAST_INLINE Mask greater(Vec a, Vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
CIFAR10_FAST_INLINE Mask isNan(Vec a) { return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q); }
CIFAR10_FAST_INLINE Mask either(Mask a, Mask b) { return static_cast<Mask>(a | b); }
CIFAR10_FAST_INLINE Vec choose(Mask mask, Vec yes, Vec no) { return _mm512_mask_blend_ps(mask, no, yes); }

CIFAR10_FAST_INLINE Mask first(int lanes) { return static_cast<Mask>((1u << lanes) - 1); }
CIFAR10_FAST_INLINE Vec widen(__m256i bits) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}
CIFAR10_FAST_INLINE Vec load(const uint16_t* at) {
  return widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
}
CIFAR10_FAST_INLINE Vec loadPart(const float* at, int lanes) { return _mm512_maskz_loadu_ps(first(lanes), at); }
CIFAR10_FAST_INLINE void storePart(float* at, Vec a, int lanes) { _mm512_mask_storeu_ps(at, first(lanes), a); }
CIFAR10_FAST_INLINE Vec loadPart(const uint16_t* at, int lanes) {
  return widen(_mm256_maskz_loadu_epi16(first(lanes), at));
}

// One byte per lane. Narrowing a vector directly into memory would cost some hundred cycles on Zen.
using Place = __m128i;
CIFAR10_FAST_INLINE Place firstPlace() { return _mm_setzero_si128(); }
CIFAR10_FAST_INLINE Place choosePlace(Mask mask, int yes, Place no) {
  return _mm_mask_mov_epi8(no, mask, _mm_set1_epi8(static_cast<char>(yes)));
}
CIFAR10_FAST_INLINE void storePlace(uint8_t* at, Place place, int lanes) {
  if (lanes == kWidth) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(at), place);
  } else {
    _mm_mask_storeu_epi8(at, first(lanes), place);
  }
}
CIFAR10_FAST_INLINE Mask isPlace(const uint8_t* at, int place, int lanes) {
  const __m128i found = lanes == kWidth ? _mm_loadu_si128(reinterpret_cast<const __m128i*>(at))
                                        : _mm_maskz_loadu_epi8(first(lanes), at);
  return _mm_cmpeq_epi8_mask(found, _mm_set1_epi8(static_cast<char>(place)));
}

#undef CIFAR10_FAST_INLINE
#undef CIFAR10_FAST_TARGET

}  // namespace vectors512

namespace avx512 {

#define CIFAR10_FAST_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))
#define CIFAR10_FAST_INLINE CIFAR10_FAST_TARGET static inline

using namespace vectors512;

// Rounds to nearest, ties to even; NaN stays NaN.
CIFAR10_FAST_INLINE __m256i narrow(Vec a) {
  const __m512i bits = _mm512_castps_si512(a);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __m512i quiet = _mm512_mask_or_epi32(rounded, isNan(a), bits, _mm512_set1_epi32(0x400000));
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(quiet, 16));
}

#include "bfloat16-store.h"
#include "activation-math.h"
#include "elementwise-passes.h"
#include "norm-passes.h"
#include "pool-passes.h"

#undef CIFAR10_FAST_INLINE
#undef CIFAR10_FAST_TARGET

}  // namespace avx512

namespace avx512bf16 {

#define CIFAR10_FAST_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))
#define CIFAR10_FAST_INLINE CIFAR10_FAST_TARGET static inline

using namespace vectors512;

CIFAR10_FAST_INLINE __m256i narrow(Vec a) { return (__m256i)_mm512_cvtneps_pbh(a); }

#include "bfloat16-store.h"
#include "activation-math.h"
#include "elementwise-passes.h"
#include "norm-passes.h"
#include "pool-passes.h"

#undef CIFAR10_FAST_INLINE
#undef CIFAR10_FAST_TARGET

}  // namespace avx512bf16

bool hasAvx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

bool hasAvx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

}  // namespace

const ElementwisePasses<float>* elementwiseFloat() {
  if (hasAvx512()) return &avx512::passes<float>;
  return hasAvx2() ? &avx2::passes<float> : nullptr;
}

const ElementwisePasses<uint16_t>* elementwiseBfloat16() {
  if (hasAvx512() && __builtin_cpu_supports("avx512bf16")) return &avx512bf16::passes<uint16_t>;
  if (hasAvx512()) return &avx512::passes<uint16_t>;
  return hasAvx2() ? &avx2::passes<uint16_t> : nullptr;
}

}  // namespace cifar10_fast
