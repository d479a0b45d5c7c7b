// Winograd's transform for tiles of 7 outputs, included by winograd-passes.h once per instruction set.

// The numbers of the transform: functions of the points, which are infinity and four pairs. Of 9,100 sets of fractions from
// 1/4 to 4 (four pairs, or three, zero and another point), these had the smallest error, 2.5 to 3 times that of 6 outputs;
// the points of 6 outputs and any other have 8 times as much and more.
struct Pairs {
  static constexpr int kCount = 4;
  static constexpr double kPoint[kCount] = {0.25, 0.75, 1.25, 2};
  // Coefficients of d0, d2, d4 and d6 of the input for infinity, then for each pair; `odd` are those of d1, d3, d5 and d7.
  double last[kCount], even[kCount][kCount], odd[kCount][kCount];
  double kernel[kCount][3];
  double power[kCount][7];
};

constexpr Pairs makePairs() {
  Pairs p{};
  // The product over the pairs except one; none is left out if `except` is kCount.
  const auto product = [](int except, double* into) {
    into[0] = 1;
    int degree = 0;
    for (int j = 0; j < Pairs::kCount; j++) {
      if (j == except) continue;
      const double square = Pairs::kPoint[j] * Pairs::kPoint[j];
      degree++;
      into[degree] = 0;
      for (int k = degree; k > 0; k--) into[k] = into[k - 1] - square * into[k];
      into[0] *= -square;
    }
  };
  double whole[Pairs::kCount + 1] = {};
  product(Pairs::kCount, whole);
  for (int k = 0; k < Pairs::kCount; k++) p.last[k] = whole[k];
  for (int i = 0; i < Pairs::kCount; i++) {
    const double a = Pairs::kPoint[i];
    double others[Pairs::kCount + 1] = {};
    product(i, others);
    double slope = 2 * a;
    for (int k = 0; k < Pairs::kCount; k++) {
      p.even[i][k] = a * others[k];
      p.odd[i][k] = others[k];
      if (k != i) slope *= a * a - Pairs::kPoint[k] * Pairs::kPoint[k];
    }
    double power = 1;
    for (int k = 0; k < 7; k++, power *= a) {
      p.power[i][k] = power;
      if (k < 3) p.kernel[i][k] = power / slope;
    }
  }
  return p;
}

// A pair of points a, -a is at 2 i and 2 i + 1, infinity at 8.
template <>
struct Transform<7> {
  static constexpr Pairs kPairs = makePairs();
  static constexpr int kCount = Pairs::kCount;
  CIFAR10_FAST_TARGET static inline Vec number(double value) { return set(static_cast<float>(value)); }
  // The sum of every second of eight, times these numbers.
  CIFAR10_FAST_TARGET static inline Vec weigh(const Vec* x, const double* numbers) {
    Vec sum = mul(number(numbers[0]), x[0]);
#pragma GCC unroll 4
    for (int k = 1; k < kCount; k++) sum = mulAdd(number(numbers[k]), x[2 * k], sum);
    return sum;
  }
  CIFAR10_FAST_TARGET static inline void input(const Vec* d, Vec* out) {
#pragma GCC unroll 4
    for (int i = 0; i < kCount; i++) {
      const Vec even = weigh(d, kPairs.even[i]), odd = weigh(d + 1, kPairs.odd[i]);
      out[2 * i] = add(even, odd);
      out[2 * i + 1] = sub(even, odd);
    }
    out[8] = add(weigh(d, kPairs.last), d[8]);
  }
  CIFAR10_FAST_TARGET static inline void inputGradient(const Vec* v, Vec* out) {
    Vec even[kCount], odd[kCount];
    sumPairs(v, even, odd);
    const Vec last = v[8];
#pragma GCC unroll 4
    for (int k = 0; k < kCount; k++) {
      Vec a = mul(number(kPairs.last[k]), last), b = zero();
#pragma GCC unroll 4
      for (int i = 0; i < kCount; i++) {
        a = mulAdd(number(kPairs.even[i][k]), even[i], a);
        b = mulAdd(number(kPairs.odd[i][k]), odd[i], b);
      }
      out[2 * k] = a;
      out[2 * k + 1] = b;
    }
    out[8] = last;
  }
  CIFAR10_FAST_TARGET static inline void output(const Vec* m, Vec* out) {
    Vec even[kCount], odd[kCount];
    sumPairs(m, even, odd);
#pragma GCC unroll 7
    for (int k = 0; k < 7; k++) {
      const Vec* from = k % 2 == 0 ? even : odd;
      Vec sum = k == 6 ? m[8] : zero();
#pragma GCC unroll 4
      for (int i = 0; i < kCount; i++) sum = mulAdd(number(kPairs.power[i][k]), from[i], sum);
      out[k] = sum;
    }
  }
  CIFAR10_FAST_TARGET static inline void gradient(const Vec* g, Vec* out) {
#pragma GCC unroll 4
    for (int i = 0; i < kCount; i++) {
      Vec even = g[0], odd = mul(number(kPairs.power[i][1]), g[1]);
#pragma GCC unroll 6
      for (int k = 2; k < 7; k++) {
        Vec& sum = k % 2 == 0 ? even : odd;
        sum = mulAdd(number(kPairs.power[i][k]), g[k], sum);
      }
      out[2 * i] = add(even, odd);
      out[2 * i + 1] = sub(even, odd);
    }
    out[8] = g[6];
  }
  CIFAR10_FAST_TARGET static inline void kernel(const Vec* k, Vec* out) {
#pragma GCC unroll 4
    for (int i = 0; i < kCount; i++) {
      const Vec even = mulAdd(number(kPairs.kernel[i][2]), k[2], mul(number(kPairs.kernel[i][0]), k[0]));
      const Vec odd = mul(number(kPairs.kernel[i][1]), k[1]);
      out[2 * i] = add(even, odd);
      out[2 * i + 1] = sub(even, odd);
    }
    out[8] = k[2];
  }
  CIFAR10_FAST_TARGET static inline void filter(const Vec* s, Vec* out) {
    Vec even[kCount], odd[kCount];
    sumPairs(s, even, odd);
    Vec sums[3] = {zero(), zero(), s[8]};
#pragma GCC unroll 3
    for (int k = 0; k < 3; k++) {
#pragma GCC unroll 4
      for (int i = 0; i < kCount; i++) {
        sums[k] = mulAdd(number(kPairs.kernel[i][k]), k == 1 ? odd[i] : even[i], sums[k]);
      }
      out[k] = sums[k];
    }
  }

 private:
  // Sums and differences of the values at each pair of points.
  CIFAR10_FAST_TARGET static inline void sumPairs(const Vec* v, Vec* even, Vec* odd) {
#pragma GCC unroll 4
    for (int i = 0; i < kCount; i++) {
      even[i] = add(v[2 * i], v[2 * i + 1]);
      odd[i] = sub(v[2 * i], v[2 * i + 1]);
    }
  }
};
