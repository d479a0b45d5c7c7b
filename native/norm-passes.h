// Batch norm of elementwise.h; part of elementwise.cc, included once per instruction set.

// The moments of some rows, per channel: their mean as a sum of two floats, that sum as one float, and the sum of squared
// differences from it.
struct ChunkMoments {
  float* base;
  float* offset;
  float* centre;
  float* squares;
};

template <typename T, bool IsPart>
CIFAR10_FAST_INLINE void addDifference(const T* x, const float* base, int lanes, float* sum) {
  const Vec d = sub(read<T, IsPart>(x, lanes), read<float, IsPart>(base, lanes));
  write<float, IsPart>(sum, add(read<float, IsPart>(sum, lanes), d), lanes);
}

template <typename T, bool IsPart>
CIFAR10_FAST_INLINE void addSquare(const T* x, const float* centre, int lanes, float* sum) {
  const Vec d = sub(read<T, IsPart>(x, lanes), read<float, IsPart>(centre, lanes));
  write<float, IsPart>(sum, mulAdd(d, d, read<float, IsPart>(sum, lanes)), lanes);
}

// The number of rows that are still in the L2 cache for the second loop.
template <typename T>
int64_t rowsOfMoments(Rows rows) {
  const int64_t row_bytes = rows.channels * static_cast<int64_t>(sizeof(T));
  return std::min<int64_t>(kRowsAtOnce, std::max<int64_t>(16, 262144 / row_bytes));
}

// The moments of `count` rows, in two loops over cached data, without cancellation.
template <typename T>
CIFAR10_FAST_TARGET void momentsOfChunk(const T* x, int64_t count, int64_t channels, ChunkMoments chunk) {
  const int64_t whole = channels / kWidth * kWidth;
  const int lanes = static_cast<int>(channels - whole);
  for (int64_t i = 0; i < channels; i++) chunk.offset[i] = chunk.squares[i] = 0;
  for (int64_t i = 0; i < whole; i += kWidth) store(chunk.base + i, load(x + i));
  if (lanes > 0) storePart(chunk.base + whole, loadPart(x + whole, lanes), lanes);
  for (int64_t row = 0; row < count; row++) {
    const T* from = x + row * channels;
    for (int64_t i = 0; i < whole; i += kWidth) {
      addDifference<T, false>(from + i, chunk.base + i, kWidth, chunk.offset + i);
    }
    if (lanes > 0) addDifference<T, true>(from + whole, chunk.base + whole, lanes, chunk.offset + whole);
  }
  const float share = 1.f / static_cast<float>(count);
  for (int64_t i = 0; i < channels; i++) {
    chunk.offset[i] *= share;
    chunk.centre[i] = chunk.base[i] + chunk.offset[i];
  }
  for (int64_t row = 0; row < count; row++) {
    const T* from = x + row * channels;
    for (int64_t i = 0; i < whole; i += kWidth) {
      addSquare<T, false>(from + i, chunk.centre + i, kWidth, chunk.squares + i);
    }
    if (lanes > 0) addSquare<T, true>(from + whole, chunk.centre + whole, lanes, chunk.squares + whole);
  }
}

// Weights of the difference of two means: the share of the new rows, and the product of both shares times the number of rows.
// Chan, Golub and LeVeque, Updating Formulae and a Pairwise Algorithm for Computing Sample Variances (1979).
struct MergeShare {
  MergeShare(int64_t count, int64_t before)
      : of_new(static_cast<double>(count) / static_cast<double>(before + count)),
        of_both(of_new * static_cast<double>(before)) {}
  double of_new, of_both;
};

CIFAR10_FAST_TARGET void mergeChunk(ChunkMoments chunk, MergeShare share, int64_t channels, double* mean,
                                    double* squares) {
  for (int64_t i = 0; i < channels; i++) {
    const double d = static_cast<double>(chunk.base[i]) + chunk.offset[i] - mean[i];
    mean[i] += d * share.of_new;
    squares[i] += chunk.squares[i] + d * d * share.of_both;
  }
}

CIFAR10_FAST_TARGET void mergePart(const double* more_mean, const double* more_squares, MergeShare share,
                                   int64_t channels, double* mean, double* squares) {
  for (int64_t i = 0; i < channels; i++) {
    const double d = more_mean[i] - mean[i];
    mean[i] += d * share.of_new;
    squares[i] += more_squares[i] + d * d * share.of_both;
  }
}

template <typename T>
void momentsOfPart(const T* x, Rows rows, int64_t first, int64_t last, ChunkMoments chunk, double* mean,
                   double* squares) {
  const int64_t c = rows.channels, step = rowsOfMoments<T>(rows);
  std::fill(mean, mean + c, 0.0);
  std::fill(squares, squares + c, 0.0);
  for (int64_t row = first; row < last; row += step) {
    const int64_t count = std::min(step, last - row);
    momentsOfChunk(x + row * c, count, c, chunk);
    mergeChunk(chunk, MergeShare(count, row - first), c, mean, squares);
  }
}

