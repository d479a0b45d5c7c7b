// Vectors of 16 floats, for the files that compile the same passes for each instruction set. Included within a namespace,
// after <immintrin.h>; the including file undefines the two macros.
#define CIFAR10_FAST_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))
#define CIFAR10_FAST_INLINE CIFAR10_FAST_TARGET static inline

using Vec = __m512;
constexpr int kWidth = 16;

CIFAR10_FAST_INLINE Vec zero() { return _mm512_setzero_ps(); }
CIFAR10_FAST_INLINE Vec set(float value) { return _mm512_set1_ps(value); }
CIFAR10_FAST_INLINE Vec add(Vec a, Vec b) { return _mm512_add_ps(a, b); }
CIFAR10_FAST_INLINE Vec sub(Vec a, Vec b) { return _mm512_sub_ps(a, b); }
CIFAR10_FAST_INLINE Vec mul(Vec a, Vec b) { return _mm512_mul_ps(a, b); }
CIFAR10_FAST_INLINE Vec mulAdd(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
CIFAR10_FAST_INLINE Vec load(const float* at) { return _mm512_loadu_ps(at); }
CIFAR10_FAST_INLINE void store(float* at, Vec a) { _mm512_storeu_ps(at, a); }
