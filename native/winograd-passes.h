// The passes of winograd.h, read once for each instruction set, within a namespace of its own that has defined:
//
//   CIFAR10_FAST_TARGET    the attribute that lets a function use the instructions
//   Vec, kWidth            a vector of floats and how many it holds
//   kTiles, kRows          tiles and input channels that a product holds in registers, for two vectors of output channels
//   zero, set, add, sub, mul, mulAdd(a, b, c) = a * b + c, load(const float*), store(float*, Vec)
//   spread(const float*)   a vector of one number
//
// Every product is an outer product of a column and a row, summed in registers:
//
//   forward        m[position][tile][co] = sum over ci of v[position][tile][ci] u[position][ci][co]
//   filter         s[position][ci][co]   = sum over tiles of v[position][tile][ci] g[position][tile][co]
//
// where u, v, g are the kernel, the input and the gradient, transformed.

#include "winograd-transforms.h"

// As many numbers or a few more, an odd number of cache lines: what lies so far apart falls into all sets of the cache. At a
// power of two it falls into few, and what a transform writes to 36 places drives itself out.
inline int64_t oddLines(int64_t numbers) { return ((numbers + 15) / 16 | 1) * 16; }

// Finds the pixels that a tile of R x C outputs sees; those off the image are zero, `zeros` rows and columns before it.
template <int R, int C>
CIFAR10_FAST_TARGET inline void findPixels(const float* x, const WinogradTile& tile, const Extents& s, int64_t channels,
                                           int64_t zeros, const float* nothing, const float** at) {
  const float* image = x + tile.image * s.h * s.w * channels;
  for (int i = 0; i < R + 2; i++) {
    for (int j = 0; j < C + 2; j++) {
      const int64_t row = tile.top - zeros + i, column = tile.left - zeros + j;
      const bool is_inside = row >= 0 && row < s.h && column >= 0 && column < s.w;
      at[i * (C + 2) + j] = is_inside ? image + (row * s.w + column) * channels : nothing;
    }
  }
}

// u [N/(NR kWidth)][position][K][NR kWidth], where K are the channels that are summed over. Forward these are the kernel's input
// channels; for the gradient by the input they are its output channels, and the kernel is turned round. Of input channels
// [first, last), in whole vectors.
template <int R, int C, int NR>
CIFAR10_FAST_TARGET void transformKernel(const float* k, const ConvShape& s, bool is_turned, int64_t first,
                                         int64_t last, float* u) {
  constexpr int P = (R + 2) * (C + 2), panel = NR * kWidth;
  const int64_t depth = is_turned ? s.co : s.ci;
  const auto transform = [&](const Vec* kernel, int64_t row, int64_t column) CIFAR10_FAST_TARGET {
    Vec out[P];
    transformTile<R, C, Direction::kKernel>(kernel, out);
    float* to = u + (column / panel * P * depth + row) * panel + column % panel;
    for (int p = 0; p < P; p++) store(to + p * depth * panel, out[p]);
  };
  for (int64_t ci = first; ci < last; ci += kWidth) {
    for (int64_t co = 0; co < s.co; co += kWidth) {
      if (!is_turned) {
        for (int row = 0; row < kWidth; row++) {
          Vec kernel[9];
          for (int i = 0; i < 9; i++) kernel[i] = load(k + (i * s.ci + ci + row) * s.co + co);
          transform(kernel, ci + row, co);
        }
        continue;
      }
      alignas(64) float turned[9][kWidth][kWidth];
      for (int i = 0; i < 9; i++) {
        for (int column = 0; column < kWidth; column++) {
          const float* from = k + (i * s.ci + ci + column) * s.co + co;
          for (int row = 0; row < kWidth; row++) turned[8 - i][row][column] = from[row];
        }
      }
      for (int row = 0; row < kWidth; row++) {
        Vec kernel[9];
        for (int i = 0; i < 9; i++) kernel[i] = load(turned[i][row]);
        transform(kernel, co + row, ci);
      }
    }
  }
}