template <typename T>
void moments(const T* x, Rows rows, int threads, double* mean, double* squares) {
  const int64_t c = rows.channels;
  const Scratch scratch({kParts * 2 * c * sizeof(double), kParts * 4 * c * sizeof(float)});
  double* parts = scratch.piece<double>(0);
  parallel(threadsFor(rows, threads), kParts, [&](int, int64_t first, int64_t last) {
    for (int64_t part = first; part < last; part++) {
      float* chunk = scratch.piece<float>(1) + part * 4 * c;
      momentsOfPart(x, rows, rowsOfPart(rows, part), rowsOfPart(rows, part + 1),
                    {chunk, chunk + c, chunk + 2 * c, chunk + 3 * c}, parts + part * 2 * c, parts + part * 2 * c + c);
    }
  });
  std::fill(mean, mean + c, 0.0);
  std::fill(squares, squares + c, 0.0);
  for (int64_t part = 0; part < kParts; part++) {
    const int64_t before = rowsOfPart(rows, part), count = rowsOfPart(rows, part + 1) - before;
    if (count == 0) continue;
    const double* found = parts + part * 2 * c;
    mergePart(found, found + c, MergeShare(count, before), c, mean, squares);
  }
}

// The normalised x of some channels, and the input of the activation.
struct Normalised {
  Vec n, z;
};

template <typename T, bool IsPart>
CIFAR10_FAST_INLINE Normalised normalised(const T* x, const NormNumbers& numbers, int64_t i, int lanes) {
  const Vec n = mul(sub(read<T, IsPart>(x, lanes), read<float, IsPart>(numbers.mean + i, lanes)),
                    read<float, IsPart>(numbers.reciprocal + i, lanes));
  return {n, mulAdd(n, read<float, IsPart>(numbers.scale + i, lanes), read<float, IsPart>(numbers.bias + i, lanes))};
}

template <typename T, Act A>
CIFAR10_FAST_TARGET void normaliseRows(const T* x, const NormNumbers& numbers, Rows rows, float alpha, int64_t first,
                                       int64_t last, T* y) {
  const Vec a = set(alpha), inverse_alpha = set(1.f / alpha);
  const int64_t c = rows.channels, whole = c / kWidth * kWidth;
  for (int64_t row = first; row < last; row++) {
    const int64_t at = row * c;
    for (int64_t i = 0; i < whole; i += kWidth) {
      const Vec z = normalised<T, false>(x + at + i, numbers, i, kWidth).z;
      store(y + at + i, activated<T, A>(z, a, inverse_alpha));
    }
    if (whole < c) {
      const int lanes = static_cast<int>(c - whole);
      const Vec z = normalised<T, true>(x + at + whole, numbers, whole, lanes).z;
      storePart(y + at + whole, activated<T, A>(z, a, inverse_alpha), lanes);
    }
  }
}

template <typename T>
void normalise(const T* x, NormNumbers numbers, Rows rows, Activation activation, int threads, T* y) {
  forAct(activation.act, [&](auto act) {
    parallel(threadsFor(rows, threads), rows.count, [&](int, int64_t first, int64_t last) {
      normaliseRows<T, act.value>(x, numbers, rows, activation.alpha, first, last, y);
    });
  });
}

// Adds g and g n of some channels to their sums; g is the gradient with respect to the activation's input.
template <typename T, Act A, bool IsPart>
CIFAR10_FAST_INLINE void addNormSums(const T* dy, const T* x, const NormNumbers& numbers, Vec inverse_alpha, int64_t i,
                                     int lanes, float* sum_g, float* sum_gn) {
  const Normalised found = normalised<T, IsPart>(x, numbers, i, lanes);
  const Vec g = mul(read<T, IsPart>(dy, lanes), slope<T, A>(found.z, inverse_alpha));
  write<float, IsPart>(sum_g, add(read<float, IsPart>(sum_g, lanes), g), lanes);
  write<float, IsPart>(sum_gn, mulAdd(g, found.n, read<float, IsPart>(sum_gn, lanes)), lanes);
}

// sums [2,C] += the terms of `count` rows.
template <typename T, Act A>
CIFAR10_FAST_TARGET void normSumsOfChunk(const T* dy, const T* x, NormNumbers numbers, int64_t count, int64_t channels,
                                         float alpha, float* sums) {
  const Vec inverse_alpha = set(1.f / alpha);
  const int64_t whole = channels / kWidth * kWidth;
  const int lanes = static_cast<int>(channels - whole);
  float* along = sums + channels;
  for (int64_t row = 0; row < count; row++, dy += channels, x += channels) {
    for (int64_t i = 0; i < whole; i += kWidth) {
      addNormSums<T, A, false>(dy + i, x + i, numbers, inverse_alpha, i, kWidth, sums + i, along + i);
    }
    if (lanes > 0) {
      addNormSums<T, A, true>(dy + whole, x + whole, numbers, inverse_alpha, whole, lanes, sums + whole, along + whole);
    }
  }
}

