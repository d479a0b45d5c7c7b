// Transforms of Winograd's minimal filtering for kernels of 3, included by winograd-passes.h once per instruction set.
//
// Lavin and Gray, arXiv:1509.09308; the points of a tile of M outputs are the first M + 1 of 0, 1, -1, 2, -2, 1/2, -1/2, and
// infinity; those of 7 are in winograd-transform-7.h.

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
