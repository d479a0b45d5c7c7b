// The body of winograd.cc, read once for each instruction set, within a namespace of its own that has defined:
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

// Transforms of one dimension, from `in` to `out`, both `step` vectors apart.
template <int M>
struct Transform;

template <>
struct Transform<2> {
  CIFAR10_FAST_TARGET static inline void input(const Vec* d, int step, Vec* out) {
    out[0] = sub(d[0], d[2 * step]);
    out[step] = add(d[step], d[2 * step]);
    out[2 * step] = sub(d[2 * step], d[step]);
    out[3 * step] = sub(d[step], d[3 * step]);
  }
  CIFAR10_FAST_TARGET static inline void output(const Vec* m, int step, Vec* out) {
    out[0] = add(add(m[0], m[step]), m[2 * step]);
    out[step] = sub(sub(m[step], m[2 * step]), m[3 * step]);
  }
  // The transpose of `output`.
  CIFAR10_FAST_TARGET static inline void gradient(const Vec* g, int step, Vec* out) {
    out[0] = g[0];
    out[step] = add(g[0], g[step]);
    out[2 * step] = sub(g[0], g[step]);
    out[3 * step] = sub(zero(), g[step]);
  }
  CIFAR10_FAST_TARGET static inline void kernel(const Vec* k, int step, Vec* out) {
    const Vec half = set(0.5f);
    const Vec even = mul(half, add(k[0], k[2 * step]));
    const Vec odd = mul(half, k[step]);
    out[0] = k[0];
    out[step] = add(even, odd);
    out[2 * step] = sub(even, odd);
    out[3 * step] = k[2 * step];
  }
  // The transpose of `kernel`.
  CIFAR10_FAST_TARGET static inline void filter(const Vec* s, int step, Vec* out) {
    const Vec half = set(0.5f);
    const Vec even = mul(half, add(s[step], s[2 * step]));
    out[0] = add(s[0], even);
    out[step] = mul(half, sub(s[step], s[2 * step]));
    out[2 * step] = add(even, s[3 * step]);
  }
};

// Points 0, 1, -1, 2, -2.
template <>
struct Transform<4> {
  CIFAR10_FAST_TARGET static inline void input(const Vec* d, int step, Vec* out) {
    const Vec d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step], d5 = d[5 * step];
    const Vec four = set(4.0f), two = set(2.0f), five = set(-5.0f), minus_four = set(-4.0f);
    const Vec a = mulAdd(minus_four, d2, d4), b = mulAdd(minus_four, d1, d3);
    const Vec c = sub(d4, d2), e = mul(two, sub(d3, d1));
    out[0] = mulAdd(four, d0, mulAdd(five, d2, d4));
    out[step] = add(a, b);
    out[2 * step] = sub(a, b);
    out[3 * step] = add(c, e);
    out[4 * step] = sub(c, e);
    out[5 * step] = mulAdd(four, d1, mulAdd(five, d3, d5));
  }
  CIFAR10_FAST_TARGET static inline void output(const Vec* m, int step, Vec* out) {
    const Vec a = add(m[step], m[2 * step]), b = sub(m[step], m[2 * step]);
    const Vec c = add(m[3 * step], m[4 * step]), e = sub(m[3 * step], m[4 * step]);
    out[0] = add(m[0], add(a, c));
    out[step] = mulAdd(set(2.0f), e, b);
    out[2 * step] = mulAdd(set(4.0f), c, a);
    out[3 * step] = add(m[5 * step], mulAdd(set(8.0f), e, b));
  }
  CIFAR10_FAST_TARGET static inline void gradient(const Vec* g, int step, Vec* out) {
    const Vec g0 = g[0], g1 = g[step], g2 = g[2 * step], g3 = g[3 * step];
    const Vec a = add(g0, g2), b = add(g1, g3);
    const Vec c = mulAdd(set(4.0f), g2, g0), e = mulAdd(set(8.0f), g3, add(g1, g1));
    out[0] = g0;
    out[step] = add(a, b);
    out[2 * step] = sub(a, b);
    out[3 * step] = add(c, e);
    out[4 * step] = sub(c, e);
    out[5 * step] = g3;
  }
  CIFAR10_FAST_TARGET static inline void kernel(const Vec* k, int step, Vec* out) {
    const Vec sixth = set(-1.0f / 6), a = mul(sixth, add(k[0], k[2 * step])), b = mul(sixth, k[step]);
    const Vec c = mulAdd(set(1.0f / 24), k[0], mul(set(1.0f / 6), k[2 * step])), e = mul(set(1.0f / 12), k[step]);
    out[0] = mul(set(0.25f), k[0]);
    out[step] = add(a, b);
    out[2 * step] = sub(a, b);
    out[3 * step] = add(c, e);
    out[4 * step] = sub(c, e);
    out[5 * step] = k[2 * step];
  }
  CIFAR10_FAST_TARGET static inline void filter(const Vec* s, int step, Vec* out) {
    const Vec a = mul(set(-1.0f / 6), add(s[step], s[2 * step])), b = mul(set(-1.0f / 6), sub(s[step], s[2 * step]));
    const Vec c = add(s[3 * step], s[4 * step]), e = mul(set(1.0f / 12), sub(s[3 * step], s[4 * step]));
    out[0] = add(mulAdd(set(0.25f), s[0], a), mul(set(1.0f / 24), c));
    out[step] = add(b, e);
    out[2 * step] = add(s[5 * step], mulAdd(set(1.0f / 6), c, a));
  }
};

