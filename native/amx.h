// Products of bfloat16 with AMX tiles, for winograd-bf16-*.cc.
#pragma once

#include <cstdint>

namespace cifar10_fast {

// Whether tiles can be used: the processor has them, the system saves them, and it permits this process to use them.
enum class Amx { kMissing, kRefused, kUsable };
Amx amxState();

// Configures the tiles of the thread that it lives on: eight tiles with 16 rows of 64 bytes.
class AmxTiles {
 public:
  AmxTiles();
  ~AmxTiles();
  AmxTiles(const AmxTiles&) = delete;
  AmxTiles& operator=(const AmxTiles&) = delete;
};

// m[32 rows][32] = v u, for v [32 rows][sum], rows `stride` elements apart, and u [sum/2][32][2]; sum is a multiple of 32.
void amxMultiplyTiles(const uint16_t* v, int64_t stride, const uint16_t* u, int64_t sum, float* m);

// Reorders pairs [group][channel][2], groups `row` elements apart, to [channel/16][group/16][16 channels][16 pairs]; groups
// and channels are multiples of 16.
void amxTurnPairs(const uint16_t* pairs, int64_t row, int64_t groups, int64_t channels, uint16_t* turned);

// sums[32 channels][32] += a b, for two blocks of channels from amxTurnPairs and b [group][32][2].
void amxMultiplyChannels(const uint16_t* a, const uint16_t* b, int64_t groups, float* sums);

}  // namespace cifar10_fast
