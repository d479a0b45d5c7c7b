// The forward pass and the input gradient of winograd-bf16.h.
//
//   m[point][tile][co] = sum over taps and ci of v[point][tile][tap][ci] u[point][tap][ci][co]
//
// Along an axis, a region of pairs has one tap and 4 points, a region at the end has two taps and one point. Transforms are
// computed in float32; v and u are stored in bfloat16, m in float32.
#include <optional>
#include <vector>

#include "amx.h"
#include "parallel.h"
#include "winograd-bf16-outputs.h"
#include "winograd-bf16.h"

namespace cifar10_fast {
namespace winograd_bf16 {
namespace {

constexpr int64_t kMost = 240, kBytes = 512 << 10;  // limits of the tiles at a time, and of the bytes of their v
constexpr int kTiles = 12;     // tiles of a product in vectors, for two vectors of output channels
constexpr int kAmxTiles = 32;  // tiles of a product in AMX tiles

// The sizes of a block of tiles of a region.
struct Block {
  Block(const Region& region, const Problem& p)
      : sum(p.padded(region.sums() * p.depth)),
        points(region.points()),
        stride((sum + 31) / 32 * 32 + 32),
        group(p.has_amx ? kAmxTiles : kTiles),
        product(group * kPanel + 16) {
    // As many tiles as fit into half of the L2 cache, but enough to amortise reading the kernel again.
    const int64_t bytes = points * stride * sizeof(uint16_t);
    tiles = std::min<int64_t>(kMost, std::max<int64_t>(64, kBytes / bytes)) / group * group;
  }
  int64_t sum;  // products that are summed over
  int64_t points, stride;
  int64_t group;    // tiles that are multiplied at a time
  int64_t product;  // of a point: one extra line, so that points do not map to the same sets of the cache
  int64_t tiles;
  size_t inputBytes() const { return points * tiles * stride * sizeof(uint16_t); }
  size_t productBytes() const { return points * product * sizeof(float); }
};

// A thread's memory.
struct Room {
  uint16_t* v;
  float* m;
  const uint16_t* nothing;  // a pixel off the image
};

// Tiles from one row of tiles of a region: their image, the tile row, its columns [first, last), and the address of their v.
struct Strip {
  const uint16_t* image;
  int64_t row, first, last;
  uint16_t* v;
};

// The pixels of a row, by column. In a row above or below the image, all pixels are `nothing`.
struct Row {
  Row(const Problem& p, const uint16_t* image, int64_t row, const uint16_t* nothing)
      : start(row >= 0 && row < p.from.h ? image + row * p.from.w * p.depth : nothing),
        step(start == nothing ? 0 : p.depth),
        width(p.from.w),
        nothing(nothing) {}
  const uint16_t* at(int64_t column) const {
    return column >= 0 && column < width ? start + column * step : nothing;
  }
  const uint16_t* start;
  int64_t step, width;
  const uint16_t* nothing;
};

// Transforms pairs of rows and columns, for 16 channels or 8. A column of pixels is transformed once for both its tiles.
template <bool IsHalf>
CIFAR10_FAST_BF16 inline void transformStrip(const Row* rows, int64_t first, int64_t last, int64_t step, int64_t point,
                                             uint16_t* to) {
  const Row r0 = rows[0], r1 = rows[1], r2 = rows[2], r3 = rows[3];
  // Two columns that the previous tile has read and two more, transformed along the rows.
  Vec seen[16];
  const auto read = [&](int64_t column, Vec* out) CIFAR10_FAST_BF16 {
    const Vec in[4] = {loadChannels(r0.at(column), IsHalf), loadChannels(r1.at(column), IsHalf),
                       loadChannels(r2.at(column), IsHalf), loadChannels(r3.at(column), IsHalf)};
    transformInput(in, 1, out);
  };
  const auto write = [&](const Vec* a, const Vec* b) CIFAR10_FAST_BF16 {
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
      uint16_t* at = to + 4 * i * point;
      const Vec in[4] = {a[i], a[4 + i], b[i], b[4 + i]};
      Vec out[4];
      transformInput(in, 1, out);
      storeChannels(at, out[0], IsHalf);
      storeChannels(at + point, out[1], IsHalf);
      storeChannels(at + 2 * point, out[2], IsHalf);
      storeChannels(at + 3 * point, out[3], IsHalf);
    }
    to += step;
  };
  read(2 * first - 1, seen);
  read(2 * first, seen + 4);
  for (int64_t tile = first; tile < last; tile++) {
    read(2 * tile + 1, seen + 8);
    read(2 * tile + 2, seen + 12);
    write(seen, seen + 8);
    if (++tile == last) break;
    read(2 * tile + 1, seen);
    read(2 * tile + 2, seen + 4);
    write(seen + 8, seen);
  }
}

CIFAR10_FAST_BF16 void transformPairs(const Problem& p, const Region& region, const Block& block, const Strip& strip,
                                      const uint16_t* nothing) {
  const int64_t top = region.rows.source(strip.row);
  Row rows[4] = {{p, strip.image, top, nothing},
                 {p, strip.image, top + 1, nothing},
                 {p, strip.image, top + 2, nothing},
                 {p, strip.image, top + 3, nothing}};
  for (int64_t c = 0; c < p.depth; c += kLanes) {
    (p.depth - c < kLanes ? transformStrip<true> : transformStrip<false>)(
        rows, strip.first, strip.last, block.stride, block.tiles * block.stride, strip.v + c);
    for (Row& row : rows) row.start += kLanes;
    for (Row& row : rows) row.nothing += kLanes;
  }
}

// Transforms the end of one or both axes, whose taps are stored one after the other.
CIFAR10_FAST_BF16 void transformEnds(const Problem& p, const Region& region, const Block& block, const Strip& strip,
                                     const uint16_t* nothing) {
  const int64_t top = region.rows.source(strip.row);
  const bool is_tall = region.rows.isPair();
  const bool is_wide = region.columns.isPair();
  const int points = region.points();
  const int64_t point = block.tiles * block.stride;
  uint16_t* to = strip.v;
  for (int64_t tile = strip.first; tile < strip.last; tile++, to += block.stride) {
    const int64_t left = region.columns.source(tile);
    for (int row = 0; row < region.rows.sums(); row++) {
      for (int column = 0; column < region.columns.sums(); column++) {
        const uint16_t* at[4];
        for (int i = 0; i < points; i++) {
          at[i] = Row(p, strip.image, top + (is_tall ? i : row), nothing).at(left + (is_wide ? i : column));
        }
        uint16_t* tap = to + (row * region.columns.sums() + column) * p.depth;
        if (points == 1) {
          std::memcpy(tap, at[0], p.depth * sizeof(uint16_t));
          continue;
        }
        const int64_t depth = p.depth;
        for (int64_t c = 0; c < depth; c += kLanes) {
          const bool is_half = depth - c < kLanes;
          Vec in[4], out[4];
          for (int i = 0; i < 4; i++) in[i] = loadChannels(at[i] + c, is_half);
          transformInput(in, 1, out);
          for (int i = 0; i < 4; i++) storeChannels(tap + i * point + c, out[i], is_half);
        }
      }
    }
  }
}

// m[tile][32] = sum over k of v[tile][k] u[k][32], for kTiles tiles, `stride` elements apart.
CIFAR10_FAST_BF16 void multiplyTiles(const uint16_t* v, int64_t stride, const uint16_t* u, int64_t sum, float* m) {
  Vec sums[kTiles][2];
#pragma GCC unroll 16
  for (int i = 0; i < kTiles; i++) {
    sums[i][0] = _mm512_setzero_ps();
    sums[i][1] = _mm512_setzero_ps();
  }
  for (int64_t k = 0; k < sum; k += 2, u += 2 * kPanel) {
    const __m512bh left = (__m512bh)_mm512_loadu_si512(u), right = (__m512bh)_mm512_loadu_si512(u + kPanel);
#pragma GCC unroll 16
    for (int i = 0; i < kTiles; i++) {
      const __m512bh value = spread(v + i * stride + k);
      sums[i][0] = _mm512_dpbf16_ps(sums[i][0], value, left);
      sums[i][1] = _mm512_dpbf16_ps(sums[i][1], value, right);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kTiles; i++) {
    _mm512_storeu_ps(m + i * kPanel, sums[i][0]);
    _mm512_storeu_ps(m + i * kPanel + kLanes, sums[i][1]);
  }
}

// Calls use(image, row, first, last, offset) for each part of a row of tiles in [start, end), `offset` tiles after `start`.
template <typename Use>
inline void forStrips(const Region& region, int64_t start, int64_t end, const Use& use) {
  const int64_t across = region.columns.tiles;
  for (int64_t tile = start; tile < end;) {
    const int64_t first = tile % across;
    const int64_t last = std::min(across, first + end - tile);
    use(tile / region.tiles(), tile / across % region.rows.tiles, first, last, tile - start);
    tile += last - first;
  }
}

// Computes a region's outputs for images [first, last).
CIFAR10_FAST_BF16 void convolve(const uint16_t* x, const uint16_t* u, const Problem& p, const Region& region,
                                int64_t first, int64_t last, const Room& room, uint16_t* y) {
  const Block block(region, p);
  const int64_t tiles = region.tiles();
  const int64_t down = p.to.w * p.columns;
  const Places places{down, p.columns, region.rows.isPair() ? down : p.columns, 2 * p.columns};
  const Store how = storeOf(p, y);
  const auto multiply = p.has_amx ? amxMultiplyTiles : multiplyTiles;
  // The padding of a sum is multiplied, too, so it must be zero.
  if (block.sum > region.sums() * p.depth) std::memset(room.v, 0, block.inputBytes());
  for (int64_t start = first * tiles; start < last * tiles; start += block.tiles) {
    const int64_t end = std::min(start + block.tiles, last * tiles);
    const int64_t count = end - start;
    const int64_t padded = (count + block.group - 1) / block.group * block.group;
    forStrips(region, start, end, [&](int64_t image, int64_t row, int64_t left, int64_t right, int64_t at) {
      const Strip strip{x + image * p.from.h * p.from.w * p.depth, row, left, right, room.v + at * block.stride};
      (block.points == 16 ? transformPairs : transformEnds)(p, region, block, strip, room.nothing);
    });
    for (int64_t i = 0; i < block.points; i++) {
      std::memset(room.v + (i * block.tiles + count) * block.stride, 0, (padded - count) * block.stride * sizeof *room.v);
    }
    for (int64_t panel = 0; panel < p.panels(); panel++) {
      const uint16_t* kernel = u + panel * block.points * block.sum * kPanel;
      const int64_t channels = std::min<int64_t>(kPanel, p.columns - panel * kPanel);
      const __mmask32 mask = static_cast<__mmask32>((uint64_t{1} << channels) - 1);
      const Writer write = writerOf(block.points, channels < kPanel ? Store::kPart : how);
      // The products of one group of tiles stay in the L1 cache until they are transformed.
      for (int64_t t = 0; t < count; t += block.group) {
        for (int64_t i = 0; i < block.points; i++) {
          multiply(room.v + (i * block.tiles + t) * block.stride, block.stride, kernel + i * block.sum * kPanel,
                        block.sum, room.m + i * block.product);
        }
        forStrips(region, start + t, std::min(start + t + block.group, end),
                  [&](int64_t image, int64_t row, int64_t left, int64_t right, int64_t at) {
                    uint16_t* to = y + ((image * p.to.h + region.rows.output(row)) * p.to.w +
                                        region.columns.output(left)) * p.columns + panel * kPanel;
                    write(room.m + at * kPanel, block.product, right - left, places, mask, to);
                  });
      }
    }
  }
}

size_t kernelBytes(const Problem& p, const Block& block) {
  return p.panels() * kPanel * block.points * block.sum * sizeof(uint16_t);
}

void run(const uint16_t* x, const float* k, const Problem& p, int threads, const Scratch& scratch, size_t first_piece,
         uint16_t* y) {
  Region regions[kRegions];
  findRegions(p.from, p.to, regions);
  uint16_t* nothing = scratch.piece<uint16_t>(first_piece);
  std::memset(nothing, 0, p.depth * sizeof *nothing);
  for (int i = 0; i < kRegions; i++) {
    const Block block(regions[i], p);
    if (regions[i].tiles() == 0 || block.sum == regions[i].sums() * p.depth) continue;
    std::memset(scratch.piece<uint16_t>(first_piece + 1 + i), 0, kernelBytes(p, block));
  }
  parallel(threads, p.depth / 2, [&](int, int64_t first, int64_t last) {
    for (int i = 0; i < kRegions; i++) {
      if (regions[i].tiles() == 0) continue;
      transformKernels(k, p, regions[i], 2 * first, 2 * last, scratch.piece<uint16_t>(first_piece + 1 + i));
    }
  });
  parallel(threads, p.n, [&](int t, int64_t first, int64_t last) {
    const size_t own = first_piece + 1 + kRegions + 2 * t;
    const Room room{scratch.piece<uint16_t>(own), scratch.piece<float>(own + 1), nothing};
    std::optional<AmxTiles> tiles;
    if (p.has_amx) tiles.emplace();
    for (int i = 0; i < kRegions; i++) {
      if (regions[i].tiles() == 0) continue;
      convolve(x, scratch.piece<uint16_t>(first_piece + 1 + i), p, regions[i], first, last, room, y);
    }
    // Completes the streaming stores before another thread reads them.
    _mm_sfence();
  });
}

// The sizes of the pieces of memory that `run` works in.
std::vector<size_t> piecesOf(const Problem& p, int threads) {
  Region regions[kRegions];
  findRegions(p.from, p.to, regions);
  std::vector<size_t> sizes{p.depth * sizeof(uint16_t)};
  size_t input = 0, product = 0;
  for (const Region& region : regions) {
    const Block block(region, p);
    const bool is_empty = region.tiles() == 0;
    sizes.push_back(is_empty ? 0 : kernelBytes(p, block));
    if (is_empty) continue;
    input = std::max(input, block.inputBytes());
    product = std::max(product, block.productBytes());
  }
  for (int t = 0; t < threads; t++) {
    sizes.push_back(input);
    sizes.push_back(product);
  }
  return sizes;
}

}  // namespace
}  // namespace winograd_bf16

void winogradBf16Forward(const uint16_t* x, const float* k, const ConvShape& s, bool has_amx, int threads,
                         uint16_t* y) {
  const winograd_bf16::Problem p{s.n, s.ci, s.co, {s.h, s.w}, {s.oh, s.ow}, has_amx};
  const Scratch scratch(winograd_bf16::piecesOf(p, threads));
  winograd_bf16::run(x, k, p, threads, scratch, 0, y);
}

void winogradBf16Input(const uint16_t* dy, const float* k, const ConvShape& s, bool has_amx, int threads,
                       uint16_t* dx) {
  const winograd_bf16::Problem p{s.n, s.co, s.ci, {s.oh, s.ow}, {s.h, s.w}, has_amx};
  std::vector<size_t> sizes = winograd_bf16::piecesOf(p, threads);
  sizes.insert(sizes.begin(), 9 * s.ci * s.co * sizeof(float));
  const Scratch scratch(sizes);
  float* turned = scratch.piece<float>(0);
  parallel(threads, s.ci, [&](int, int64_t first, int64_t last) {
    winograd_bf16::turnKernel(k, s, first, last, turned);
  });
  winograd_bf16::run(dy, turned, p, threads, scratch, 1, dx);
}

bool hasWinogradBf16() {
  return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

bool fitsWinogradBf16(const ConvShape& s) {
  // The last output of an odd number would read three pixels if another one follows on the image.
  const auto hasThreeTaps = [](int64_t extent, int64_t outputs) { return outputs == extent - 1 && outputs % 2 == 1; };
  return s.ci % 8 == 0 && s.co % 8 == 0 && !hasThreeTaps(s.h, s.oh) && !hasThreeTaps(s.w, s.ow);
}

}  // namespace cifar10_fast