// As many numbers or a few more, an odd number of cache lines: what lies so far apart falls into all sets of the cache. At a
// power of two it falls into few, and what a transform writes to 36 places drives itself out.
inline int64_t oddLines(int64_t numbers) { return ((numbers + 15) / 16 | 1) * 16; }

enum class Direction { kInput, kOutput, kGradient, kKernel, kFilter };

// A transform of both dimensions of a square of From x From vectors into To x To.
template <int M, Direction D, int From, int To>
CIFAR10_FAST_TARGET inline void transformSquare(const Vec* in, Vec* out) {
  Vec half[To * From];
  const auto one = [](const Vec* a, int step, Vec* b) CIFAR10_FAST_TARGET {
    if constexpr (D == Direction::kInput) Transform<M>::input(a, step, b);
    if constexpr (D == Direction::kOutput) Transform<M>::output(a, step, b);
    if constexpr (D == Direction::kGradient) Transform<M>::gradient(a, step, b);
    if constexpr (D == Direction::kKernel) Transform<M>::kernel(a, step, b);
    if constexpr (D == Direction::kFilter) Transform<M>::filter(a, step, b);
  };
  for (int column = 0; column < From; column++) one(in + column, From, half + column);
  // Rows of `half` are From vectors wide, rows of `out` To: so each row through a copy of its own.
  for (int row = 0; row < To; row++) {
    Vec line[To];
    one(half + row * From, 1, line);
    for (int i = 0; i < To; i++) out[row * To + i] = line[i];
  }
}

// Where the tiles of `n` images lie.
template <int M>
struct Tiles {
  Tiles(int64_t n, const Extents& e) : down((e.h + M - 1) / M), across((e.w + M - 1) / M), count(n * down * across) {}
  int64_t down, across, count;
};

// Reads the M+2 x M+2 pixels that a tile of outputs sees; those off the image are zero, `zeros` rows and columns before it.
template <int M>
CIFAR10_FAST_TARGET inline void findPixels(const float* x, const Tiles<M>& tiles, const Extents& s, int64_t channels,
                                           int64_t zeros, int64_t tile, const float* nothing, const float** at) {
  constexpr int A = M + 2;
  const int64_t left = tile % tiles.across * M - zeros;
  const int64_t top = tile / tiles.across % tiles.down * M - zeros;
  const float* image = x + tile / (tiles.across * tiles.down) * s.h * s.w * channels;
  for (int i = 0; i < A; i++) {
    for (int j = 0; j < A; j++) {
      const int64_t row = top + i, column = left + j;
      const bool is_inside = row >= 0 && row < s.h && column >= 0 && column < s.w;
      at[i * A + j] = is_inside ? image + (row * s.w + column) * channels : nothing;
    }
  }
}