template <typename T, Act A>
void normSumsOfPart(const T* dy, const T* x, const NormNumbers& numbers, Rows rows, float alpha, int64_t first,
                    int64_t last, float* chunk, double* sums) {
  const int64_t c = rows.channels;
  std::fill(sums, sums + 2 * c, 0.0);
  for (int64_t row = first; row < last; row += kRowsAtOnce) {
    std::fill(chunk, chunk + 2 * c, 0.f);
    normSumsOfChunk<T, A>(dy + row * c, x + row * c, numbers, std::min(kRowsAtOnce, last - row), c, alpha, chunk);
    addTo(sums, chunk, 2 * c);
  }
}

// Further per-channel inputs of the second pass of the gradient: dx = gain (g - mean_g - n mean_gn).
struct NormMeans {
  const float* gain;
  const float* mean_g;
  const float* mean_gn;
};

template <typename T, Act A, bool IsPart>
CIFAR10_FAST_INLINE void normGradientVector(const T* dy, const T* x, const NormNumbers& numbers, const NormMeans& means,
                                            Vec inverse_alpha, int64_t i, int lanes, T* dx) {
  const Normalised found = normalised<T, IsPart>(x, numbers, i, lanes);
  const Vec g = mul(read<T, IsPart>(dy, lanes), slope<T, A>(found.z, inverse_alpha));
  const Vec centred = sub(sub(g, read<float, IsPart>(means.mean_g + i, lanes)),
                          mul(found.n, read<float, IsPart>(means.mean_gn + i, lanes)));
  write<T, IsPart>(dx, mul(centred, read<float, IsPart>(means.gain + i, lanes)), lanes);
}

template <typename T, Act A>
CIFAR10_FAST_TARGET void normGradientRows(const T* dy, const T* x, const NormNumbers& numbers, const NormMeans& means,
                                          Rows rows, float alpha, int64_t first, int64_t last, T* dx) {
  const Vec inverse_alpha = set(1.f / alpha);
  const int64_t c = rows.channels, whole = c / kWidth * kWidth;
  for (int64_t row = first; row < last; row++) {
    const int64_t at = row * c;
    for (int64_t i = 0; i < whole; i += kWidth) {
      normGradientVector<T, A, false>(dy + at + i, x + at + i, numbers, means, inverse_alpha, i, kWidth, dx + at + i);
    }
    if (whole < c) {
      normGradientVector<T, A, true>(dy + at + whole, x + at + whole, numbers, means, inverse_alpha, whole,
                                     static_cast<int>(c - whole), dx + at + whole);
    }
  }
}

template <typename T>
void normaliseGradient(const T* dy, const T* x, NormNumbers numbers, Rows rows, Activation activation, int threads,
                       T* dx, float* dscale, float* dbias) {
  const int64_t c = rows.channels;
  const int used = threadsFor(rows, threads);
  const Scratch scratch({kParts * 2 * c * sizeof(double), kParts * 2 * c * sizeof(float), 2 * c * sizeof(double),
                         3 * c * sizeof(float)});
  double* sums = scratch.piece<double>(0);
  forAct(activation.act, [&](auto act) {
    parallel(used, kParts, [&](int, int64_t first, int64_t last) {
      for (int64_t part = first; part < last; part++) {
        normSumsOfPart<T, act.value>(dy, x, numbers, rows, activation.alpha, rowsOfPart(rows, part),
                                     rowsOfPart(rows, part + 1), scratch.piece<float>(1) + part * 2 * c,
                                     sums + part * 2 * c);
      }
    });
  });
  double* total = scratch.piece<double>(2);
  addParts(sums, 2 * c, total);
  float* gain = scratch.piece<float>(3);
  const NormMeans means{gain, gain + c, gain + 2 * c};
  for (int64_t i = 0; i < c; i++) {
    dbias[i] = static_cast<float>(total[i]);
    dscale[i] = static_cast<float>(total[c + i]);
    gain[i] = numbers.scale[i] * numbers.reciprocal[i];
    gain[c + i] = static_cast<float>(total[i] / static_cast<double>(rows.count));
    gain[2 * c + i] = static_cast<float>(total[c + i] / static_cast<double>(rows.count));
  }
  forAct(activation.act, [&](auto act) {
    parallel(used, rows.count, [&](int, int64_t first, int64_t last) {
      normGradientRows<T, act.value>(dy, x, numbers, means, rows, activation.alpha, first, last, dx);
    });
  });
}
