// Activations and their derivatives on vectors; part of elementwise.cc, included once per instruction set.
//
// For float they are accurate to 1e-6. Results that are rounded to bfloat16 afterwards (2^-9) use shorter polynomials,
// accurate to 2e-4 of each result. All coefficients are fitted to the relative error, at Chebyshev points.

template <typename T>
constexpr bool kIsFine = std::is_same_v<T, float>;

// c[0] + c[1] x + c[2] x^2 ...
template <int N>
CIFAR10_FAST_INLINE Vec polynomial(const float (&c)[N], Vec x) {
  Vec sum = set(c[N - 1]);
  for (int i = N - 2; i >= 0; i--) sum = mulAdd(sum, x, set(c[i]));
  return sum;
}

// 2^x for x <= 127; zero below -149. Relative error 5e-9 or 7e-6, plus that of x.
template <typename T>
CIFAR10_FAST_INLINE Vec powerOfTwo(Vec x) {
  constexpr float fine[] = {1.f,           0.693147188f,    0.2402265076f,  0.05550357114f,
                            0.009618082557f, 0.001339086336f, 0.0001545316295f};
  constexpr float coarse[] = {1.f, 0.6931367339f, 0.240225301f, 0.05583828295f, 0.009656710289f};
  const Vec n = nearest(x);
  const Vec rest = sub(x, n);
  return timesPowerOfTwo(kIsFine<T> ? polynomial(fine, rest) : polynomial(coarse, rest), n);
}

// 1 / x for finite x >= 1.
template <typename T>
CIFAR10_FAST_INLINE Vec inverseOf(Vec x) {
  return kIsFine<T> ? inverse(x) : roughInverse(x);
}

// The normal distribution: its CDF at x, and exp(-x^2 / 2).
//
// The tail beyond a = |x| is t P(t) exp(-a^2 / 2), t = 1 / (1 + s a), with a relative error of 4e-7 or 1.1e-4; zero at 17.
struct Normal {
  Vec distribution, bell;
};

template <typename T>
CIFAR10_FAST_INLINE Normal normal(Vec x) {
  constexpr float fine[] = {0.0957613324f, 0.09538418818f,  0.09383709771f, 0.05966933791f,
                            0.1262079333f, -0.07498740644f, 0.1586143185f,  -0.05448693685f};
  constexpr float coarse[] = {0.1595594999f, 0.1607397484f, 0.1197676077f, 0.1450513429f, -0.08516386286f};
  // The minimum of a number and NaN is the second operand, so NaN stays.
  const Vec a = min(set(17.f), absolute(x));
  const Vec bell = powerOfTwo<T>(mul(mul(a, set(-0.72134752f)), a));
  const Vec t = inverseOf<T>(mulAdd(a, set(kIsFine<T> ? 0.24f : 0.4f), set(1.f)));
  const Vec tail = mul(mul(kIsFine<T> ? polynomial(fine, t) : polynomial(coarse, t), t), bell);
  return {choose(greater(zero(), x), tail, sub(set(1.f), tail)), bell};
}

template <typename T>
CIFAR10_FAST_INLINE Vec logistic(Vec x) {
  // Beyond 2^120 the inverse would not be a normal number.
  const Vec e = powerOfTwo<T>(max(set(-150.f), min(set(120.f), mul(x, set(-1.44269504f)))));
  return inverseOf<T>(add(e, set(1.f)));
}

// exp(x / alpha) for x < 0, else 1.
template <typename T>
CIFAR10_FAST_INLINE Vec celuExponential(Vec x, Vec inverse_alpha) {
  const Vec power = mul(min(zero(), mul(x, inverse_alpha)), set(1.44269504f));
  return powerOfTwo<T>(max(set(-150.f), power));
}

template <typename T, Act A>
CIFAR10_FAST_INLINE Vec activated(Vec x, Vec alpha, Vec inverse_alpha) {
  if constexpr (A == Act::kRelu) return max(zero(), x);
  if constexpr (A == Act::kGelu) return mul(x, normal<T>(x).distribution);
  if constexpr (A == Act::kSilu) return mul(x, logistic<T>(x));
  if constexpr (A == Act::kCelu) {
    // A short polynomial would lose the accuracy of exp(x) - 1 near zero.
    const Vec e = celuExponential<float>(x, inverse_alpha);
    return choose(greater(x, zero()), x, mul(alpha, sub(e, set(1.f))));
  }
  return x;
}

template <typename T, Act A>
CIFAR10_FAST_INLINE Vec slope(Vec x, Vec inverse_alpha) {
  if constexpr (A == Act::kRelu) return choose(greater(x, zero()), set(1.f), zero());
  if constexpr (A == Act::kGelu) {
    const Normal found = normal<T>(x);
    return mulAdd(mul(x, set(0.39894228f)), found.bell, found.distribution);
  }
  if constexpr (A == Act::kSilu) {
    const Vec s = logistic<T>(x);
    return mul(s, mulAdd(x, sub(set(1.f), s), set(1.f)));
  }
  if constexpr (A == Act::kCelu) {
    return choose(greater(x, zero()), set(1.f), celuExponential<T>(x, inverse_alpha));
  }
  return set(1.f);
}
