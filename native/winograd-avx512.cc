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

#include "vectors-avx512.h"

constexpr int kTiles = 12;
constexpr int kRows = 8;

CIFAR10_FAST_INLINE Vec spread(const float* at) { return _mm512_set1_ps(*at); }

#include "winograd-passes.h"

}  // namespace avx512
}  // namespace

extern const WinogradPasses kWinogradAvx512 = avx512::passes;

}  // namespace cifar10_fast
