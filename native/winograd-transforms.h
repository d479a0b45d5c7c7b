// Transforms of Winograd's minimal filtering by kernels of 3, read by winograd-passes.h once for each instruction set.
//
// Lavin and Gray, arXiv:1509.09308; the points of a tile of M outputs are the first M of 0, 1, -1, 2, -2, and infinity.

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

// Points 0, 1, -1, 2.
template <>
struct Transform<3> {
  CIFAR10_FAST_TARGET static inline void input(const Vec* d, int step, Vec* out) {
    const Vec d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step];
    const Vec two = set(2.0f), minus_two = set(-2.0f), minus_three = set(-3.0f);
    const Vec a = sub(d3, d1);
    out[0] = mulAdd(two, sub(d0, d2), a);
    out[step] = mulAdd(minus_two, d1, sub(d3, d2));
    out[2 * step] = mulAdd(two, d1, mulAdd(minus_three, d2, d3));
    out[3 * step] = a;
    out[4 * step] = mulAdd(minus_two, a, sub(d4, d2));
  }
  CIFAR10_FAST_TARGET static inline void output(const Vec* m, int step, Vec* out) {
    const Vec a = add(m[step], m[2 * step]), b = sub(m[step], m[2 * step]);
    out[0] = add(m[0], add(a, m[3 * step]));
    out[step] = mulAdd(set(2.0f), m[3 * step], b);
    out[2 * step] = add(m[4 * step], mulAdd(set(4.0f), m[3 * step], a));
  }
  CIFAR10_FAST_TARGET static inline void gradient(const Vec* g, int step, Vec* out) {
    const Vec g0 = g[0], g1 = g[step], g2 = g[2 * step];
    const Vec a = add(g0, g2);
    out[0] = g0;
    out[step] = add(a, g1);
    out[2 * step] = sub(a, g1);
    out[3 * step] = mulAdd(set(4.0f), g2, mulAdd(set(2.0f), g1, g0));
    out[4 * step] = g2;
  }
  CIFAR10_FAST_TARGET static inline void kernel(const Vec* k, int step, Vec* out) {
    const Vec sixth = set(1.0f / 6), half = set(0.5f), a = add(k[0], k[2 * step]);
    out[0] = mul(half, k[0]);
    out[step] = mul(set(-0.5f), add(a, k[step]));
    out[2 * step] = mul(sixth, sub(k[step], a));
    out[3 * step] = mul(sixth, mulAdd(set(4.0f), k[2 * step], mulAdd(set(2.0f), k[step], k[0])));
    out[4 * step] = k[2 * step];
  }
  CIFAR10_FAST_TARGET static inline void filter(const Vec* s, int step, Vec* out) {
    const Vec half = set(0.5f), sixth = set(1.0f / 6);
    const Vec a = mul(sixth, s[2 * step]), b = mul(sixth, s[3 * step]), c = mul(half, s[step]);
    out[0] = sub(mulAdd(half, s[0], b), add(a, c));
    out[step] = sub(mulAdd(set(2.0f), b, a), c);
    out[2 * step] = sub(mulAdd(set(4.0f), b, s[4 * step]), add(a, c));
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

enum class Direction { kInput, kOutput, kGradient, kKernel, kFilter };

// How many numbers a transform takes along an axis of M outputs, and gives.
constexpr int sizeBefore(Direction d, int m) {
  return d == Direction::kGradient ? m : d == Direction::kKernel ? 3 : m + 2;
}
constexpr int sizeAfter(Direction d, int m) {
  return d == Direction::kOutput ? m : d == Direction::kFilter ? 3 : m + 2;
}

template <int M, Direction D>
CIFAR10_FAST_TARGET inline void transformAxis(const Vec* in, int step, Vec* out) {
  if constexpr (D == Direction::kInput) Transform<M>::input(in, step, out);
  if constexpr (D == Direction::kOutput) Transform<M>::output(in, step, out);
  if constexpr (D == Direction::kGradient) Transform<M>::gradient(in, step, out);
  if constexpr (D == Direction::kKernel) Transform<M>::kernel(in, step, out);
  if constexpr (D == Direction::kFilter) Transform<M>::filter(in, step, out);
}

// A transform of both dimensions, of a tile of R x C outputs; `in` and `out` row by row.
template <int R, int C, Direction D>
CIFAR10_FAST_TARGET __attribute__((noinline)) void transformTile(const Vec* in, Vec* out) {
  constexpr int width = sizeBefore(D, C), height = sizeAfter(D, R), to = sizeAfter(D, C);
  Vec half[height * width];
  for (int column = 0; column < width; column++) transformAxis<R, D>(in + column, width, half + column);
  // Rows of `half` are `width` vectors wide, rows of `out` `to`: so each row through a copy of its own.
  for (int row = 0; row < height; row++) {
    Vec line[to];
    transformAxis<C, D>(half + row * width, 1, line);
    for (int i = 0; i < to; i++) out[row * to + i] = line[i];
  }
}
