// winograd.h on AVX-512.

#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "parallel.h"
#include "winograd-tiles.h"
#include "winograd.h"

namespace cifar10_fast {
namespace {
namespace avx512 {

#define CIFAR10_FAST_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))
#define CIFAR10_FAST_INLINE CIFAR10_FAST_TARGET static inline

using Vec = __m512;
constexpr int kWidth = 16;
constexpr int kTiles = 12;
constexpr int kRows = 8;

CIFAR10_FAST_INLINE Vec zero() { return _mm512_setzero_ps(); }
CIFAR10_FAST_INLINE Vec set(float value) { return _mm512_set1_ps(value); }
CIFAR10_FAST_INLINE Vec add(Vec a, Vec b) { return _mm512_add_ps(a, b); }
CIFAR10_FAST_INLINE Vec sub(Vec a, Vec b) { return _mm512_sub_ps(a, b); }
CIFAR10_FAST_INLINE Vec mul(Vec a, Vec b) { return _mm512_mul_ps(a, b); }
CIFAR10_FAST_INLINE Vec mulAdd(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
CIFAR10_FAST_INLINE Vec load(const float* at) { return _mm512_loadu_ps(at); }
CIFAR10_FAST_INLINE Vec spread(const float* at) { return _mm512_set1_ps(*at); }
CIFAR10_FAST_INLINE void store(float* at, Vec a) { _mm512_storeu_ps(at, a); }

#include "winograd-passes.h"

}  // namespace avx512
}  // namespace

extern const WinogradPasses kWinogradAvx512 = avx512::passes;

}  // namespace cifar10_fast
