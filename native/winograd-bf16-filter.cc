// The kernel gradient of winograd-bf16.h.
//
//   s[point][tap][ci][co] = sum over tiles of v[point][tap][tile][ci] g[point][tile][co]
//
// where g are the tiles of the outputs' gradient and v those of the inputs, both transformed. Pairs of tiles are adjacent, as
// the instruction sums two products. Each thread has sums of its own, in float32.
#include <optional>
#include <vector>

#include "amx.h"
#include "parallel.h"
#include "winograd-bf16.h"
#include "winograd-bf16-regions.h"

namespace cifar10_fast {
namespace winograd_bf16 {
namespace {

constexpr int kRows = 8;  // input channels that a product holds in registers, for two vectors of output channels

// Tiles summed at a time: enough to amortise reading the sums again, few enough for v of a point to stay in the cache.
constexpr int64_t kTiles = 128;
constexpr int64_t kGroups = kTiles / 2;

struct Sizes {
  explicit Sizes(const ConvShape& s)
      : ci(s.ci),
        co(s.co),
        panels((s.co + kPanel - 1) / kPanel),
        rows((s.ci + 31) / 32 * 32),
        row(2 * rows + 32),
        v_point(kGroups * row + 32),
        g_point(panels * kGroups * kPanel * 2 + 32) {}
  int64_t ci, co, panels;
  int64_t rows;  // of sums: input channels, rounded up to AMX tiles
  int64_t row;   // of v, a pair of tiles: [channel][2] and one extra line
  // Distances between points of v and of g: one extra line, so that points do not map to the same sets of the cache.
  int64_t v_point, g_point;
  int64_t sums() const { return panels * kPanel * rows; }
};

// Points of a region's v, for each of its taps.
int64_t pointsOf(const Region& r) { return r.points() * r.sums(); }

// A thread's memory.
struct Room {
  uint16_t* v;      // [point and tap][group][row]
  uint16_t* g;      // [point][panel][group][32 channels][2]
  float* first_v;   // the first tile of a pair, [channel/16][16 points][16 channels]
  float* first_g;
  uint16_t* turned;  // v of a point for AMX
  const uint16_t* nothing;
};

// A tile's pixels and its place in the block.
struct Tile {
  int64_t index;  // in the block
  const uint16_t* x;
  const uint16_t* dy;
  int64_t row, column;  // of tiles
};

// The gradient's transform along one axis. Its last point is positive, as that of the input's transform is negated.
CIFAR10_FAST_BF16_INLINE void transformGradient(const Vec* g, int step_in, int step_out, Vec* out) {
  out[0] = g[0];
  out[step_out] = _mm512_add_ps(g[0], g[step_in]);
  out[2 * step_out] = _mm512_sub_ps(g[0], g[step_in]);
  out[3 * step_out] = g[step_in];
}

// Keeps the points of the first tile of a pair, and stores those of the second next to them, `step` elements apart.
CIFAR10_FAST_BF16_INLINE void pairUp(bool is_first, const Vec* points, int count, float* kept, uint16_t* to,
                                     int64_t step) {
  if (is_first) {
#pragma GCC unroll 16
    for (int i = 0; i < count; i++) _mm512_store_ps(kept + i * kLanes, points[i]);
  } else {
#pragma GCC unroll 16
    for (int i = 0; i < count; i++) {
      _mm512_store_si512(to + i * step, interleave(_mm512_load_ps(kept + i * kLanes), points[i]));
    }
  }
}

// v of a tile: the transform of the pixels that it reads, for each tap.
template <bool IsTall, bool IsWide>
CIFAR10_FAST_BF16 void transformPixels(const ConvShape& s, const Sizes& sizes, const Region& region, const Tile& tile,
                                       const Room& room) {
  const int rows = IsTall ? 4 : region.rows.taps, columns = IsWide ? 4 : region.columns.taps;
  const int64_t top = region.rows.source(tile.row), left = region.columns.source(tile.column);
  const uint16_t* at[16];
  for (int i = 0; i < rows; i++) {
    for (int j = 0; j < columns; j++) {
      const int64_t row = top + i, column = left + j;
      const bool is_inside = tile.x != nullptr && row >= 0 && row < s.h && column >= 0 && column < s.w;
      at[i * columns + j] = is_inside ? tile.x + (row * s.w + column) * s.ci : room.nothing;
    }
  }
  const int count = rows * columns;
  const bool is_first = tile.index % 2 == 0;
  uint16_t* to = room.v + tile.index / 2 * sizes.row;
  const int64_t point = sizes.v_point, channels = s.ci;
  float* kept = room.first_v;
  for (int64_t c = 0; c < channels; c += kLanes, to += 2 * kLanes, kept += 16 * kLanes) {
    const bool is_half = channels - c < kLanes;
    Vec in[16], half[16], out[16];
#pragma GCC unroll 16
    for (int i = 0; i < count; i++) in[i] = loadChannels(at[i] + c, is_half);
    const Vec* done = in;
    if constexpr (IsTall) {
#pragma GCC unroll 4
      for (int j = 0; j < columns; j++) transformInput(in + j, columns, half + j);
      done = half;
    }
    if constexpr (IsWide) {
#pragma GCC unroll 4
      for (int i = 0; i < rows; i++) transformInput(done + 4 * i, 1, out + 4 * i);
      done = out;
    }
    pairUp(is_first, done, count, kept, to, point);
  }
}

// g of a tile: the transform of its outputs' gradients.
template <bool IsTall, bool IsWide>
CIFAR10_FAST_BF16 void transformGradients(const ConvShape& s, const Sizes& sizes, const Region& region,
                                          const Tile& tile, const Room& room) {
  constexpr int kDown = IsTall ? 2 : 1, kAcross = IsWide ? 2 : 1, kPoints = (IsTall ? 4 : 1) * (IsWide ? 4 : 1);
  const bool is_absent = tile.dy == nullptr;
  const int64_t place = (region.rows.output(tile.row) * s.ow + region.columns.output(tile.column)) * s.co;
  const uint16_t* from = is_absent ? room.nothing : tile.dy + place;
  const int64_t across = is_absent ? 0 : s.co, down = across * s.ow;
  const bool is_first = tile.index % 2 == 0;
  const int64_t point = sizes.g_point, channels = s.co;
  uint16_t* g = room.g + tile.index / 2 * kPanel * 2;
  float* kept = room.first_g;
  for (int64_t c = 0; c < channels; c += kLanes, kept += 16 * kLanes) {
    const bool is_half = channels - c < kLanes;
    Vec in[4], half[8], out[16];
    for (int i = 0; i < kDown; i++) {
      for (int j = 0; j < kAcross; j++) in[i * kAcross + j] = loadChannels(from + i * down + j * across + c, is_half);
    }
    const Vec* done = in;
    if constexpr (IsTall) {
      for (int j = 0; j < kAcross; j++) transformGradient(in + j, kAcross, kAcross, half + j);
      done = half;
    }
    if constexpr (IsWide) {
      for (int i = 0; i < (IsTall ? 4 : 1); i++) transformGradient(done + 2 * i, 1, 1, out + 4 * i);
      done = out;
    }
    pairUp(is_first, done, kPoints, kept, g + c / kPanel * kGroups * kPanel * 2 + c % kPanel * 2, point);
  }
}

using Transform = void (*)(const ConvShape&, const Sizes&, const Region&, const Tile&, const Room&);

struct Transforms {
  explicit Transforms(const Region& r) {
    const bool is_tall = r.rows.isPair(), is_wide = r.columns.isPair();
    pixels = is_tall ? (is_wide ? transformPixels<true, true> : transformPixels<true, false>)
                     : (is_wide ? transformPixels<false, true> : transformPixels<false, false>);
    gradients = is_tall ? (is_wide ? transformGradients<true, true> : transformGradients<true, false>)
                        : (is_wide ? transformGradients<false, true> : transformGradients<false, false>);
  }
  Transform pixels, gradients;
};

// sums[8][32] += a^T b over `count` pairs of tiles.
CIFAR10_FAST_BF16 void multiplyChannels(const uint16_t* a, int64_t row, const uint16_t* b, int64_t count,
                                        float* sums) {
  Vec acc[kRows][2];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; i++) {
    _mm_prefetch(reinterpret_cast<const char*>(sums + i * kPanel), _MM_HINT_T0);
    _mm_prefetch(reinterpret_cast<const char*>(sums + i * kPanel + kLanes), _MM_HINT_T0);
    acc[i][0] = _mm512_setzero_ps();
    acc[i][1] = _mm512_setzero_ps();
  }
  for (int64_t k = 0; k < count; k++, a += row, b += 2 * kPanel) {
    const __m512bh left = (__m512bh)_mm512_load_si512(b), right = (__m512bh)_mm512_load_si512(b + kPanel);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; i++) {
      const __m512bh value = spread(a + 2 * i);
      acc[i][0] = _mm512_dpbf16_ps(acc[i][0], value, left);
      acc[i][1] = _mm512_dpbf16_ps(acc[i][1], value, right);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; i++) {
    for (int j = 0; j < 2; j++) {
      float* to = sums + i * kPanel + j * kLanes;
      _mm512_store_ps(to, _mm512_add_ps(_mm512_load_ps(to), acc[i][j]));
    }
  }
}

// The point of the gradient to multiply with a point and tap of the pixels; the taps of an end share one.
int64_t gradientPoint(const Region& region, int64_t point) {
  const int columns = region.columns.isPair() ? 4 : region.columns.taps;
  const int64_t row = region.rows.isPair() ? point / columns : 0;
  const int64_t column = region.columns.isPair() ? point % columns : 0;
  return row * region.columns.points() + column;
}

// Adds a region's contribution from images [first, last) to `sums` [point and tap][panel][ci][32 channels].
void accumulate(const uint16_t* x, const uint16_t* dy, const ConvShape& s, const Region& region, int64_t first,
                int64_t last, bool has_amx, const Room& room, float* sums) {
  const Sizes sizes(s);
  const int64_t tiles = region.tiles();
  const int64_t points = pointsOf(region);
  const Transforms transforms(region);
  for (int64_t start = first * tiles; start < last * tiles; start += kTiles) {
    const int64_t count = std::min(kTiles, last * tiles - start);
    for (int64_t t = 0; t < count; t++) {
      const int64_t image = (start + t) / tiles, place = (start + t) % tiles;
      const Tile tile{t, x + image * s.h * s.w * s.ci, dy + image * s.oh * s.ow * s.co, place / region.columns.tiles,
                      place % region.columns.tiles};
      transforms.pixels(s, sizes, region, tile, room);
      transforms.gradients(s, sizes, region, tile, room);
    }
    if (count % 2 == 1) {
      // Pairs the last tile with zeros.
      const Tile absent{count, nullptr, nullptr, 0, 0};
      transforms.pixels(s, sizes, region, absent, room);
      transforms.gradients(s, sizes, region, absent, room);
    }
    const int64_t groups = (count + 1) / 2;
    const int64_t whole = (groups + 15) / 16 * 16;
    for (int64_t i = 0; has_amx && i < points; i++) {
      std::memset(room.v + i * sizes.v_point + groups * sizes.row, 0, (whole - groups) * sizes.row * sizeof *room.v);
    }
    for (int64_t i = 0; has_amx && i < region.points() * sizes.panels; i++) {
      uint16_t* panel = room.g + i / sizes.panels * sizes.g_point + i % sizes.panels * kGroups * kPanel * 2;
      std::memset(panel + groups * kPanel * 2, 0, (whole - groups) * kPanel * 2 * sizeof *panel);
    }
    for (int64_t i = 0; i < points; i++) {
      const uint16_t* a = room.v + i * sizes.v_point;
      const uint16_t* g = room.g + gradientPoint(region, i) * sizes.g_point;
      if (has_amx) amxTurnPairs(a, sizes.row, whole, sizes.rows, room.turned);
      for (int64_t panel = 0; panel < sizes.panels; panel++) {
        const uint16_t* b = g + panel * kGroups * kPanel * 2;
        float* to = sums + i * sizes.sums() + panel * kPanel * sizes.rows;
        for (int64_t c = 0; has_amx && c < sizes.rows; c += 32) {
          amxMultiplyChannels(room.turned + 2 * c * whole, b, whole, to + c * kPanel);
        }
        for (int64_t c = 0; !has_amx && c < sizes.ci; c += kRows) {
          multiplyChannels(a + 2 * c, sizes.row, b, groups, to + c * kPanel);
        }
      }
    }
  }
}

// The transform of four sums back to three taps along one axis.
CIFAR10_FAST_BF16_INLINE void transformFilter(const Vec* s, int step_in, int step_out, Vec* out) {
  const Vec half = _mm512_set1_ps(0.5f);
  const Vec even = _mm512_mul_ps(half, _mm512_add_ps(s[step_in], s[2 * step_in]));
  out[0] = _mm512_add_ps(s[0], even);
  out[step_out] = _mm512_mul_ps(half, _mm512_sub_ps(s[step_in], s[2 * step_in]));
  out[2 * step_out] = _mm512_add_ps(even, s[3 * step_in]);
}

// Transforms a region's points and taps to taps of the kernel, and adds them.
CIFAR10_FAST_BF16_INLINE void addTaps(const Region& region, const Vec* points, Vec* taps) {
  const bool is_tall = region.rows.isPair(), is_wide = region.columns.isPair();
  const int rows = is_tall ? 4 : region.rows.taps, columns = is_wide ? 4 : region.columns.taps;
  Vec half[12], out[9];
  for (int i = 0; i < 9; i++) out[i] = _mm512_setzero_ps();
  const Vec* done = points;
  if (is_tall) {
    for (int j = 0; j < columns; j++) transformFilter(points + j, columns, columns, half + j);
    done = half;
  }
  for (int i = 0; i < (is_tall ? 3 : rows); i++) {
    if (is_wide) {
      transformFilter(done + 4 * i, 1, 1, out + 3 * i);
    } else {
      for (int j = 0; j < columns; j++) out[3 * i + j] = done[columns * i + j];
    }
  }
  for (int i = 0; i < 9; i++) taps[i] = _mm512_add_ps(taps[i], out[i]);
}

// Computes dk from all threads' sums, for input channels [first, last).
CIFAR10_FAST_BF16 void finish(const std::vector<const float*>& parts, const ConvShape& s, const Region* regions,
                              int64_t first, int64_t last, float* dk) {
  const Sizes sizes(s);
  for (int64_t ci = first; ci < last; ci++) {
    for (int64_t co = 0; co < s.co; co += kLanes) {
      const __mmask16 mask = static_cast<__mmask16>((1u << std::min<int64_t>(kLanes, s.co - co)) - 1);
      int64_t at = (co / kPanel * sizes.rows + ci) * kPanel + co % kPanel;
      Vec taps[9];
      for (int i = 0; i < 9; i++) taps[i] = _mm512_setzero_ps();
      for (int r = 0; r < kRegions; r++) {
        if (regions[r].tiles() == 0) continue;
        Vec points[16];
        for (int64_t i = 0; i < pointsOf(regions[r]); i++, at += sizes.sums()) {
          points[i] = _mm512_loadu_ps(parts[0] + at);
          for (size_t t = 1; t < parts.size(); t++) points[i] = _mm512_add_ps(points[i], _mm512_loadu_ps(parts[t] + at));
        }
        addTaps(regions[r], points, taps);
      }
      for (int i = 0; i < 9; i++) _mm512_mask_storeu_ps(dk + (i * s.ci + ci) * s.co + co, mask, taps[i]);
    }
  }
}

}  // namespace
}  // namespace winograd_bf16

