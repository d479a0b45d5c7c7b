// Transforms of Winograd's minimal filtering for kernels of 3, included by winograd-passes.h once per instruction set.
//
// Lavin and Gray, arXiv:1509.09308; the points of a tile of M outputs are the first M + 1 of 0, 1, -1, 2, -2, 1/2, -1/2, and
// infinity. Tiles of 7 have others, see there.

// One-dimensional transforms.
template <int M>
struct Transform;

template <>
struct Transform<2> {
  CIFAR10_FAST_TARGET static inline void input(const Vec* d, Vec* out) {
    out[0] = sub(d[0], d[2]);
    out[1] = add(d[1], d[2]);
    out[2] = sub(d[2], d[1]);
    out[3] = sub(d[1], d[3]);
  }
  // The transpose of `input`.
  CIFAR10_FAST_TARGET static inline void inputGradient(const Vec* v, Vec* out) {
    const Vec v0 = v[0], v1 = v[1], v2 = v[2], v3 = v[3];
    out[0] = v0;
    out[1] = add(sub(v1, v2), v3);
    out[2] = sub(add(v1, v2), v0);
    out[3] = sub(zero(), v3);
  }
  CIFAR10_FAST_TARGET static inline void output(const Vec* m, Vec* out) {
    out[0] = add(add(m[0], m[1]), m[2]);
    out[1] = sub(sub(m[1], m[2]), m[3]);
  }
  // The transpose of `output`.
  CIFAR10_FAST_TARGET static inline void gradient(const Vec* g, Vec* out) {
    out[0] = g[0];
    out[1] = add(g[0], g[1]);
    out[2] = sub(g[0], g[1]);
    out[3] = sub(zero(), g[1]);
  }
  CIFAR10_FAST_TARGET static inline void kernel(const Vec* k, Vec* out) {
    const Vec half = set(0.5f);
    const Vec even = mul(half, add(k[0], k[2]));
    const Vec odd = mul(half, k[1]);
    out[0] = k[0];
    out[1] = add(even, odd);
    out[2] = sub(even, odd);
    out[3] = k[2];
  }
  // The transpose of `kernel`.
  CIFAR10_FAST_TARGET static inline void filter(const Vec* s, Vec* out) {
    const Vec half = set(0.5f);
    const Vec even = mul(half, add(s[1], s[2]));
    out[0] = add(s[0], even);
    out[1] = mul(half, sub(s[1], s[2]));
    out[2] = add(even, s[3]);
  }
};

