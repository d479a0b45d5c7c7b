// The passes of elementwise.h; part of elementwise.cc, included once per instruction set, in a namespace of its own that
// defines:
//
//   CIFAR10_FAST_TARGET, CIFAR10_FAST_INLINE   attributes that let a function use the instructions
//   Vec, kWidth                                a vector of floats and how many it holds
//   zero, set, add, sub, mul, mulAdd, min, max, absolute, nearest, inverse, roughInverse, timesPowerOfTwo
//   greater, isNan, either, choose
//   load, store (of T), loadPart, storePart (of the first lanes only)
//   Place, firstPlace, choosePlace, storePlace, isPlace                an element's position in its window, a byte

// Reads a vector of T; at the end of a row possibly only its first lanes.
template <typename T, bool IsPart>
CIFAR10_FAST_INLINE Vec read(const T* at, int lanes) {
  if constexpr (IsPart) return loadPart(at, lanes);
  return load(at);
}

template <typename T, bool IsPart>
CIFAR10_FAST_INLINE void write(T* at, Vec value, int lanes) {
  if constexpr (IsPart) {
    storePart(at, value, lanes);
  } else {
    store(at, value);
  }
}

// Parts of the rows, each summed by one thread. Their number is fixed, so that sums do not depend on the threads.
constexpr int64_t kParts = 64;

inline int64_t rowsOfPart(Rows rows, int64_t part) { return rows.count * part / kParts; }

// Rows summed in single precision at a time, with the sums of all channels in the L1 cache: memory is then read
// sequentially, which the processor prefetches.
constexpr int64_t kRowsAtOnce = 256;

// For few elements, a thread costs more than it saves.
inline int threadsFor(Rows rows, int threads) { return rows.count * rows.channels < (1 << 16) ? 1 : threads; }

template <typename T, Act A, bool IsPart>
CIFAR10_FAST_INLINE void activateVector(const T* x, const float* bias, Vec alpha, Vec inverse_alpha, int lanes, T* y) {
  const Vec z = add(read<T, IsPart>(x, lanes), read<float, IsPart>(bias, lanes));
  write<T, IsPart>(y, activated<T, A>(z, alpha, inverse_alpha), lanes);
}

template <typename T, Act A>
CIFAR10_FAST_TARGET void activateRows(const T* x, const float* bias, Rows rows, float alpha, int64_t first,
                                      int64_t last, T* y) {
  const Vec a = set(alpha), inverse_alpha = set(1.f / alpha);
  const int64_t c = rows.channels, whole = c / kWidth * kWidth;
  for (int64_t row = first; row < last; row++) {
    const T* from = x + row * c;
    T* to = y + row * c;
    for (int64_t i = 0; i < whole; i += kWidth) {
      activateVector<T, A, false>(from + i, bias + i, a, inverse_alpha, kWidth, to + i);
    }
    if (whole < c) {
      activateVector<T, A, true>(from + whole, bias + whole, a, inverse_alpha, static_cast<int>(c - whole), to + whole);
    }
  }
}

template <typename T, Act A, bool IsPart>
CIFAR10_FAST_INLINE Vec throughActivation(const T* dy, const T* x, const float* bias, Vec inverse_alpha, int lanes) {
  const Vec z = add(read<T, IsPart>(x, lanes), read<float, IsPart>(bias, lanes));
  return mul(read<T, IsPart>(dy, lanes), slope<T, A>(z, inverse_alpha));
}

// dx of `count` rows, and sums [C] += dx, before it is rounded to T.
template <typename T, Act A>
CIFAR10_FAST_TARGET void gradientChunk(const T* dy, const T* x, const float* bias, int64_t count, int64_t channels,
                                       float alpha, T* dx, float* sums) {
  const Vec inverse_alpha = set(1.f / alpha);
  const int64_t whole = channels / kWidth * kWidth;
  const int lanes = static_cast<int>(channels - whole);
  for (int64_t row = 0; row < count; row++, dy += channels, x += channels, dx += channels) {
    for (int64_t i = 0; i < whole; i += kWidth) {
      const Vec more = throughActivation<T, A, false>(dy + i, x + i, bias + i, inverse_alpha, kWidth);
      store(dx + i, more);
      store(sums + i, add(load(sums + i), more));
    }
    if (lanes > 0) {
      const Vec more = throughActivation<T, A, true>(dy + whole, x + whole, bias + whole, inverse_alpha, lanes);
      storePart(dx + whole, more, lanes);
      storePart(sums + whole, add(loadPart(sums + whole, lanes), more), lanes);
    }
  }
}

CIFAR10_FAST_TARGET inline void addTo(double* sums, const float* more, int64_t length) {
  for (int64_t i = 0; i < length; i++) sums[i] += more[i];
}

template <typename T, Act A>
void gradientPart(const T* dy, const T* x, const float* bias, Rows rows, float alpha, int64_t first, int64_t last,
                  T* dx, float* chunk, double* sums) {
  const int64_t c = rows.channels;
  std::fill(sums, sums + c, 0.0);
  for (int64_t row = first; row < last; row += kRowsAtOnce) {
    const int64_t at = row * c;
    std::fill(chunk, chunk + c, 0.f);
    gradientChunk<T, A>(dy + at, x + at, bias, std::min(kRowsAtOnce, last - row), c, alpha, dx + at, chunk);
    addTo(sums, chunk, c);
  }
}

// Adds up the sums of the parts, in order.
inline void addParts(const double* parts, int64_t length, double* total) {
  std::copy(parts, parts + length, total);
  for (int64_t part = 1; part < kParts; part++) {
    for (int64_t i = 0; i < length; i++) total[i] += parts[part * length + i];
  }
}

// Calls a function that is compiled for each activation.
template <typename Call>
void forAct(Act act, const Call& call) {
  switch (act) {
    case Act::kNone:
      return call(std::integral_constant<Act, Act::kNone>());
    case Act::kRelu:
      return call(std::integral_constant<Act, Act::kRelu>());
    case Act::kGelu:
      return call(std::integral_constant<Act, Act::kGelu>());
    case Act::kSilu:
      return call(std::integral_constant<Act, Act::kSilu>());
    case Act::kCelu:
      return call(std::integral_constant<Act, Act::kCelu>());
  }
}

template <typename T>
void activate(const T* x, const float* bias, Rows rows, Activation activation, int threads, T* y) {
  forAct(activation.act, [&](auto act) {
    parallel(threadsFor(rows, threads), rows.count, [&](int, int64_t first, int64_t last) {
      activateRows<T, act.value>(x, bias, rows, activation.alpha, first, last, y);
    });
  });
}

template <typename T>
void activateGradient(const T* dy, const T* x, const float* bias, Rows rows, Activation activation, int threads,
                      T* dx, float* dbias) {
  const int64_t c = rows.channels;
  const Scratch scratch({kParts * c * sizeof(double), kParts * c * sizeof(float), c * sizeof(double)});
  double* sums = scratch.piece<double>(0);
  forAct(activation.act, [&](auto act) {
    parallel(threadsFor(rows, threads), kParts, [&](int, int64_t first, int64_t last) {
      for (int64_t part = first; part < last; part++) {
        gradientPart<T, act.value>(dy, x, bias, rows, activation.alpha, rowsOfPart(rows, part),
                                   rowsOfPart(rows, part + 1), dx, scratch.piece<float>(1) + part * c,
                                   sums + part * c);
      }
    });
  });
  double* total = scratch.piece<double>(2);
  addParts(sums, c, total);
  for (int64_t i = 0; i < c; i++) dbias[i] = static_cast<float>(total[i]);
}