// u [N/(NR kWidth)][position][K][NR kWidth], where K are the channels that are summed over. Forward these
// are the kernel's input channels; for the gradient by the input they are its output channels, and it is turned round.
template <int M, int NR>
CIFAR10_FAST_TARGET void transformKernel(const float* k, const ConvShape& s, bool is_turned, int64_t first,
                                         int64_t last, float* u) {
  constexpr int A = M + 2, P = A * A, panel = NR * kWidth;
  const int64_t depth = is_turned ? s.co : s.ci;
  const auto place = [&](int position, int64_t row, int64_t column) {
    return ((column / panel * P + position) * depth + row) * panel + column % panel;
  };
  for (int64_t ci = first; ci < last; ci++) {
    for (int64_t co = 0; co < s.co; co += kWidth) {
      Vec kernel[9], out[P];
      for (int i = 0; i < 9; i++) kernel[is_turned ? 8 - i : i] = load(k + (i * s.ci + ci) * s.co + co);
      transformSquare<M, Direction::kKernel, 3, A>(kernel, out);
      for (int p = 0; p < P; p++) {
        alignas(64) float lane[kWidth];
        store(lane, out[p]);
        for (int i = 0; i < kWidth; i++) u[is_turned ? place(p, co + i, ci) : place(p, ci, co + i)] = lane[i];
      }
    }
  }
}

