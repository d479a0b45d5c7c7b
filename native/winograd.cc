#include "winograd.h"

#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "parallel.h"

namespace cifar10_fast {
namespace {

namespace avx2 {

#define CIFAR10_FAST_TARGET __attribute__((target("avx2,fma")))
#define CIFAR10_FAST_INLINE CIFAR10_FAST_TARGET static inline

using Vec = __m256;
constexpr int kWidth = 8;
constexpr int kTiles = 6;
constexpr int kRows = 4;

CIFAR10_FAST_INLINE Vec zero() { return _mm256_setzero_ps(); }
CIFAR10_FAST_INLINE Vec set(float value) { return _mm256_set1_ps(value); }
CIFAR10_FAST_INLINE Vec add(Vec a, Vec b) { return _mm256_add_ps(a, b); }
CIFAR10_FAST_INLINE Vec sub(Vec a, Vec b) { return _mm256_sub_ps(a, b); }
CIFAR10_FAST_INLINE Vec mul(Vec a, Vec b) { return _mm256_mul_ps(a, b); }
CIFAR10_FAST_INLINE Vec mulAdd(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
CIFAR10_FAST_INLINE Vec load(const float* at) { return _mm256_loadu_ps(at); }
CIFAR10_FAST_INLINE Vec spread(const float* at) { return _mm256_broadcast_ss(at); }
CIFAR10_FAST_INLINE void store(float* at, Vec a) { _mm256_storeu_ps(at, a); }

#include "winograd-passes.h"

#undef CIFAR10_FAST_INLINE
#undef CIFAR10_FAST_TARGET

}  // namespace avx2

// What both kinds of AVX-512 share.
namespace vectors512 {

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

}  // namespace vectors512

namespace avx512 {

using namespace vectors512;

#include "winograd-passes.h"

#undef CIFAR10_FAST_INLINE
#undef CIFAR10_FAST_TARGET

}  // namespace avx512

bool hasAvx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

}  // namespace

const WinogradPasses* winogradFloat() {
  if (hasAvx512()) return &avx512::passes;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &avx2::passes;
  return nullptr;
}

}  // namespace cifar10_fast
