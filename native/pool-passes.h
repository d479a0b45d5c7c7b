// Max pooling of elementwise.h; part of elementwise.cc, included once per instruction set.

// The maximum of a window, for some channels; the rows of x are `row` elements apart. `Size` 0 is any size.
template <typename T, int Size, bool IsPart>
CIFAR10_FAST_INLINE void poolVector(const T* x, int64_t row, int64_t channels, int size, int lanes, T* y,
                                    uint8_t* place) {
  const int side = Size == 0 ? size : Size;
  Vec best = read<T, IsPart>(x, lanes);
  Place at = firstPlace();
  for (int i = 0; i < side; i++) {
    for (int j = i == 0 ? 1 : 0; j < side; j++) {
      const Vec value = read<T, IsPart>(x + i * row + j * channels, lanes);
      const Mask is_larger = either(greater(value, best), isNan(value));
      best = choose(is_larger, value, best);
      at = choosePlace(is_larger, i * side + j, at);
    }
  }
  write<T, IsPart>(y, best, lanes);
  storePlace(place, at, IsPart ? lanes : kWidth);
}

// Prefetches what is read some windows later: the processor does not predict the order of the reads.
template <typename T>
void fetchAhead(const T* at, int64_t length) {
  constexpr int64_t kAhead = 3072, kLine = 64;
  const char* first = reinterpret_cast<const char*>(at) + kAhead;
  for (int64_t i = 0; i < length * static_cast<int64_t>(sizeof(T)); i += kLine) __builtin_prefetch(first + i);
}

// Rows [first, last) of windows. The shape is passed by value, so that stored bytes cannot alias it.
template <typename T, int Size>
CIFAR10_FAST_TARGET void poolRows(const T* x, PoolShape s, int64_t first, int64_t last, T* y, uint8_t* place) {
  const int64_t size = Size == 0 ? s.size : Size;
  const int64_t rows = s.h / size, columns = s.w / size, whole = s.c / kWidth * kWidth, row_length = s.w * s.c;
  for (int64_t row = first; row < last; row++) {
    const T* from = x + ((row / rows) * s.h + (row % rows) * size) * row_length;
    for (int64_t column = 0; column < columns; column++) {
      const T* window = from + column * size * s.c;
      for (int64_t i = 0; i < size; i++) fetchAhead(window + i * row_length, size * s.c);
      const int64_t to = (row * columns + column) * s.c;
      for (int64_t i = 0; i < whole; i += kWidth) {
        poolVector<T, Size, false>(window + i, row_length, s.c, static_cast<int>(size), kWidth, y + to + i,
                                   place + to + i);
      }
      if (whole < s.c) {
        poolVector<T, Size, true>(window + whole, row_length, s.c, static_cast<int>(size),
                                  static_cast<int>(s.c - whole), y + to + whole, place + to + whole);
      }
    }
  }
}

inline int threadsForPool(const PoolShape& s, int threads) { return threadsFor({s.n * s.h * s.w, s.c}, threads); }

template <typename T>
void pool(const T* x, PoolShape s, int threads, T* y, uint8_t* place) {
  const auto run = s.size == 2 ? poolRows<T, 2> : poolRows<T, 0>;
  parallel(threadsForPool(s, threads), s.n * (s.h / s.size), [&](int, int64_t first, int64_t last) {
    run(x, s, first, last, y, place);
  });
}

template <typename T, bool IsPart>
CIFAR10_FAST_INLINE void poolGradientVector(const T* dy, const uint8_t* place, int here, int lanes, T* dx) {
  const Vec value = read<T, IsPart>(dy, lanes);
  write<T, IsPart>(dx, choose(isPlace(place, here, IsPart ? lanes : kWidth), value, zero()), lanes);
}

// Rows [first, last) of all images of dx.
template <typename T, int Size>
CIFAR10_FAST_TARGET void poolGradientRows(const T* dy, const uint8_t* place, PoolShape s, int64_t first, int64_t last,
                                          T* dx) {
  const int64_t size = Size == 0 ? s.size : Size;
  const int64_t rows = s.h / size, columns = s.w / size, whole = s.c / kWidth * kWidth;
  for (int64_t row = first; row < last; row++) {
    const int64_t image = row / s.h, i = row % s.h;
    T* to = dx + row * s.w * s.c;
    if (i / size >= rows) {
      std::fill(to, to + s.w * s.c, T(0));
      continue;
    }
    for (int64_t j = 0; j < columns * size; j++, to += s.c) {
      const int64_t from = ((image * rows + i / size) * columns + j / size) * s.c;
      const int here = static_cast<int>((i % size) * size + j % size);
      for (int64_t c = 0; c < whole; c += kWidth) {
        poolGradientVector<T, false>(dy + from + c, place + from + c, here, kWidth, to + c);
      }
      if (whole < s.c) {
        const int lanes = static_cast<int>(s.c - whole);
        poolGradientVector<T, true>(dy + from + whole, place + from + whole, here, lanes, to + whole);
      }
    }
    std::fill(to, to + (s.w - columns * size) * s.c, T(0));
  }
}

template <typename T>
void poolGradient(const T* dy, const uint8_t* place, PoolShape s, int threads, T* dx) {
  const auto run = s.size == 2 ? poolGradientRows<T, 2> : poolGradientRows<T, 0>;
  parallel(threadsForPool(s, threads), s.n * s.h, [&](int, int64_t first, int64_t last) {
    run(dy, place, s, first, last, dx);
  });
}

template <typename T>
inline constexpr ElementwisePasses<T> passes{activate<T>,          activateGradient<T>, moments<T>,     normalise<T>,
                                             normaliseGradient<T>, pool<T>,             poolGradient<T>};
