// AMX tiles in plain loops instead of the intrinsics; included before each source. All tiles have 16 rows of 64 bytes, as
// AmxTiles sets them up. A thread that loads a tile without having set up tiles aborts.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

struct EmulatedTile {
  alignas(64) unsigned char rows[16][64];
};

inline thread_local EmulatedTile emulated[8];
inline thread_local bool has_tiles = false;

inline void emulateLoad(int tile, const void* from, long stride) {
  if (!has_tiles) std::abort();
  for (int r = 0; r < 16; r++) std::memcpy(emulated[tile].rows[r], static_cast<const char*>(from) + r * stride, 64);
}

inline void emulateStore(int tile, void* to, long stride) {
  for (int r = 0; r < 16; r++) std::memcpy(static_cast<char*>(to) + r * stride, emulated[tile].rows[r], 64);
}

inline float emulatedFloat(uint16_t bits) {
  const uint32_t wide = uint32_t{bits} << 16;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

inline void emulateProduct(int sum, int left, int right) {
  for (int m = 0; m < 16; m++) {
    float* to = reinterpret_cast<float*>(emulated[sum].rows[m]);
    const auto* a = reinterpret_cast<const uint16_t*>(emulated[left].rows[m]);
    for (int k = 0; k < 16; k++) {
      const auto* b = reinterpret_cast<const uint16_t*>(emulated[right].rows[k]);
      for (int n = 0; n < 16; n++) {
        to[n] += emulatedFloat(a[2 * k]) * emulatedFloat(b[2 * n]);
        to[n] += emulatedFloat(a[2 * k + 1]) * emulatedFloat(b[2 * n + 1]);
      }
    }
  }
}

#undef _tile_loadd
#undef _tile_stored
#undef _tile_zero
#undef _tile_dpbf16ps
#define _tile_loadd(tile, from, stride) emulateLoad(tile, from, stride)
#define _tile_stored(tile, to, stride) emulateStore(tile, to, stride)
#define _tile_zero(tile) std::memset(&emulated[tile], 0, sizeof(EmulatedTile))
#define _tile_dpbf16ps(sum, left, right) emulateProduct(sum, left, right)
#define _tile_loadconfig(config) (static_cast<void>(config), has_tiles = true)
#define _tile_release() (has_tiles = false)