// m[tile][NR kWidth] = sum over k of v[tile][k] u[k][NR kWidth], for kTiles tiles, `stride` elements apart.
template <int NR>
CIFAR10_FAST_TARGET inline void multiplyTiles(const float* v, int64_t stride, const float* u, int64_t depth, float* m) {
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
template <int M, int NR>
struct Block {
  explicit Block(int64_t depth)
      // Rows of v start in different sets of the cache.
      : stride(depth + 16) {
    // As many tiles as the second-level cache holds, but enough to pay for reading the kernel again.
    const int64_t fitting = (640 << 10) / (P * (stride * sizeof(float) + NR * kWidth * sizeof(float)));
    tiles = std::min<int64_t>(256, std::max<int64_t>({48, depth / 5, fitting})) / kTiles * kTiles;
  }
  static constexpr int P = (M + 2) * (M + 2);
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

// The convolution of tiles [first, last) with a transformed kernel, from `depth` channels to `columns`.
template <int M, int NR>
CIFAR10_FAST_TARGET void convolve(const float* x, const float* u, const Sides& sides, int64_t depth, int64_t columns,
                                  int64_t first, int64_t last, const float* nothing, float* v, float* m, float* y) {
  constexpr int A = M + 2, P = A * A, panel = NR * kWidth;
  const auto& [n, from, s, zeros] = sides;
  const Tiles<M> tiles(n, s);
  const Block<M, NR> size(depth);
  const int64_t block = size.tiles, stride = size.stride;
  for (int64_t start = first; start < last; start += block) {
    const int64_t count = std::min(block, last - start);
    const int64_t padded = (count + kTiles - 1) / kTiles * kTiles;
    for (int64_t t = 0; t < count; t++) {
      const float* at[P];
      findPixels<M>(x, tiles, from, depth, zeros, start + t, nothing, at);
      for (int64_t c = 0; c < depth; c += kWidth) {
        Vec in[P], out[P];
        for (int p = 0; p < P; p++) in[p] = load(at[p] + c);
        transformSquare<M, Direction::kInput, A, A>(in, out);
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
        const int64_t tile = start + t;
        const int64_t left = tile % tiles.across * M;
        const int64_t top = tile / tiles.across % tiles.down * M;
        const int64_t image = tile / (tiles.across * tiles.down);
        const int64_t rows = std::min<int64_t>(M, s.h - top), across = std::min<int64_t>(M, s.w - left);
        for (int j = 0; j < NR; j++) {
          Vec in[P], out[M * M];
          for (int p = 0; p < P; p++) in[p] = load(m + (p * block + t) * panel + j * kWidth);
          transformSquare<M, Direction::kOutput, A, M>(in, out);
          float* to = y + ((image * s.h + top) * s.w + left) * columns + column + j * kWidth;
          for (int64_t r = 0; r < rows; r++) {
            for (int64_t a = 0; a < across; a++) store(to + (r * s.w + a) * columns, out[r * M + a]);
          }
        }
      }
    }
  }
}

template <int M, int NR>
void convolveAll(const float* x, const float* k, const ConvShape& s, bool is_turned, int threads, float* y) {
  constexpr int A = M + 2;
  const int64_t depth = is_turned ? s.co : s.ci;
  const int64_t columns = is_turned ? s.ci : s.co;
  const Extents image{s.h, s.w}, output{s.oh, s.ow};
  const int64_t zeros = s.isPadded() ? 1 : 0;
  const Sides sides{s.n, is_turned ? output : image, is_turned ? image : output, is_turned ? 2 - zeros : zeros};
  const Block<M, NR> block(depth);
  std::vector<size_t> sizes{A * A * s.ci * s.co * sizeof(float), depth * sizeof(float)};
  for (int t = 0; t < threads; t++) {
    sizes.push_back(block.inputBytes());
    sizes.push_back(block.productBytes());
  }
  const Scratch scratch(sizes);
  float* u = scratch.piece<float>(0);
  float* nothing = scratch.piece<float>(1);
  std::memset(nothing, 0, depth * sizeof(float));
  parallel(threads, s.ci, [&](int, int64_t first, int64_t last) {
    transformKernel<M, NR>(k, s, is_turned, first, last, u);
  });
  parallel(threads, Tiles<M>(s.n, sides.to).count, [&](int t, int64_t first, int64_t last) {
    convolve<M, NR>(x, u, sides, depth, columns, first, last, nothing, scratch.piece<float>(2 + 2 * t),
                       scratch.piece<float>(3 + 2 * t), y);
  });
}

void convolveBy(const float* x, const float* k, const ConvShape& s, bool is_turned, int tile, int threads, float* y) {
  const bool is_wide = (is_turned ? s.ci : s.co) % (2 * kWidth) == 0;
  const auto run = tile == 2 ? (is_wide ? convolveAll<2, 2> : convolveAll<2, 1>)
                             : (is_wide ? convolveAll<4, 2> : convolveAll<4, 1>);
  run(x, k, s, is_turned, threads, y);
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
CIFAR10_FAST_TARGET inline void multiplyChannels(const float* a, const float* b, int64_t count, float* sums,
                                                 int64_t stride) {
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
template <int M>
struct Slice {
  explicit Slice(const ConvShape& s) {
    // Enough tiles to pay for reading the sums again, few enough for a position of them to stay in the cache.
    const int64_t bytes = P * (s.ci + s.co) * static_cast<int64_t>(sizeof(float));
    tiles = std::min<int64_t>(1024, std::max<int64_t>(64, (1 << 20) / bytes));
    inputs = oddLines(tiles * s.ci);
    gradients = oddLines(tiles * s.co);
  }
  static constexpr int P = (M + 2) * (M + 2);
  int64_t tiles;
  int64_t inputs, gradients;  // numbers from one position to the next
};

// Adds what tiles [first, last) give to `sums` [position][Ci][Co], by way of
// v [position][Ci/kWidth][tile][kWidth] and g [position][Co/panel][tile][panel].
template <int M, int NR>
CIFAR10_FAST_TARGET void correlate(const float* x, const float* dy, const ConvShape& s, int64_t first, int64_t last,
                                   const float* nothing, float* v, float* g, float* sums) {
  constexpr int A = M + 2, P = A * A, panel = NR * kWidth;
  const Extents image_extents{s.h, s.w};
  const Tiles<M> tiles(s.n, {s.oh, s.ow});
  const Slice<M> slice(s);
  for (int64_t start = first; start < last; start += slice.tiles) {
    const int64_t count = std::min(slice.tiles, last - start);
    for (int64_t t = 0; t < count; t++) {
      const int64_t tile = start + t;
      const float* at[P];
      findPixels<M>(x, tiles, image_extents, s.ci, s.isPadded() ? 1 : 0, tile, nothing, at);
      for (int64_t c = 0; c < s.ci; c += kWidth) {
        Vec in[P], out[P];
        for (int p = 0; p < P; p++) in[p] = load(at[p] + c);
        transformSquare<M, Direction::kInput, A, A>(in, out);
        for (int p = 0; p < P; p++) store(v + p * slice.inputs + (c / kWidth * count + t) * kWidth, out[p]);
      }
      const int64_t left = tile % tiles.across * M;
      const int64_t top = tile / tiles.across % tiles.down * M;
      const float* image = dy + tile / (tiles.across * tiles.down) * s.oh * s.ow * s.co;
      const float* from[M * M];
      for (int i = 0; i < M; i++) {
        for (int j = 0; j < M; j++) {
          const bool is_inside = top + i < s.oh && left + j < s.ow;
          from[i * M + j] = is_inside ? image + ((top + i) * s.ow + left + j) * s.co : nothing;
        }
      }
      for (int64_t c = 0; c < s.co; c += kWidth) {
        Vec in[M * M], out[P];
        for (int i = 0; i < M * M; i++) in[i] = load(from[i] + c);
        transformSquare<M, Direction::kGradient, M, A>(in, out);
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

template <int M>
CIFAR10_FAST_TARGET void transformSums(const float* const* parts, int count, const ConvShape& s, int64_t first,
                                       int64_t last, float* dk) {
  constexpr int A = M + 2, P = A * A;
  for (int64_t ci = first; ci < last; ci++) {
    for (int64_t co = 0; co < s.co; co += kWidth) {
      Vec in[P], out[9];
      for (int p = 0; p < P; p++) {
        const int64_t at = (p * s.ci + ci) * s.co + co;
        in[p] = load(parts[0] + at);
        for (int i = 1; i < count; i++) in[p] = add(in[p], load(parts[i] + at));
      }
      transformSquare<M, Direction::kFilter, A, 3>(in, out);
      for (int i = 0; i < 9; i++) store(dk + (i * s.ci + ci) * s.co + co, out[i]);
    }
  }
}

template <int M, int NR>
void correlateAll(const float* x, const float* dy, const ConvShape& s, int threads, float* dk) {
  constexpr int A = M + 2, P = A * A;
  const size_t size = P * s.ci * s.co;
  const size_t channels = std::max(s.ci, s.co);
  const Slice<M> slice(s);
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
  parallel(threads, Tiles<M>(s.n, {s.oh, s.ow}).count, [&](int t, int64_t first, int64_t last) {
    float* sums = scratch.piece<float>(3 + 3 * t);
    std::memset(sums, 0, size * sizeof(float));
    correlate<M, NR>(x, dy, s, first, last, nothing, scratch.piece<float>(1 + 3 * t), scratch.piece<float>(2 + 3 * t),
                     sums);
  });
  parallel(threads, s.ci, [&](int, int64_t first, int64_t last) {
    transformSums<M>(parts.data(), threads, s, first, last, dk);
  });
}

void backpropFilter(const float* x, const float* dy, const ConvShape& s, int tile, int threads, float* dk) {
  const bool is_wide = s.co % (2 * kWidth) == 0;
  const auto run = tile == 2 ? (is_wide ? correlateAll<2, 2> : correlateAll<2, 1>)
                             : (is_wide ? correlateAll<4, 2> : correlateAll<4, 1>);
  run(x, dy, s, threads, dk);
}

inline constexpr WinogradPasses passes{forward, backpropInput, backpropFilter, kWidth};
