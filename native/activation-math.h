// Activations and their derivatives on vectors; a part of elementwise.cc, read once for each instruction set.

// exp(x) for x <= 88, zero below -103; relative error 1e-7.
CIFAR10_FAST_INLINE Vec exponential(Vec x) {
  // The largest of a number and NaN is the second operand: NaN stays.
  const Vec at = max(set(-110.f), x);
  const Vec n = nearest(mul(at, set(1.44269504f)));
  const Vec r = mulAdd(n, set(2.12194440e-4f), mulAdd(n, set(-0.693359375f), at));
  Vec p = set(1.392617612e-3f);
  p = mulAdd(p, r, set(8.363173075e-3f));
  p = mulAdd(p, r, set(4.166655466e-2f));
  p = mulAdd(p, r, set(1.666657703e-1f));
  p = mulAdd(p, r, set(0.5f));
  p = mulAdd(p, r, set(1.f));
  p = mulAdd(p, r, set(1.f));
  return timesPowerOfTwo(p, n);
}

// The normal distribution: its function at x, and exp(-x^2 / 2).
//
// Beyond a = |x| it leaves t P(t) exp(-a^2 / 2), t = 1 / (1 + 0.24 a), P of degree 7 fitted to the relative error, which
// is 4e-7 up to a = 20.
struct Normal {
  Vec distribution, bell;
};

CIFAR10_FAST_INLINE Normal normal(Vec x) {
  const Vec a = min(set(20.f), absolute(x));
  const Vec bell = exponential(mul(mul(a, a), set(-0.5f)));
  const Vec t = inverse(mulAdd(a, set(0.24f), set(1.f)));
  Vec p = set(-0.05448693685f);
  p = mulAdd(p, t, set(0.1586143185f));
  p = mulAdd(p, t, set(-0.07498740644f));
  p = mulAdd(p, t, set(0.1262079333f));
  p = mulAdd(p, t, set(0.05966933791f));
  p = mulAdd(p, t, set(0.09383709771f));
  p = mulAdd(p, t, set(0.09538418818f));
  p = mulAdd(p, t, set(0.0957613324f));
  const Vec tail = mul(mul(p, t), bell);
  return {choose(greater(zero(), x), tail, sub(set(1.f), tail)), bell};
}

CIFAR10_FAST_INLINE Vec logistic(Vec x) {
  // Above 80 the result would be no normal number.
  const Vec e = exponential(min(set(80.f), sub(zero(), x)));
  return inverse(add(e, set(1.f)));
}

template <Act A>
CIFAR10_FAST_INLINE Vec activated(Vec x, Vec alpha, Vec inverse_alpha) {
  if constexpr (A == Act::kRelu) return max(zero(), x);
  if constexpr (A == Act::kGelu) return mul(x, normal(x).distribution);
  if constexpr (A == Act::kSilu) return mul(x, logistic(x));
  if constexpr (A == Act::kCelu) {
    const Vec e = exponential(min(zero(), mul(x, inverse_alpha)));
    return choose(greater(x, zero()), x, mul(alpha, sub(e, set(1.f))));
  }
  return x;
}

template <Act A>
CIFAR10_FAST_INLINE Vec slope(Vec x, Vec inverse_alpha) {
  if constexpr (A == Act::kRelu) return choose(greater(x, zero()), set(1.f), zero());
  if constexpr (A == Act::kGelu) {
    const Normal found = normal(x);
    return mulAdd(mul(x, set(0.39894228f)), found.bell, found.distribution);
  }
  if constexpr (A == Act::kSilu) {
    const Vec s = logistic(x);
    return mul(s, mulAdd(x, sub(set(1.f), s), set(1.f)));
  }
  if constexpr (A == Act::kCelu) {
    return choose(greater(x, zero()), set(1.f), exponential(min(zero(), mul(x, inverse_alpha))));
  }
  return set(1.f);
}