// m[tile][NR kWidth] = sum over k of v[tile][k] u[k][NR kWidth], for kTiles tiles, `stride` elements apart.
template <int NR>
CIFAR10_FAST_TARGET __attribute__((noinline)) void multiplyTiles(const float* v, int64_t stride, const float* u,
                                                                 int64_t depth, float* m) {
  Vec sums[kTiles][NR];
#pragma GCC unroll 16
  for (int i = 0; i < kTiles; i++) {
#pragma GCC unroll 2
    for (int j = 0; j < NR; j++) sums[i][j] = zero();
  }
  for (int64_t k = 0; k < depth; k++, u += NR * kWidth) {
    Vec row[NR];
#pragma GCC unroll 2
    for (int j = 0; j < NR; j++) row[j] = load(u + j * kWidth);
#pragma GCC unroll 16
    for (int i = 0; i < kTiles; i++) {
      const Vec value = spread(v + i * stride + k);
#pragma GCC unroll 2
      for (int j = 0; j < NR; j++) sums[i][j] = mulAdd(value, row[j], sums[i][j]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kTiles; i++) {
#pragma GCC unroll 2
    for (int j = 0; j < NR; j++) store(m + (i * NR + j) * kWidth, sums[i][j]);
  }
}

// What a thread works on at a time.
template <int P, int NR>
struct Block {
  explicit Block(int64_t depth)
      // Rows of v start in different sets of the cache.
      : stride(depth + 16) {
    // As many tiles as the second-level cache holds, but enough to pay for reading the kernel again.
    const int64_t fitting = (640 << 10) / (P * (stride * sizeof(float) + NR * kWidth * sizeof(float)));
    tiles = std::min<int64_t>(256, std::max<int64_t>({48, depth / 5, fitting})) / kTiles * kTiles;
  }
  int64_t stride, tiles;
  size_t inputBytes() const { return P * tiles * stride * sizeof(float); }
  size_t productBytes() const { return P * tiles * NR * kWidth * sizeof(float); }
};

// What a convolution reads and writes: images of the one size, after `zeros` rows and columns, and of the other.
struct Sides {
  int64_t n;
  Extents from, to;
  int64_t zeros;
};

// The convolution of tiles [first, last) of a region with a transformed kernel, from `depth` channels to `columns`.
template <int R, int C, int NR>
CIFAR10_FAST_TARGET void convolve(const float* x, const float* u, const WinogradRegion& region, const Sides& sides,
                                  int64_t depth, int64_t columns, int64_t first, int64_t last, const float* nothing,
                                  float* v, float* m, float* y) {
  constexpr int P = (R + 2) * (C + 2), panel = NR * kWidth;
  const auto& [n, from, s, zeros] = sides;
  const Block<P, NR> size(depth);
  const int64_t block = size.tiles, stride = size.stride;
  for (int64_t start = first; start < last; start += block) {
    const int64_t count = std::min(block, last - start);
    const int64_t padded = (count + kTiles - 1) / kTiles * kTiles;
    for (int64_t t = 0; t < count; t++) {
      const float* at[P];
      findPixels<R, C>(x, region.at(start + t), from, depth, zeros, nothing, at);
      for (int64_t c = 0; c < depth; c += kWidth) {
        Vec in[P], out[P];
        for (int p = 0; p < P; p++) in[p] = load(at[p] + c);
        transformTile<R, C, Direction::kInput>(in, out);
        for (int p = 0; p < P; p++) store(v + (p * block + t) * stride + c, out[p]);
      }
    }
    for (int64_t t = count; t < padded; t++) {
      for (int p = 0; p < P; p++) std::memset(v + (p * block + t) * stride, 0, depth * sizeof(float));
    }
    for (int64_t column = 0; column < columns; column += panel) {
      for (int p = 0; p < P; p++) {
        const float* row = u + (column / panel * P + p) * depth * panel;
        for (int64_t t = 0; t < padded; t += kTiles) {
          multiplyTiles<NR>(v + (p * block + t) * stride, stride, row, depth,
                               m + (p * block + t) * panel);
        }
      }
      for (int64_t t = 0; t < count; t++) {
        const auto [image, top, left] = region.at(start + t);
        const int64_t rows = std::min<int64_t>(R, s.h - top), across = std::min<int64_t>(C, s.w - left);
        for (int j = 0; j < NR; j++) {
          Vec in[P], out[R * C];
          for (int p = 0; p < P; p++) in[p] = load(m + (p * block + t) * panel + j * kWidth);
          transformTile<R, C, Direction::kOutput>(in, out);
          float* to = y + ((image * s.h + top) * s.w + left) * columns + column + j * kWidth;
          for (int64_t r = 0; r < rows; r++) {
            for (int64_t a = 0; a < across; a++) store(to + (r * s.w + a) * columns, out[r * C + a]);
          }
        }
      }
    }
  }
}

template <int R, int C, int NR>
void convolveRegion(const float* x, const float* k, const WinogradRegion& region, const ConvShape& s, bool is_turned,
                    int threads, float* y) {
  constexpr int P = (R + 2) * (C + 2);
  const int64_t depth = is_turned ? s.co : s.ci;
  const int64_t columns = is_turned ? s.ci : s.co;
  const Extents image{s.h, s.w}, output{s.oh, s.ow};
  const int64_t zeros = s.isPadded() ? 1 : 0;
  const Sides sides{s.n, is_turned ? output : image, is_turned ? image : output, is_turned ? 2 - zeros : zeros};
  const Block<P, NR> block(depth);
  std::vector<size_t> sizes{P * s.ci * s.co * sizeof(float), depth * sizeof(float)};
  for (int t = 0; t < threads; t++) {
    sizes.push_back(block.inputBytes());
    sizes.push_back(block.productBytes());
  }
  const Scratch scratch(sizes);
  float* u = scratch.piece<float>(0);
  float* nothing = scratch.piece<float>(1);
  std::memset(nothing, 0, depth * sizeof(float));
  parallel(threads, s.ci / kWidth, [&](int, int64_t first, int64_t last) {
    transformKernel<R, C, NR>(k, s, is_turned, first * kWidth, last * kWidth, u);
  });
  parallel(threads, s.n * region.tiles(), [&](int t, int64_t first, int64_t last) {
    convolve<R, C, NR>(x, u, region, sides, depth, columns, first, last, nothing, scratch.piece<float>(2 + 2 * t),
                       scratch.piece<float>(3 + 2 * t), y);
  });
}

void convolveBy(const float* x, const float* k, const ConvShape& s, bool is_turned, int tile, int threads, float* y) {
  const bool is_wide = (is_turned ? s.ci : s.co) % (2 * kWidth) == 0;
  for (const auto& region : winogradRegions(is_turned ? Extents{s.h, s.w} : Extents{s.oh, s.ow}, tile)) {
    withTile(region, [&](auto rows, auto columns) {
      const auto run = is_wide ? convolveRegion<rows, columns, 2> : convolveRegion<rows, columns, 1>;
      run(x, k, region, s, is_turned, threads, y);
    });
  }
}

void forward(const float* x, const float* k, const ConvShape& s, int tile, int threads, float* y) {
  convolveBy(x, k, s, false, tile, threads, y);
}

void backpropInput(const float* dy, const float* k, const ConvShape& s, int tile, int threads, float* dx) {
  convolveBy(dy, k, s, true, tile, threads, dx);
}

// sums [kRows][stride] += a^T b over `count` tiles. These are summed by themselves and added as one number: one sum after
// the other over all tiles of a batch loses 16 times as much as the direct convolution.
template <int NR>
CIFAR10_FAST_TARGET __attribute__((noinline)) void multiplyChannels(const float* a, const float* b, int64_t count,
                                                                    float* sums, int64_t stride) {
  constexpr int R = kRows;
  Vec acc[R][NR];
#pragma GCC unroll 8
  for (int i = 0; i < R; i++) {
#pragma GCC unroll 2
    for (int j = 0; j < NR; j++) acc[i][j] = zero();
  }
  for (int64_t k = 0; k < count; k++, a += kWidth, b += NR * kWidth) {
    Vec row[NR];
#pragma GCC unroll 2
    for (int j = 0; j < NR; j++) row[j] = load(b + j * kWidth);
#pragma GCC unroll 8
    for (int i = 0; i < R; i++) {
      const Vec value = spread(a + i);
#pragma GCC unroll 2
      for (int j = 0; j < NR; j++) acc[i][j] = mulAdd(value, row[j], acc[i][j]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < R; i++) {
#pragma GCC unroll 2
    for (int j = 0; j < NR; j++) {
      float* sum = sums + i * stride + j * kWidth;
      store(sum, add(load(sum), acc[i][j]));
    }
  }
}

// What a thread sums over at a time.
template <int P>
struct Slice {
  explicit Slice(const ConvShape& s) {
    // Enough tiles to pay for reading the sums again, few enough for a position of them to stay in the cache.
    const int64_t bytes = P * (s.ci + s.co) * static_cast<int64_t>(sizeof(float));
    tiles = std::min<int64_t>(1024, std::max<int64_t>(64, (1 << 20) / bytes));
    inputs = oddLines(tiles * s.ci);
    gradients = oddLines(tiles * s.co);
  }
  int64_t tiles;
  int64_t inputs, gradients;  // numbers from one position to the next
};

// Adds what tiles [first, last) of a region give to `sums` [position][Ci][Co], by way of
// v [position][Ci/kWidth][tile][kWidth] and g [position][Co/panel][tile][panel].
template <int R, int C, int NR>
CIFAR10_FAST_TARGET void correlate(const float* x, const float* dy, const WinogradRegion& region, const ConvShape& s,
                                   int64_t first, int64_t last, const float* nothing, float* v, float* g, float* sums) {
  constexpr int P = (R + 2) * (C + 2), panel = NR * kWidth;
  const Extents extents{s.h, s.w};
  const Slice<P> slice(s);
  for (int64_t start = first; start < last; start += slice.tiles) {
    const int64_t count = std::min(slice.tiles, last - start);
    for (int64_t t = 0; t < count; t++) {
      const WinogradTile tile = region.at(start + t);
      const float* at[P];
      findPixels<R, C>(x, tile, extents, s.ci, s.isPadded() ? 1 : 0, nothing, at);
      for (int64_t c = 0; c < s.ci; c += kWidth) {
        Vec in[P], out[P];
        for (int p = 0; p < P; p++) in[p] = load(at[p] + c);
        transformTile<R, C, Direction::kInput>(in, out);
        for (int p = 0; p < P; p++) store(v + p * slice.inputs + (c / kWidth * count + t) * kWidth, out[p]);
      }
      const float* image = dy + tile.image * s.oh * s.ow * s.co;
      const float* from[R * C];
      for (int i = 0; i < R; i++) {
        for (int j = 0; j < C; j++) {
          const bool is_inside = tile.top + i < s.oh && tile.left + j < s.ow;
          from[i * C + j] = is_inside ? image + ((tile.top + i) * s.ow + tile.left + j) * s.co : nothing;
        }
      }
      for (int64_t c = 0; c < s.co; c += kWidth) {
        Vec in[R * C], out[P];
        for (int i = 0; i < R * C; i++) in[i] = load(from[i] + c);
        transformTile<R, C, Direction::kGradient>(in, out);
        float* to = g + (c / panel * count + t) * panel + c % panel;
        for (int p = 0; p < P; p++) store(to + p * slice.gradients, out[p]);
      }
    }
    for (int p = 0; p < P; p++) {
      for (int64_t co = 0; co < s.co; co += panel) {
        const float* b = g + p * slice.gradients + co * count;
        for (int64_t ci = 0; ci < s.ci; ci += kRows) {
          const float* a = v + p * slice.inputs + ci / kWidth * count * kWidth + ci % kWidth;
          multiplyChannels<NR>(a, b, count, sums + (p * s.ci + ci) * s.co + co, s.co);
        }
      }
    }
  }
}

// Sets dk, or adds to what other regions gave.
template <int R, int C>
CIFAR10_FAST_TARGET void transformSums(const float* const* parts, int count, const ConvShape& s, bool is_first,
                                       int64_t first, int64_t last, float* dk) {
  constexpr int P = (R + 2) * (C + 2);
  for (int64_t ci = first; ci < last; ci++) {
    for (int64_t co = 0; co < s.co; co += kWidth) {
      Vec in[P], out[9];
      for (int p = 0; p < P; p++) {
        const int64_t at = (p * s.ci + ci) * s.co + co;
        in[p] = load(parts[0] + at);
        for (int i = 1; i < count; i++) in[p] = add(in[p], load(parts[i] + at));
      }
      transformTile<R, C, Direction::kFilter>(in, out);
      for (int i = 0; i < 9; i++) {
        float* to = dk + (i * s.ci + ci) * s.co + co;
        store(to, is_first ? out[i] : add(load(to), out[i]));
      }
    }
  }
}

template <int R, int C, int NR>
void correlateRegion(const float* x, const float* dy, const WinogradRegion& region, const ConvShape& s, bool is_first,
                     int threads, float* dk) {
  constexpr int P = (R + 2) * (C + 2);
  const size_t size = P * s.ci * s.co;
  const size_t channels = std::max(s.ci, s.co);
  const Slice<P> slice(s);
  std::vector<size_t> sizes{channels * sizeof(float)};
  for (int t = 0; t < threads; t++) {
    sizes.push_back(P * slice.inputs * sizeof(float));
    sizes.push_back(P * slice.gradients * sizeof(float));
    sizes.push_back(size * sizeof(float));
  }
  const Scratch scratch(sizes);
  float* nothing = scratch.piece<float>(0);
  std::memset(nothing, 0, channels * sizeof(float));
  std::vector<const float*> parts;
  for (int t = 0; t < threads; t++) parts.push_back(scratch.piece<float>(3 + 3 * t));
  parallel(threads, s.n * region.tiles(), [&](int t, int64_t first, int64_t last) {
    float* sums = scratch.piece<float>(3 + 3 * t);
    std::memset(sums, 0, size * sizeof(float));
    correlate<R, C, NR>(x, dy, region, s, first, last, nothing, scratch.piece<float>(1 + 3 * t),
                        scratch.piece<float>(2 + 3 * t), sums);
  });
  parallel(threads, s.ci, [&](int, int64_t first, int64_t last) {
    transformSums<R, C>(parts.data(), threads, s, is_first, first, last, dk);
  });
}

void backpropFilter(const float* x, const float* dy, const ConvShape& s, int tile, int threads, float* dk) {
  const bool is_wide = s.co % (2 * kWidth) == 0;
  bool is_first = true;
  for (const auto& region : winogradRegions({s.oh, s.ow}, tile)) {
    withTile(region, [&](auto rows, auto columns) {
      const auto run = is_wide ? correlateRegion<rows, columns, 2> : correlateRegion<rows, columns, 1>;
      run(x, dy, region, s, is_first, threads, dk);
    });
    is_first = false;
  }
}

inline constexpr WinogradPasses passes{forward, backpropInput, backpropFilter, kWidth};
