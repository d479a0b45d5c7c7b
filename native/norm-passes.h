// Batch norm of elementwise.h; a part of elementwise.cc, read once for each instruction set.

// What is known of some rows, per channel: their mean as a sum of two floats, and the squared differences from it.
struct ChunkMoments {
  float* base;
  float* offset;
  float* squares;
};

// Of `count` rows, in two loops over what is in the cache: nothing cancels.
template <typename T, int G, bool IsPart>
CIFAR10_FAST_TARGET void momentsOfChunk(const T* x, int64_t count, int64_t channels, int lanes, ChunkMoments chunk,
                                        int64_t at) {
  Vec shift[G], sum[G];
  for (int g = 0; g < G; g++) {
    shift[g] = read<T, IsPart>(x + g * kWidth, lanes);
    sum[g] = zero();
  }
  for (int64_t row = 0; row < count; row++) {
    for (int g = 0; g < G; g++) {
      sum[g] = add(sum[g], sub(read<T, IsPart>(x + row * channels + g * kWidth, lanes), shift[g]));
    }
  }
  const Vec share = set(1.f / static_cast<float>(count));
  for (int g = 0; g < G; g++) {
    const Vec offset = mul(sum[g], share);
    write<float, IsPart>(chunk.base + at + g * kWidth, shift[g], lanes);
    write<float, IsPart>(chunk.offset + at + g * kWidth, offset, lanes);
    shift[g] = add(shift[g], offset);
    sum[g] = zero();
  }
  for (int64_t row = 0; row < count; row++) {
    for (int g = 0; g < G; g++) {
      const Vec d = sub(read<T, IsPart>(x + row * channels + g * kWidth, lanes), shift[g]);
      sum[g] = mulAdd(d, d, sum[g]);
    }
  }
  for (int g = 0; g < G; g++) write<float, IsPart>(chunk.squares + at + g * kWidth, sum[g], lanes);
}

// What weighs the differences of two means: the part of the new rows, and the product of both parts times all rows.
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
  const int64_t c = rows.channels, step = rowsAtOnce<T>(rows, 1);
  std::fill(mean, mean + c, 0.0);
  std::fill(squares, squares + c, 0.0);
  for (int64_t row = first; row < last; row += step) {
    const int64_t count = std::min(step, last - row);
    const T* from = x + row * c;
    int64_t i = 0;
    for (; i + 4 * kWidth <= c; i += 4 * kWidth) momentsOfChunk<T, 4, false>(from + i, count, c, kWidth, chunk, i);
    for (; i < c; i += kWidth) {
      const int lanes = static_cast<int>(std::min<int64_t>(kWidth, c - i));
      const auto run = lanes == kWidth ? momentsOfChunk<T, 1, false> : momentsOfChunk<T, 1, true>;
      run(from + i, count, c, lanes, chunk, i);
    }
    mergeChunk(chunk, MergeShare(count, row - first), c, mean, squares);
  }
}

template <typename T>
void moments(const T* x, Rows rows, int threads, double* mean, double* squares) {
  const int64_t c = rows.channels;
  const Scratch scratch({kParts * 2 * c * sizeof(double), kParts * 3 * c * sizeof(float)});
  double* parts = scratch.piece<double>(0);
  parallel(threadsFor(rows, threads), kParts, [&](int, int64_t first, int64_t last) {
    for (int64_t part = first; part < last; part++) {
      float* chunk = scratch.piece<float>(1) + part * 3 * c;
      momentsOfPart(x, rows, rowsOfPart(rows, part), rowsOfPart(rows, part + 1), {chunk, chunk + c, chunk + 2 * c},
                    parts + part * 2 * c, parts + part * 2 * c + c);
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

// The normalised x of some channels, and what it becomes before the activation.
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

// Sums of g and of g n over `count` rows of some channels from `i`, g the gradient before the activation.
template <typename T, Act A, int G, bool IsPart>
CIFAR10_FAST_TARGET void normSumsOfChunk(const T* dy, const T* x, const NormNumbers& numbers, int64_t i, int64_t count,
                                         int64_t channels, float alpha, int lanes, float* sum_g, float* sum_gn) {
  const Vec inverse_alpha = set(1.f / alpha);
  Vec plain[G], along[G];
  for (int g = 0; g < G; g++) plain[g] = along[g] = zero();
  for (int64_t row = 0; row < count; row++) {
    for (int g = 0; g < G; g++) {
      const int64_t at = row * channels + i + g * kWidth;
      const Normalised found = normalised<T, IsPart>(x + at, numbers, i + g * kWidth, lanes);
      const Vec before = mul(read<T, IsPart>(dy + at, lanes), slope<T, A>(found.z, inverse_alpha));
      plain[g] = add(plain[g], before);
      along[g] = mulAdd(before, found.n, along[g]);
    }
  }
  for (int g = 0; g < G; g++) {
    write<float, IsPart>(sum_g + i + g * kWidth, plain[g], lanes);
    write<float, IsPart>(sum_gn + i + g * kWidth, along[g], lanes);
  }
}

template <typename T, Act A>
void normSumsOfPart(const T* dy, const T* x, const NormNumbers& numbers, Rows rows, float alpha, int64_t first,
                    int64_t last, float* chunk, double* sums) {
  const int64_t c = rows.channels, step = rowsAtOnce<T>(rows, 2);
  std::fill(sums, sums + 2 * c, 0.0);
  for (int64_t row = first; row < last; row += step) {
    const int64_t count = std::min(step, last - row);
    const T *from_dy = dy + row * c, *from_x = x + row * c;
    int64_t i = 0;
    for (; i + kGroup * kWidth <= c; i += kGroup * kWidth) {
      normSumsOfChunk<T, A, kGroup, false>(from_dy, from_x, numbers, i, count, c, alpha, kWidth, chunk, chunk + c);
    }
    for (; i < c; i += kWidth) {
      const int lanes = static_cast<int>(std::min<int64_t>(kWidth, c - i));
      const auto run = lanes == kWidth ? normSumsOfChunk<T, A, 1, false> : normSumsOfChunk<T, A, 1, true>;
      run(from_dy, from_x, numbers, i, count, c, alpha, lanes, chunk, chunk + c);
    }
    for (int64_t k = 0; k < 2 * c; k++) sums[k] += chunk[k];
  }
}

// What the second pass of the gradient reads per channel besides: dx = gain (g - mean_g - n mean_gn).
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
