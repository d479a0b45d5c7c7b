#include "amx.h"

#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace cifar10_fast {
namespace {

#define CIFAR10_FAST_AMX __attribute__((target("amx-tile,amx-bf16")))

constexpr int64_t kTile = 16 * 32;  // elements of bfloat16 in a tile

struct alignas(64) Config {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

Amx findAmx() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned kBf16 = 1u << 22, kTiles = 1u << 24, kSaves = 1u << 27;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & kBf16) == 0 || (d & kTiles) == 0) return Amx::kMissing;
  // The transforms before and after the products use AVX-512 BF16.
  if (!__builtin_cpu_supports("avx512bf16") || !__builtin_cpu_supports("avx512bw")) return Amx::kMissing;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & kSaves) == 0) return Amx::kMissing;
  unsigned low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  constexpr unsigned kTileState = 3u << 17;
  if ((low & kTileState) != kTileState) return Amx::kRefused;
  constexpr int kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0 ? Amx::kUsable : Amx::kRefused;
}

CIFAR10_FAST_AMX void setUpTiles() {
  const Config config;
  _tile_loadconfig(&config);
}

CIFAR10_FAST_AMX void releaseTiles() { _tile_release(); }

}  // namespace

Amx amxState() {
  static const Amx found = findAmx();
  return found;
}

AmxTiles::AmxTiles() { setUpTiles(); }

AmxTiles::~AmxTiles() { releaseTiles(); }

CIFAR10_FAST_AMX void amxMultiplyTiles(const uint16_t* v, int64_t stride, const uint16_t* u, int64_t sum, float* m) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  const int64_t step = stride * 2;
  for (int64_t k = 0; k < sum; k += 32, u += 2 * kTile) {
    _tile_loadd(4, v + k, step);
    _tile_loadd(5, v + 16 * stride + k, step);
    _tile_loadd(6, u, 128);
    _tile_loadd(7, u + 32, 128);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, m, 128);
  _tile_stored(1, m + 16, 128);
  _tile_stored(2, m + 16 * 32, 128);
  _tile_stored(3, m + 16 * 32 + 16, 128);
}

CIFAR10_FAST_AMX void amxMultiplyChannels(const uint16_t* a, const uint16_t* b, int64_t groups, float* sums) {
  _tile_loadd(0, sums, 128);
  _tile_loadd(1, sums + 16, 128);
  _tile_loadd(2, sums + 16 * 32, 128);
  _tile_loadd(3, sums + 16 * 32 + 16, 128);
  const uint16_t* below = a + groups / 16 * kTile;
  for (int64_t group = 0; group < groups; group += 16, a += kTile, below += kTile, b += 2 * kTile) {
    _tile_loadd(4, a, 64);
    _tile_loadd(5, below, 64);
    _tile_loadd(6, b, 128);
    _tile_loadd(7, b + 32, 128);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, sums, 128);
  _tile_stored(1, sums + 16, 128);
  _tile_stored(2, sums + 16 * 32, 128);
  _tile_stored(3, sums + 16 * 32 + 16, 128);
}

// Transposes 16x16 pairs in four rounds, in which rows that are 1, 2, 4 and 8 apart exchange half of their pairs.
__attribute__((target("avx512f,avx512bw"))) void amxTurnPairs(const uint16_t* pairs, int64_t row, int64_t groups,
                                                             int64_t channels, uint16_t* turned) {
  for (int64_t c = 0; c < channels; c += 16) {
    for (int64_t group = 0; group < groups; group += 16, turned += kTile) {
      __m512i r[16], s[16];
      const uint16_t* from = pairs + group * row + 2 * c;
#pragma GCC unroll 16
      for (int i = 0; i < 16; i++) r[i] = _mm512_loadu_si512(from + i * row);
#pragma GCC unroll 8
      for (int i = 0; i < 8; i++) {
        s[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        s[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
      }
#pragma GCC unroll 4
      for (int i = 0; i < 4; i++) {
        r[4 * i] = _mm512_unpacklo_epi64(s[4 * i], s[4 * i + 2]);
        r[4 * i + 1] = _mm512_unpackhi_epi64(s[4 * i], s[4 * i + 2]);
        r[4 * i + 2] = _mm512_unpacklo_epi64(s[4 * i + 1], s[4 * i + 3]);
        r[4 * i + 3] = _mm512_unpackhi_epi64(s[4 * i + 1], s[4 * i + 3]);
      }
      // Now quarter q of r[4 i + j] holds rows 4 i to 4 i + 3 of channel 4 q + j.
#pragma GCC unroll 4
      for (int j = 0; j < 4; j++) {
        s[j] = _mm512_shuffle_i32x4(r[j], r[4 + j], 0x88);
        s[4 + j] = _mm512_shuffle_i32x4(r[j], r[4 + j], 0xdd);
        s[8 + j] = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0x88);
        s[12 + j] = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0xdd);
      }
#pragma GCC unroll 4
      for (int j = 0; j < 4; j++) {
        _mm512_storeu_si512(turned + 32 * j, _mm512_shuffle_i32x4(s[j], s[8 + j], 0x88));
        _mm512_storeu_si512(turned + 32 * (8 + j), _mm512_shuffle_i32x4(s[j], s[8 + j], 0xdd));
        _mm512_storeu_si512(turned + 32 * (4 + j), _mm512_shuffle_i32x4(s[4 + j], s[12 + j], 0x88));
        _mm512_storeu_si512(turned + 32 * (12 + j), _mm512_shuffle_i32x4(s[4 + j], s[12 + j], 0xdd));
      }
    }
  }
}

}  // namespace cifar10_fast
