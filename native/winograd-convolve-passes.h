// The convolution and its input gradient, included by winograd-passes.h once per instruction set.

// How a convolution or its input gradient is computed.
enum class Way {
  kForward,
  kTurned,   // the gradient as a convolution of dy with the rotated kernel, in tiles of dx
  kAdjoint,  // the gradient as the transpose of each step of the forward pass, in tiles of dy, which are added up
};

// u [position][N/(NR kWidth)][K][NR kWidth], where K are the channels that are summed over: the kernel's input channels in
// the forward pass, its output channels for an input gradient. For input channels [first, last), in whole vectors.
template <Way way>
CIFAR10_FAST_TARGET void transformKernel(const float* k, const WinogradRegion& region, const ConvShape& s, int panel,
                                         int64_t first, int64_t last, float* u) {
  const TileTransform<Direction::kKernel, FromArray, ToStrided> kernelTransform(region.rows, region.columns);
  const int64_t depth = way == Way::kForward ? s.ci : s.co, size = s.ci * s.co;
  const auto transform = [&](const Vec* kernel, int64_t row, int64_t column) CIFAR10_FAST_TARGET {
    kernelTransform({kernel}, {u + (column / panel * depth + row) * panel + column % panel, size});
  };
  for (int64_t ci = first; ci < last; ci += kWidth) {
    for (int64_t co = 0; co < s.co; co += kWidth) {
      if constexpr (way == Way::kForward) {
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
          const int at = way == Way::kTurned ? 8 - i : i;
          for (int row = 0; row < kWidth; row++) turned[at][row][column] = from[row];
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

// m[tile][NR kWidth] = sum over k of v[tile][k] u[k][NR kWidth], for kTiles tiles, `stride` elements apart in v and `apart` in m.
template <int NR>
CIFAR10_FAST_TARGET __attribute__((noinline)) void multiplyTiles(const float* v, int64_t stride, const float* u,
                                                                 int64_t depth, float* m, int64_t apart) {
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
    for (int j = 0; j < NR; j++) store(m + i * apart + j * kWidth, sums[i][j]);
  }
}

// The tiles that a thread works on at a time, as transformed inputs and as products: enough that reading the kernel again for
// the next ones costs little, few enough to stay in the cache of all cores. With few input and many output channels, the
// products are computed in groups of columns: reading the input again for each costs less than writing all products to memory
// and reading them back.
struct Block {
  Block(int positions, int64_t depth, int64_t columns)
      // Rows start in different sets of the cache.
      : input(depth + 16), group(std::min(columns, (depth + 31) / 32 * 32)), product(group + 16) {
    const int64_t bytes = positions * (input + product) * static_cast<int64_t>(sizeof(float));
    const int64_t kernel = positions * depth * columns * static_cast<int64_t>(sizeof(float));
    const int64_t fewest = kernel > (4 << 20) ? 96 : 48;
    tiles = std::min<int64_t>(256, std::max(fewest, (1 << 20) / bytes)) / kTiles * kTiles;
    inputs = oddLines(tiles * input);
    products = oddLines(tiles * product);
  }
  int64_t input;    // numbers from one tile to the next, of the transformed input
  int64_t group;    // columns
  int64_t product;  // numbers from one tile to the next, of the products
  int64_t tiles;
  int64_t inputs, products;  // numbers from one position to the next
};

// What a convolution reads and writes, from `depth` channels to `columns`. A tile at (top, left) reads pixels from
// (top - before, left - before) and writes pixels from (top - after, left - after).
struct Sides {
  Extents from, to;
  int64_t depth, columns, before, after;
};

inline Sides sidesOf(const ConvShape& s, Way way) {
  const int64_t zeros = s.isPadded() ? 1 : 0;
  const Extents image{s.h, s.w}, output{s.oh, s.ow};
  if (way == Way::kForward) return {image, output, s.ci, s.co, zeros, 0};
  return {output, image, s.co, s.ci, way == Way::kTurned ? 2 - zeros : 0, way == Way::kTurned ? 0 : zeros};
}

// The convolution of tiles [first, last) of a region with a transformed kernel. Pixels off the image are read from `nothing`,
// which is zeros, and written to `off`.
template <int NR, Way way>
CIFAR10_FAST_TARGET void convolve(const float* x, const float* u, const WinogradRegion& region, const Sides& sides,
                                  int64_t first, int64_t last, const float* nothing, float* off, float* v, float* m,
                                  float* y) {
  constexpr bool is_adjoint = way == Way::kAdjoint;
  constexpr int panel = NR * kWidth;
  const int positions = region.products();
  const int reach = is_adjoint ? 2 : 0;  // an adjoint tile writes 2 rows and columns more, any other reads 2 more
  const int height = region.rows + 2 - reach, width = region.columns + 2 - reach;
  constexpr Direction in = is_adjoint ? Direction::kGradient : Direction::kInput;
  constexpr Direction out = is_adjoint ? Direction::kInputGradient : Direction::kOutput;
  const TileTransform<in, FromPixels, ToStrided> inputTransform(region.rows, region.columns);
  const TileTransform<out, FromStrided, ToPixels<is_adjoint>> outputTransform(region.rows, region.columns);
  const auto& [from, to, depth, columns, before, after] = sides;
  const Block block(positions, depth, columns);
  for (int64_t start = first; start < last; start += block.tiles) {
    const int64_t count = std::min(block.tiles, last - start);
    const int64_t padded = (count + kTiles - 1) / kTiles * kTiles;
    for (int64_t t = 0; t < count; t++) {
      const auto [image, top, left] = region.at(start + t);
      const float* at[kMostNumbers];
      findPixels(x + image * from.h * from.w * depth, from, depth, {top - before, left - before, height, width}, nothing,
                 at);
      for (int64_t c = 0; c < depth; c += kWidth) inputTransform({at, c}, {v + t * block.input + c, block.inputs});
    }
    for (int64_t t = count; t < padded; t++) {
      for (int p = 0; p < positions; p++) {
        std::memset(v + p * block.inputs + t * block.input, 0, depth * sizeof(float));
      }
    }
    for (int64_t group = 0; group < columns; group += block.group) {
      const int64_t end = std::min(columns, group + block.group);
      for (int p = 0; p < positions; p++) {
        for (int64_t column = group; column < end; column += panel) {
          const float* row = u + (p * columns + column) * depth;
          for (int64_t t = 0; t < padded; t += kTiles) {
            multiplyTiles<NR>(v + p * block.inputs + t * block.input, block.input, row, depth,
                              m + p * block.products + t * block.product + column - group, block.product);
          }
        }
      }
      for (int64_t t = 0; t < count; t++) {
        const auto [image, top, left] = region.at(start + t);
        float* at[kMostNumbers];
        findPixels(y + image * to.h * to.w * columns, to, columns,
                   {top - after, left - after, region.rows + reach, region.columns + reach}, off, at);
        for (int64_t c = group; c < end; c += kWidth) {
          outputTransform({m + t * block.product + c - group, block.products}, {at, c});
        }
      }
    }
  }
}

template <int NR, Way way>
void convolveRegion(const float* x, const float* k, const WinogradRegion& region, const ConvShape& s, int threads,
                    float* y) {
  const size_t positions = region.products();
  const Sides sides = sidesOf(s, way);
  const Block block(region.products(), sides.depth, sides.columns);
  std::vector<size_t> sizes{positions * s.ci * s.co * sizeof(float), sides.depth * sizeof(float)};
  for (int t = 0; t < threads; t++) {
    sizes.push_back(positions * block.inputs * sizeof(float));
    sizes.push_back(positions * block.products * sizeof(float));
    sizes.push_back(sides.columns * sizeof(float));
  }
  const Scratch scratch(sizes);
  float* u = scratch.piece<float>(0);
  float* nothing = scratch.piece<float>(1);
  std::memset(nothing, 0, sides.depth * sizeof(float));
  parallel(threads, s.ci / kWidth, [&](int, int64_t first, int64_t last) {
    transformKernel<way>(k, region, s, NR * kWidth, first * kWidth, last * kWidth, u);
  });
  // Adjoint tiles of an image write to the same pixels, so one thread computes all of them.
  const int64_t together = way == Way::kAdjoint ? region.tiles() : 1;
  parallel(threads, s.n * region.tiles() / together, [&](int t, int64_t first, int64_t last) {
    convolve<NR, way>(x, u, region, sides, first * together, last * together, nothing, scratch.piece<float>(4 + 3 * t),
                      scratch.piece<float>(2 + 3 * t), scratch.piece<float>(3 + 3 * t), y);
  });
}

template <Way way>
void convolveBy(const float* x, const float* k, const ConvShape& s, const std::vector<WinogradRegion>& regions,
                int threads, float* y) {
  const bool is_wide = sidesOf(s, way).columns % (2 * kWidth) == 0;
  const auto run = is_wide ? convolveRegion<2, way> : convolveRegion<1, way>;
  for (const auto& region : regions) run(x, k, region, s, threads, y);
}

void forward(const float* x, const float* k, const ConvShape& s, int tile, int threads, float* y) {
  convolveBy<Way::kForward>(x, k, s, winogradRegions({s.oh, s.ow}, tile), threads, y);
}

void backpropInput(const float* dy, const float* k, const ConvShape& s, int tile, int threads, float* dx) {
  const auto of_dx = winogradRegions({s.h, s.w}, tile), of_dy = winogradRegions({s.oh, s.ow}, tile);
  if (winogradProducts(of_dx) <= winogradProducts(of_dy)) {
    return convolveBy<Way::kTurned>(dy, k, s, of_dx, threads, dx);
  }
  const int64_t size = s.h * s.w * s.ci;
  parallel(threads, s.n, [&](int, int64_t first, int64_t last) {
    std::memset(dx + first * size, 0, (last - first) * size * sizeof(float));
  });
  convolveBy<Way::kAdjoint>(dy, k, s, of_dy, threads, dx);
}
