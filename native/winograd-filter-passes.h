// The kernel gradient, included by winograd-passes.h once per instruction set.

// sums [kRows][stride] += a^T b over `count` tiles. These are summed separately and added as one number: a running sum over
// all tiles of a batch has 16 times the error of the direct convolution.
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

// The tiles that a thread sums over at a time.
struct Slice {
  Slice(int positions, const ConvShape& s) {
    // Enough tiles to amortise reading the sums again, few enough for one position of them to stay in the cache.
    const int64_t bytes = positions * (s.ci + s.co) * static_cast<int64_t>(sizeof(float));
    tiles = std::min<int64_t>(1024, std::max<int64_t>(64, (1 << 20) / bytes));
    inputs = oddLines(tiles * s.ci);
    gradients = oddLines(tiles * s.co);
  }
  int64_t tiles;
  int64_t inputs, gradients;  // numbers from one position to the next
};

// Adds the contribution of tiles [first, last) of a region to `sums` [position][Ci][Co], through
// v [position][Ci/kWidth][tile][kWidth] and g [position][Co/panel][tile][panel].
template <int NR>
CIFAR10_FAST_TARGET void correlate(const float* x, const float* dy, const WinogradRegion& region, const ConvShape& s,
                                   int64_t first, int64_t last, const float* nothing, float* v, float* g, float* sums) {
  constexpr int panel = NR * kWidth;
  const int positions = region.products(), rows = region.rows, columns = region.columns;
  const int64_t zeros = s.isPadded() ? 1 : 0;
  const TileTransform<Direction::kInput, FromPixels, ToStrided> inputTransform(rows, columns);
  const TileTransform<Direction::kGradient, FromPixels, ToStrided> gradientTransform(rows, columns);
  const Slice slice(positions, s);
  for (int64_t start = first; start < last; start += slice.tiles) {
    const int64_t count = std::min(slice.tiles, last - start);
    for (int64_t t = 0; t < count; t++) {
      const auto [image, top, left] = region.at(start + t);
      const float* at[kMostNumbers];
      findPixels(x + image * s.h * s.w * s.ci, {s.h, s.w}, s.ci, {top - zeros, left - zeros, rows + 2, columns + 2},
                 nothing, at);
      for (int64_t c = 0; c < s.ci; c += kWidth) {
        inputTransform({at, c}, {v + (c / kWidth * count + t) * kWidth, slice.inputs});
      }
      findPixels(dy + image * s.oh * s.ow * s.co, {s.oh, s.ow}, s.co, {top, left, rows, columns}, nothing, at);
      for (int64_t c = 0; c < s.co; c += kWidth) {
        gradientTransform({at, c}, {g + (c / panel * count + t) * panel + c % panel, slice.gradients});
      }
    }
    for (int p = 0; p < positions; p++) {
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

// Sets dk, or adds to the result of other regions.
CIFAR10_FAST_TARGET void transformSums(const float* const* parts, int count, const WinogradRegion& region,
                                       const ConvShape& s, bool is_first, int64_t first, int64_t last, float* dk) {
  const TileTransform<Direction::kFilter, FromArray, ToArray> filterTransform(region.rows, region.columns);
  const int positions = region.products();
  for (int64_t ci = first; ci < last; ci++) {
    for (int64_t co = 0; co < s.co; co += kWidth) {
      Vec in[kMostNumbers], out[9];
      for (int p = 0; p < positions; p++) {
        const int64_t at = (p * s.ci + ci) * s.co + co;
        in[p] = load(parts[0] + at);
        for (int i = 1; i < count; i++) in[p] = add(in[p], load(parts[i] + at));
      }
      filterTransform({in}, {out});
      for (int i = 0; i < 9; i++) {
        float* to = dk + (i * s.ci + ci) * s.co + co;
        store(to, is_first ? out[i] : add(load(to), out[i]));
      }
    }
  }
}

template <int NR>
void correlateRegion(const float* x, const float* dy, const WinogradRegion& region, const ConvShape& s, bool is_first,
                     int threads, float* dk) {
  const size_t positions = region.products(), size = positions * s.ci * s.co;
  const size_t channels = std::max(s.ci, s.co);
  const Slice slice(region.products(), s);
  std::vector<size_t> sizes{channels * sizeof(float)};
  for (int t = 0; t < threads; t++) {
    sizes.push_back(positions * slice.inputs * sizeof(float));
    sizes.push_back(positions * slice.gradients * sizeof(float));
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
    correlate<NR>(x, dy, region, s, first, last, nothing, scratch.piece<float>(1 + 3 * t),
                        scratch.piece<float>(2 + 3 * t), sums);
  });
  parallel(threads, s.ci, [&](int, int64_t first, int64_t last) {
    transformSums(parts.data(), threads, region, s, is_first, first, last, dk);
  });
}

void backpropFilter(const float* x, const float* dy, const ConvShape& s, int tile, int threads, float* dk) {
  const bool is_wide = s.co % (2 * kWidth) == 0;
  const auto run = is_wide ? correlateRegion<2> : correlateRegion<1>;
  bool is_first = true;
  for (const auto& region : winogradRegions({s.oh, s.ow}, tile)) {
    run(x, dy, region, s, is_first, threads, dk);
    is_first = false;
  }
}
