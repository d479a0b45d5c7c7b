// Winograd's transforms of both dimensions of a tile, included by winograd-passes.h once per instruction set.

enum class Direction { kInput, kInputGradient, kOutput, kGradient, kKernel, kFilter };

// The number of inputs and of outputs of a transform, along an axis of M outputs.
constexpr int sizeBefore(Direction d, int m) {
  return d == Direction::kGradient ? m : d == Direction::kKernel ? 3 : m + 2;
}
constexpr int sizeAfter(Direction d, int m) {
  return d == Direction::kOutput ? m : d == Direction::kFilter ? 3 : m + 2;
}

template <int M, Direction D>
CIFAR10_FAST_TARGET inline void transformAxis(const Vec* in, Vec* out) {
  if constexpr (D == Direction::kInput) Transform<M>::input(in, out);
  if constexpr (D == Direction::kInputGradient) Transform<M>::inputGradient(in, out);
  if constexpr (D == Direction::kOutput) Transform<M>::output(in, out);
  if constexpr (D == Direction::kGradient) Transform<M>::gradient(in, out);
  if constexpr (D == Direction::kKernel) Transform<M>::kernel(in, out);
  if constexpr (D == Direction::kFilter) Transform<M>::filter(in, out);
}

// Transforms `width` columns of a tile, whose elements `from` loads, row by row.
template <int M, Direction D, typename From>
CIFAR10_FAST_TARGET void transformColumns(const From& from, int width, Vec* out) {
  for (int column = 0; column < width; column++) {
    Vec in[sizeBefore(D, M)], made[sizeAfter(D, M)];
    for (int i = 0; i < sizeBefore(D, M); i++) in[i] = from(i * width + column);
    transformAxis<M, D>(in, made);
    for (int i = 0; i < sizeAfter(D, M); i++) out[i * width + column] = made[i];
  }
}

// Transforms `height` rows and stores them with `to`.
template <int M, Direction D, typename To>
CIFAR10_FAST_TARGET void transformRows(const Vec* in, int height, const To& to) {
  for (int row = 0; row < height; row++) {
    Vec made[sizeAfter(D, M)];
    transformAxis<M, D>(in + row * sizeBefore(D, M), made);
    for (int i = 0; i < sizeAfter(D, M); i++) to(row * sizeAfter(D, M) + i, made[i]);
  }
}

// The largest number of elements that a tile has in any form.
constexpr int kMostNumbers = 81;

// Elements of a tile in an array.
struct FromArray {
  const Vec* in;
  CIFAR10_FAST_TARGET Vec operator()(int i) const { return in[i]; }
};
struct ToArray {
  Vec* out;
  CIFAR10_FAST_TARGET void operator()(int i, Vec value) const { out[i] = value; }
};

// Elements of a tile at equal distances in memory.
struct FromStrided {
  const float* first;
  int64_t apart;
  CIFAR10_FAST_TARGET Vec operator()(int i) const { return load(first + i * apart); }
};
struct ToStrided {
  float* first;
  int64_t apart;
  CIFAR10_FAST_TARGET void operator()(int i, Vec value) const { store(first + i * apart, value); }
};

// Elements of a tile in the pixels of an image, from channel c.
struct FromPixels {
  const float* const* at;
  int64_t c;
  CIFAR10_FAST_TARGET Vec operator()(int i) const { return load(at[i] + c); }
};
template <bool is_added>
struct ToPixels {
  float* const* at;
  int64_t c;
  CIFAR10_FAST_TARGET void operator()(int i, Vec value) const {
    float* pixel = at[i] + c;
    store(pixel, is_added ? add(load(pixel), value) : value);
  }
};

// A transform of both dimensions, for tiles of rows x columns outputs, row by row.
template <Direction D, typename From, typename To>
class TileTransform {
 public:
  TileTransform(int rows, int columns)
      : height_(sizeAfter(D, rows)), width_(sizeBefore(D, columns)) {
    withSize(rows, [this](auto size) { columns_ = transformColumns<size, D, From>; });
    withSize(columns, [this](auto size) { rows_ = transformRows<size, D, To>; });
  }
  CIFAR10_FAST_TARGET void operator()(const From& from, const To& to) const {
    Vec half[kMostNumbers];
    columns_(from, width_, half);
    rows_(half, height_, to);
  }

 private:
  int height_, width_;
  void (*columns_)(const From&, int, Vec*);
  void (*rows_)(const Vec*, int, const To&);
};