// Points 0, 1, -1, 2.
template <>
struct Transform<3> {
  CIFAR10_FAST_TARGET static inline void input(const Vec* d, Vec* out) {
    const Vec d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3], d4 = d[4];
    const Vec two = set(2.0f), minus_two = set(-2.0f), minus_three = set(-3.0f);
    const Vec a = sub(d3, d1);
    out[0] = mulAdd(two, sub(d0, d2), a);
    out[1] = mulAdd(minus_two, d1, sub(d3, d2));
    out[2] = mulAdd(two, d1, mulAdd(minus_three, d2, d3));
    out[3] = a;
    out[4] = mulAdd(minus_two, a, sub(d4, d2));
  }
  CIFAR10_FAST_TARGET static inline void inputGradient(const Vec* v, Vec* out) {
    const Vec v0 = v[0], v1 = v[1], v2 = v[2], v3 = v[3], v4 = v[4];
    const Vec two = set(2.0f), minus_two = set(-2.0f), a = add(v0, v3);
    out[0] = mul(two, v0);
    out[1] = mulAdd(two, add(sub(v2, v1), v4), sub(zero(), a));
    out[2] = mulAdd(minus_two, v0, mulAdd(set(-3.0f), v2, sub(sub(zero(), v1), v4)));
    out[3] = mulAdd(minus_two, v4, add(a, add(v1, v2)));
    out[4] = v4;
  }
  CIFAR10_FAST_TARGET static inline void output(const Vec* m, Vec* out) {
    const Vec a = add(m[1], m[2]), b = sub(m[1], m[2]);
    out[0] = add(m[0], add(a, m[3]));
    out[1] = mulAdd(set(2.0f), m[3], b);
    out[2] = add(m[4], mulAdd(set(4.0f), m[3], a));
  }
  CIFAR10_FAST_TARGET static inline void gradient(const Vec* g, Vec* out) {
    const Vec g0 = g[0], g1 = g[1], g2 = g[2];
    const Vec a = add(g0, g2);
    out[0] = g0;
    out[1] = add(a, g1);
    out[2] = sub(a, g1);
    out[3] = mulAdd(set(4.0f), g2, mulAdd(set(2.0f), g1, g0));
    out[4] = g2;
  }
  CIFAR10_FAST_TARGET static inline void kernel(const Vec* k, Vec* out) {
    const Vec sixth = set(1.0f / 6), half = set(0.5f), a = add(k[0], k[2]);
    out[0] = mul(half, k[0]);
    out[1] = mul(set(-0.5f), add(a, k[1]));
    out[2] = mul(sixth, sub(k[1], a));
    out[3] = mul(sixth, mulAdd(set(4.0f), k[2], mulAdd(set(2.0f), k[1], k[0])));
    out[4] = k[2];
  }
  CIFAR10_FAST_TARGET static inline void filter(const Vec* s, Vec* out) {
    const Vec half = set(0.5f), sixth = set(1.0f / 6);
    const Vec a = mul(sixth, s[2]), b = mul(sixth, s[3]), c = mul(half, s[1]);
    out[0] = sub(mulAdd(half, s[0], b), add(a, c));
    out[1] = sub(mulAdd(set(2.0f), b, a), c);
    out[2] = sub(mulAdd(set(4.0f), b, s[4]), add(a, c));
  }
};

// Points 0, 1, -1, 2, -2.
template <>
struct Transform<4> {
  CIFAR10_FAST_TARGET static inline void input(const Vec* d, Vec* out) {
    const Vec d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3], d4 = d[4], d5 = d[5];
    const Vec four = set(4.0f), two = set(2.0f), five = set(-5.0f), minus_four = set(-4.0f);
    const Vec a = mulAdd(minus_four, d2, d4), b = mulAdd(minus_four, d1, d3);
    const Vec c = sub(d4, d2), e = mul(two, sub(d3, d1));
    out[0] = mulAdd(four, d0, mulAdd(five, d2, d4));
    out[1] = add(a, b);
    out[2] = sub(a, b);
    out[3] = add(c, e);
    out[4] = sub(c, e);
    out[5] = mulAdd(four, d1, mulAdd(five, d3, d5));
  }
  CIFAR10_FAST_TARGET static inline void inputGradient(const Vec* v, Vec* out) {
    const Vec v0 = v[0], v5 = v[5];
    const Vec a = add(v[1], v[2]), b = sub(v[1], v[2]);
    const Vec c = add(v[3], v[4]), e = sub(v[3], v[4]);
    const Vec four = set(4.0f), five = set(-5.0f);
    out[0] = mul(four, v0);
    out[1] = mulAdd(four, sub(v5, b), mul(set(-2.0f), e));
    out[2] = mulAdd(five, v0, mulAdd(set(-4.0f), a, sub(zero(), c)));
    out[3] = mulAdd(five, v5, mulAdd(set(2.0f), e, b));
    out[4] = add(v0, add(a, c));
    out[5] = v5;
  }
  CIFAR10_FAST_TARGET static inline void output(const Vec* m, Vec* out) {
    const Vec a = add(m[1], m[2]), b = sub(m[1], m[2]);
    const Vec c = add(m[3], m[4]), e = sub(m[3], m[4]);
    out[0] = add(m[0], add(a, c));
    out[1] = mulAdd(set(2.0f), e, b);
    out[2] = mulAdd(set(4.0f), c, a);
    out[3] = add(m[5], mulAdd(set(8.0f), e, b));
  }
  CIFAR10_FAST_TARGET static inline void gradient(const Vec* g, Vec* out) {
    const Vec g0 = g[0], g1 = g[1], g2 = g[2], g3 = g[3];
    const Vec a = add(g0, g2), b = add(g1, g3);
    const Vec c = mulAdd(set(4.0f), g2, g0), e = mulAdd(set(8.0f), g3, add(g1, g1));
    out[0] = g0;
    out[1] = add(a, b);
    out[2] = sub(a, b);
    out[3] = add(c, e);
    out[4] = sub(c, e);
    out[5] = g3;
  }
  CIFAR10_FAST_TARGET static inline void kernel(const Vec* k, Vec* out) {
    const Vec sixth = set(-1.0f / 6), a = mul(sixth, add(k[0], k[2])), b = mul(sixth, k[1]);
    const Vec c = mulAdd(set(1.0f / 24), k[0], mul(set(1.0f / 6), k[2])), e = mul(set(1.0f / 12), k[1]);
    out[0] = mul(set(0.25f), k[0]);
    out[1] = add(a, b);
    out[2] = sub(a, b);
    out[3] = add(c, e);
    out[4] = sub(c, e);
    out[5] = k[2];
  }
  CIFAR10_FAST_TARGET static inline void filter(const Vec* s, Vec* out) {
    const Vec a = mul(set(-1.0f / 6), add(s[1], s[2])), b = mul(set(-1.0f / 6), sub(s[1], s[2]));
    const Vec c = add(s[3], s[4]), e = mul(set(1.0f / 12), sub(s[3], s[4]));
    out[0] = add(mulAdd(set(0.25f), s[0], a), mul(set(1.0f / 24), c));
    out[1] = add(b, e);
    out[2] = add(s[5], mulAdd(set(1.0f / 6), c, a));
  }
};

