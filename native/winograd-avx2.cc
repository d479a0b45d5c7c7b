// winograd.h on AVX2 with FMA.

#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "parallel.h"
#include "winograd-tiles.h"
#include "winograd.h"

namespace cifar10_fast {
namespace {
namespace avx2 {

#include "vectors-avx2.h"

constexpr int kTiles = 6;
constexpr int kRows = 4;

CIFAR10_FAST_INLINE Vec spread(const float* at) { return _mm256_broadcast_ss(at); }

#include "winograd-passes.h"

}  // namespace avx2
}  // namespace

extern const WinogradPasses kWinogradAvx2 = avx2::passes;

}  // namespace cifar10_fast
