// Vectors of 8 floats, for the files that compile the same passes for each instruction set. Included within a namespace,
// after <immintrin.h>; the including file undefines the two macros.
#define CIFAR10_FAST_TARGET __attribute__((target("avx2,fma")))
#define CIFAR10_FAST_INLINE CIFAR10_FAST_TARGET static inline

using Vec = __m256;
constexpr int kWidth = 8;

CIFAR10_FAST_INLINE Vec zero() { return _mm256_setzero_ps(); }
CIFAR10_FAST_INLINE Vec set(float value) { return _mm256_set1_ps(value); }
CIFAR10_FAST_INLINE Vec add(Vec a, Vec b) { return _mm256_add_ps(a, b); }
CIFAR10_FAST_INLINE Vec sub(Vec a, Vec b) { return _mm256_sub_ps(a, b); }
CIFAR10_FAST_INLINE Vec mul(Vec a, Vec b) { return _mm256_mul_ps(a, b); }
CIFAR10_FAST_INLINE Vec mulAdd(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
CIFAR10_FAST_INLINE Vec load(const float* at) { return _mm256_loadu_ps(at); }
CIFAR10_FAST_INLINE void store(float* at, Vec a) { _mm256_storeu_ps(at, a); }