void winogradBf16Filter(const uint16_t* x, const uint16_t* dy, const ConvShape& s, bool has_amx, int threads,
                        float* dk) {
  using namespace winograd_bf16;
  const Sizes sizes(s);
  Region regions[kRegions];
  findRegions({s.h, s.w}, {s.oh, s.ow}, regions);
  int64_t all = 0, most = 0;
  for (const Region& region : regions) {
    if (region.tiles() == 0) continue;
    all += pointsOf(region);
    most = std::max(most, pointsOf(region));
  }
  const int64_t channels = (std::max(s.ci, s.co) + kPanel - 1) / kPanel * kPanel;
  std::vector<size_t> pieces{channels * sizeof(uint16_t)};
  for (int t = 0; t < threads; t++) {
    pieces.push_back(most * sizes.v_point * sizeof(uint16_t));
    pieces.push_back(most * sizes.g_point * sizeof(uint16_t));
    pieces.push_back(16 * channels * sizeof(float));
    pieces.push_back(16 * channels * sizeof(float));
    pieces.push_back(all * sizes.sums() * sizeof(float));
    pieces.push_back(has_amx ? 2 * kGroups * sizes.rows * sizeof(uint16_t) : 0);
  }
  const Scratch scratch(pieces);
  uint16_t* nothing = scratch.piece<uint16_t>(0);
  std::memset(nothing, 0, channels * sizeof *nothing);
  std::vector<const float*> parts;
  for (int t = 0; t < threads; t++) parts.push_back(scratch.piece<float>(6 * t + 5));
  parallel(threads, s.n, [&](int t, int64_t first, int64_t last) {
    const Room room{scratch.piece<uint16_t>(6 * t + 1), scratch.piece<uint16_t>(6 * t + 2),
                    scratch.piece<float>(6 * t + 3), scratch.piece<float>(6 * t + 4), scratch.piece<uint16_t>(6 * t + 6), nothing};
    std::optional<AmxTiles> tiles;
    if (has_amx) tiles.emplace();
    float* sums = scratch.piece<float>(6 * t + 5);
    std::memset(sums, 0, all * sizes.sums() * sizeof *sums);
    // Channels that do not fill a vector or a panel: the padding is multiplied, so it must be finite; the results are dropped.
    std::memset(room.g, 0, most * sizes.g_point * sizeof *room.g);
    for (const Region& region : regions) {
      if (region.tiles() == 0) continue;
      accumulate(x, dy, s, region, first, last, has_amx, room, sums);
      sums += pointsOf(region) * sizes.sums();
    }
  });
  parallel(threads, s.ci, [&](int, int64_t first, int64_t last) { finish(parts, s, regions, first, last, dk); });
}

}  // namespace cifar10_fast