// Points 0, 1, -1, 2, -2, 1/2, -1/2.
template <>
struct Transform<6> {
  CIFAR10_FAST_TARGET static inline void input(const Vec* d, Vec* out) {
    const Vec d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3];
    const Vec d4 = d[4], d5 = d[5], d6 = d[6], d7 = d[7];
    const Vec half = set(0.5f), two = set(2.0f), outer = set(5.25f), inner = set(-4.25f);
    const Vec a = mulAdd(inner, d4, add(d2, d6)), b = mulAdd(inner, d3, add(d1, d5));
    const Vec c = mulAdd(set(0.25f), d2, mulAdd(set(-1.25f), d4, d6));
    const Vec e = mulAdd(half, d1, mulAdd(set(-2.5f), d3, mul(two, d5)));
    const Vec f = mulAdd(set(4.0f), d2, mulAdd(set(-5.0f), d4, d6));
    const Vec g = mulAdd(two, d1, mulAdd(set(-2.5f), d3, mul(half, d5)));
    out[0] = mulAdd(outer, sub(d4, d2), sub(d0, d6));
    out[1] = add(a, b);
    out[2] = sub(a, b);
    out[3] = add(c, e);
    out[4] = sub(c, e);
    out[5] = add(f, g);
    out[6] = sub(f, g);
    out[7] = mulAdd(outer, sub(d3, d5), sub(d7, d1));
  }
  CIFAR10_FAST_TARGET static inline void inputGradient(const Vec* v, Vec* out) {
    const Vec v0 = v[0], v7 = v[7];
    const Vec a = add(v[1], v[2]), b = sub(v[1], v[2]);
    const Vec c = add(v[3], v[4]), e = sub(v[3], v[4]);
    const Vec f = add(v[5], v[6]), g = sub(v[5], v[6]);
    const Vec half = set(0.5f), two = set(2.0f), outer = set(5.25f), minus_outer = set(-5.25f), inner = set(-4.25f);
    out[0] = v0;
    out[1] = mulAdd(half, e, mulAdd(two, g, sub(b, v7)));
    out[2] = mulAdd(minus_outer, v0, mulAdd(set(0.25f), c, mulAdd(set(4.0f), f, a)));
    out[3] = mulAdd(outer, v7, mulAdd(inner, b, mul(set(-2.5f), add(e, g))));
    out[4] = mulAdd(outer, v0, mulAdd(inner, a, mulAdd(set(-1.25f), c, mul(set(-5.0f), f))));
    out[5] = mulAdd(minus_outer, v7, mulAdd(two, e, mulAdd(half, g, b)));
    out[6] = sub(add(a, add(c, f)), v0);
    out[7] = v7;
  }
  CIFAR10_FAST_TARGET static inline void output(const Vec* m, Vec* out) {
    const Vec a = add(m[1], m[2]), b = sub(m[1], m[2]);
    const Vec c = add(m[3], m[4]), e = sub(m[3], m[4]);
    const Vec f = add(m[5], m[6]), g = sub(m[5], m[6]);
    out[0] = add(add(m[0], a), add(c, f));
    out[1] = mulAdd(set(2.0f), e, mulAdd(set(0.5f), g, b));
    out[2] = mulAdd(set(4.0f), c, mulAdd(set(0.25f), f, a));
    out[3] = mulAdd(set(8.0f), e, mulAdd(set(0.125f), g, b));
    out[4] = mulAdd(set(16.0f), c, mulAdd(set(0.0625f), f, a));
    out[5] = mulAdd(set(32.0f), e, mulAdd(set(0.03125f), g, add(m[7], b)));
  }
  CIFAR10_FAST_TARGET static inline void gradient(const Vec* g, Vec* out) {
    const Vec g0 = g[0], g1 = g[1], g2 = g[2], g3 = g[3], g4 = g[4], g5 = g[5];
    const Vec a = add(add(g0, g2), g4), b = add(add(g1, g3), g5);
    const Vec c = mulAdd(set(16.0f), g4, mulAdd(set(4.0f), g2, g0));
    const Vec e = mulAdd(set(32.0f), g5, mulAdd(set(8.0f), g3, add(g1, g1)));
    const Vec f = mulAdd(set(0.0625f), g4, mulAdd(set(0.25f), g2, g0));
    const Vec h = mulAdd(set(0.03125f), g5, mulAdd(set(0.125f), g3, mul(set(0.5f), g1)));
    out[0] = g0;
    out[1] = add(a, b);
    out[2] = sub(a, b);
    out[3] = add(c, e);
    out[4] = sub(c, e);
    out[5] = add(f, h);
    out[6] = sub(f, h);
    out[7] = g5;
  }
  CIFAR10_FAST_TARGET static inline void kernel(const Vec* k, Vec* out) {
    const Vec ninth = set(-2.0f / 9), a = mul(ninth, add(k[0], k[2])), b = mul(ninth, k[1]);
    const Vec c = mulAdd(set(1.0f / 90), k[0], mul(set(2.0f / 45), k[2])), e = mul(set(1.0f / 45), k[1]);
    const Vec f = mulAdd(set(32.0f / 45), k[0], mul(set(8.0f / 45), k[2])), g = mul(set(16.0f / 45), k[1]);
    out[0] = k[0];
    out[1] = add(a, b);
    out[2] = sub(a, b);
    out[3] = add(c, e);
    out[4] = sub(c, e);
    out[5] = add(f, g);
    out[6] = sub(f, g);
    out[7] = k[2];
  }
  CIFAR10_FAST_TARGET static inline void filter(const Vec* s, Vec* out) {
    const Vec ninth = set(-2.0f / 9), a = mul(ninth, add(s[1], s[2])), b = mul(ninth, sub(s[1], s[2]));
    const Vec c = add(s[3], s[4]), e = sub(s[3], s[4]);
    const Vec f = add(s[5], s[6]), g = sub(s[5], s[6]);
    out[0] = mulAdd(set(32.0f / 45), f, mulAdd(set(1.0f / 90), c, add(s[0], a)));
    out[1] = mulAdd(set(16.0f / 45), g, mulAdd(set(1.0f / 45), e, b));
    out[2] = mulAdd(set(8.0f / 45), f, mulAdd(set(2.0f / 45), c, add(s[7], a)));
  }
};

// The transform for 7 outputs. Its points are infinity and four pairs: of 4,368 sets of pairs and zero or another
// point, of fractions from 1/4 to 4, these had the smallest error, 2.5 times that of 6 outputs. The points 0, 1, -1, 2, -2, 1/2,
// -1/2 and any other have 15 times as much.
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
