// Elementary functions in lanes.
//
// float: range reduction x = n ln2 + r with |r| <= ln2/2 (Cody & Waite 1980), then a polynomial in r whose
// coefficients minimise the largest relative error on that interval (Lawson's weighted least
// squares, as in scripts/fit_tables.py). NaN stays NaN, nothing traps.
// double: the C library, a lane at a time; double precision is for reference, not for speed.
#pragma once

#include <limits>

#include "tables.hpp"
#include "vector.hpp"

namespace whyfit {
namespace WHYFIT_TARGET {

// Whether a * b + c is one instruction. Where it is not, a product that falls below the smallest normal
// number is flushed to zero before the sum, and sums are written so that this does no harm.
#if defined(__FMA__) || defined(__aarch64__)
constexpr bool kFused = true;
#else
constexpr bool kFused = false;
#endif

// x times the scale, which it may have already, rounded to a whole n, as a float and as the float 2^n. Adding
// 1.5 * 2^23 + 127 leaves n + 127 in the low bits of the sum, where a shift moves it into the exponent field; n must
// lie in [-126, 127].
struct Exponent {
  Vector<float> n;
  Vector<float> power;
};

template <bool kScaled = false>
[[gnu::always_inline]] inline Exponent split_exponent(Vector<float> x, float scale = 1.44269504088896341f) {
  constexpr float kShift = 12582912.0f + 127.0f;
  const Vector<float> shifted = (kScaled ? x : x * scale) + kShift;
  return {shifted - kShift, as<Vector<float>>(as<Mask<float>>(shifted) << 23)};
}

// expm1(r) = r + r^2 q(r) for |r| <= ln2/2; largest relative error 1.3e-8.
[[gnu::always_inline]] inline Vector<float> expm1_of_rest(Vector<float> r) {
  Vector<float> q = r * 0.0013882521f + 0.0083665205f;
  q = q * r + 0.0416672f;
  q = q * r + 0.16666543f;
  q = q * r + 0.49999997f;
  return (r * r) * q + r;
}

// r = x - n ln2; n times the high part of ln2 is exact for |n| < 2^9.
[[gnu::always_inline]] inline Vector<float> rest_of(Vector<float> x, Vector<float> n) {
  Vector<float> r = x - n * 0.693359375f;
  return r - n * -2.12194440e-4f;
}

// e^x for every float. 2^n is applied in two halves, because n itself can leave the exponent field
// at both ends, where float has only 0 and infinity.
[[gnu::always_inline]] inline Vector<float> exponential(Vector<float> x) {
  Vector<float> clamped = maximum(broadcast<float>(-104.0f), minimum(broadcast<float>(89.0f), x));
  Vector<float> n = round_to_nearest<float>(clamped * 1.44269504088896341f);
  Vector<float> half = round_to_nearest<float>(n * 0.5f);
  Vector<float> grown = expm1_of_rest(rest_of(clamped, n)) + 1.0f;
  Mask<float> first = (__builtin_convertvector(half, Mask<float>) + 127) << 23;
  Mask<float> second = (__builtin_convertvector(n - half, Mask<float>) + 127) << 23;
  return grown * as<Vector<float>>(first) *
         as<Vector<float>>(second);
}

// expm1(x) for x <= 0: 2^n (expm1(r) + 1) - 1 without the cancellation near 0.
[[gnu::always_inline]] inline Vector<float> expm1_of_negative(Vector<float> x) {
  // Below -20 expm1 is -1 in float; n then stays small enough for ln2 in one piece.
  Vector<float> clamped = maximum(broadcast<float>(-20.0f), x);
  Exponent exponent = split_exponent(clamped);
  Vector<float> rest = expm1_of_rest(clamped - exponent.n * 0.693147182f);
  return exponent.power * rest + (exponent.power - 1.0f);
}

#if !defined(WHYFIT_TABLES)
// What the weights of a unit may be multiplied with beforehand (kScaled): n is then the sum's nearest whole number and
// the rest what is left of it, without a multiplication. That adds no more to a sum's error than its
// own rounding does.
constexpr float kTangentScale = 2 * 1.44269504088896341f, kLogisticScale = -1.44269504088896341f;

// tanh x = h / (h + 1) with h = expm1(2x) / 2, which is 2^n (s + 2 s^2 q(2s)) + (2^n - 1) / 2 for the
// rest s = x - n ln2 / 2. Beyond 10 tanh is 1 in float; n then stays small enough for ln2 in one piece.
template <bool kScaled = false>
[[gnu::always_inline]] inline Vector<float> hyperbolic_tangent(Vector<float> x) {
  constexpr float kMost = kScaled ? 10 * kTangentScale : 10.0f;
  constexpr float kHalf = 0.346573591f, u = kScaled ? kHalf : 1.0f;  // the unit of the rest
  const Vector<float> clamped = maximum(broadcast<float>(-kMost), minimum(broadcast<float>(kMost), x));
  const Exponent exponent = split_exponent<kScaled>(clamped, kTangentScale);
  const Vector<float> s = kScaled ? clamped - exponent.n : clamped - exponent.n * kHalf;
  Vector<float> q = s * (32.0f * 0.0013882521f * u * u * u * u * u * u) + 16.0f * 0.0083665205f * u * u * u * u * u;
  q = q * s + 8.0f * 0.0416672f * u * u * u * u;
  q = q * s + 4.0f * 0.16666543f * u * u * u;
  q = q * s + 2.0f * 0.49999997f * u * u;
  const Vector<float> rest = kScaled ? (q * s + u) * s : (s * s) * q + s;
  const Vector<float> half = exponent.power * rest + (exponent.power * 0.5f - 0.5f);
  return quotient(half, half + 1.0f);
}

// 1 / (1 + e^-x), with e^-x = 2^n e^-s for the rest s = x + n ln2. The clamps keep 2^n and the sum
// normal numbers; sigmoid(-87) is 1.6e-38. e^-s is a polynomial of relative error 9.2e-8.
template <bool kScaled = false>
[[gnu::always_inline]] inline Vector<float> logistic(Vector<float> x) {
  constexpr float kMost = kScaled ? -87 * kLogisticScale : 87.0f;
  constexpr float u = kScaled ? -0.693147182f : 1.0f;  // the unit of the rest
  const Vector<float> clamped = maximum(broadcast<float>(-kMost), minimum(broadcast<float>(kMost), x));
  const Exponent exponent = split_exponent<kScaled>(clamped, kLogisticScale);
  Vector<float> s = kScaled ? clamped - exponent.n : clamped + exponent.n * 0.693359375f;
  if constexpr (!kScaled) s = s + exponent.n * -2.12194440e-4f;
  Vector<float> p = s * (-0.0082903057f * u * u * u * u * u) + 0.041897975f * u * u * u * u;
  p = p * s - 0.16667637f * u * u * u;
  p = p * s + 0.49999151f * u * u;
  p = p * s - 0.9999997f * u;
  p = p * s + 1.0f;
  return quotient(broadcast<float>(1.0f), exponent.power * p + 1.0f);
}

template <bool kScaled = false, int N>
inline void hyperbolic_tangents(Vector<float> (&x)[N]) {
  #pragma GCC unroll 8
  for (int n = 0; n < N; ++n) x[n] = hyperbolic_tangent<kScaled>(x[n]);
}
template <bool kScaled = false, int N>
inline void logistics(Vector<float> (&x)[N]) {
  #pragma GCC unroll 8
  for (int n = 0; n < N; ++n) x[n] = logistic<kScaled>(x[n]);
}
#endif

template <class Real, class Function>
[[gnu::noinline]] Vector<Real> lane_by_lane(Vector<Real> x, Function function) {
  for (int lane = 0; lane < Lanes<Real>::count; ++lane) x[lane] = Real(function(double(x[lane])));
  return x;
}

template <class Real>
inline bool any(Mask<Real> mask) {
  bool found = false;
  for (int lane = 0; lane < Lanes<Real>::count; ++lane) found |= mask[lane] != 0;
  return found;
}

// ln x for every float: x = 2^n m with m in [sqrt(1/2), sqrt(2)), and ln m = t - t^2/2 + t^3 p(t) for
// t = m - 1, with the coefficients of Moshier's Cephes library (logf.c). Denormals count as 0.
inline Vector<float> logarithm(Vector<float> x) {
  Mask<float> bits = as<Mask<float>>(x);
  Mask<float> fraction = (bits & 0x007FFFFF) | 0x3F000000;  // in [1/2, 1)
  Vector<float> n = __builtin_convertvector((bits >> 23) - 126, Vector<float>);
  Vector<float> m = as<Vector<float>>(fraction);
  Mask<float> low = m < 0.707106781186547524f;
  n = low ? n - 1.0f : n;
  Vector<float> t = low ? m + m - 1.0f : m - 1.0f;
  Vector<float> p = t * 7.0376836292e-2f - 1.1514610310e-1f;
  p = p * t + 1.1676998740e-1f;
  p = p * t - 1.2420140846e-1f;
  p = p * t + 1.4249322787e-1f;
  p = p * t - 1.6668057665e-1f;
  p = p * t + 2.0000714765e-1f;
  p = p * t - 2.4999993993e-1f;
  p = p * t + 3.3333331174e-1f;
  Vector<float> square = t * t;
  Vector<float> y = p * t * square - n * 2.12194440e-4f - square * 0.5f;
  Vector<float> result = t + y + n * 0.693359375f;
  constexpr float infinity = std::numeric_limits<float>::infinity();
  result = x == infinity ? x : result;
  result = x < std::numeric_limits<float>::min() ? broadcast<float>(-infinity) : result;
  Vector<float> none = broadcast<float>(std::numeric_limits<float>::quiet_NaN());
  result = x < 0.0f ? none : result;
  return x == x ? result : x;
}

// ln(1 + x) for x >= 0: the rounding of 1 + x is made good by the ratio of x to what was added
// (Kahan, in the HP-15C handbook of 1982).
inline Vector<float> log1p_of_positive(Vector<float> x) {
  Vector<float> sum = x + 1.0f;
  Vector<float> added = sum - 1.0f;
  Vector<float> safe = added == 0.0f ? broadcast<float>(1.0f) : added;
  return added == 0.0f ? x : logarithm(sum) * (x / safe);
}

// erf x: x + x q(x^2) near 0, else 1 - e^p(|x|); minimax fits, largest error 1 unit in the last place with
// fused multiply-adds. The coefficients are Norbert Juffa's (public domain, 2010s); the tests
// compare with scipy over the whole range.
inline Vector<float> error_function(Vector<float> x) {
  Vector<float> t = absolute<float>(x), s = x * x;
  Vector<float> r = t * -1.72853470e-5f + 3.83197126e-4f;
  Vector<float> u = t * -3.88396438e-3f + 2.42546219e-2f;
  r = r * s + u;
  r = r * t - 1.06777877e-1f;
  r = r * t - 6.34846687e-1f;
  r = r * t - 1.28717512e-1f;
  r = r * t - t;
  Vector<float> far = copy_sign<float>(1.0f - exponential(r), x);
  Vector<float> q = s * -5.96761703e-4f + 4.99119423e-3f;
  q = q * s - 2.67681349e-2f;
  q = q * s + 1.12819925e-1f;
  q = q * s - 3.76125336e-1f;
  q = q * s + 1.28379166e-1f;
  Vector<float> near = kFused ? q * x + x : (q + 1.0f) * x;
  Vector<float> bounded = t > 4.0f ? copy_sign<float>(broadcast<float>(1.0f), x) : far;
  return t > 0.927734375f ? bounded : near;
}

// sin x and cos x: x = n pi/2 + r with pi/2 in three parts, then the polynomials of Moshier's Cephes library
// (sinf.c). Beyond 8192, where the three parts no longer suffice, the C library, lane by lane.
struct SineCosine {
  Vector<float> sine, cosine;
};

inline SineCosine sine_and_cosine(Vector<float> x) {
  if (any<float>(absolute<float>(x) > 8192.0f))
    return {lane_by_lane<float>(x, [](double value) { return __builtin_sin(value); }),
            lane_by_lane<float>(x, [](double value) { return __builtin_cos(value); })};
  Vector<float> n = round_to_nearest<float>(x * 0.636619772367581343f);
  Vector<float> r = x - n * 1.5703125f;
  r -= n * 4.837512969970703125e-4f;
  r -= n * 7.54978995489188216e-8f;
  Vector<float> s = r * r;
  Vector<float> sine = ((s * -1.9515295891e-4f + 8.3321608736e-3f) * s - 1.6666654611e-1f) * s * r + r;
  Vector<float> cosine =
      ((s * 2.443315711809948e-5f - 1.388731625493765e-3f) * s + 4.166664568298827e-2f) * s * s -
      s * 0.5f + 1.0f;
  // A NaN gives n = NaN, whose conversion is harmless here and whose r is NaN.
  Mask<float> quarter = __builtin_convertvector(n, Mask<float>);
  Mask<float> odd = (quarter & 1) != 0;
  Mask<float> sine_negative = (quarter & 2) != 0, cosine_negative = ((quarter + 1) & 2) != 0;
  Vector<float> first = odd ? cosine : sine, second = odd ? sine : cosine;
  return {sine_negative ? -first : first, cosine_negative ? -second : second};
}

template <class Function>
inline Vector<double> each_lane(Vector<double> x, Function function) {
  for (int lane = 0; lane < Lanes<double>::count; ++lane) x[lane] = function(x[lane]);
  return x;
}

inline Vector<double> exponential(Vector<double> x) {
  return each_lane(x, [](double value) { return __builtin_exp(value); });
}
inline Vector<double> expm1_of_negative(Vector<double> x) {
  return each_lane(x, [](double value) { return __builtin_expm1(value); });
}
inline Vector<double> hyperbolic_tangent(Vector<double> x) {
  return each_lane(x, [](double value) { return __builtin_tanh(value); });
}
inline Vector<double> logistic(Vector<double> x) { return 1.0 / (1.0 + exponential(-x)); }
template <int N>
inline void hyperbolic_tangents(Vector<double> (&x)[N]) {
  for (int n = 0; n < N; ++n) x[n] = hyperbolic_tangent(x[n]);
}
template <int N>
inline void logistics(Vector<double> (&x)[N]) {
  for (int n = 0; n < N; ++n) x[n] = logistic(x[n]);
}
inline Vector<double> logarithm(Vector<double> x) {
  return each_lane(x, [](double value) { return __builtin_log(value); });
}
inline Vector<double> log1p_of_positive(Vector<double> x) {
  return each_lane(x, [](double value) { return __builtin_log1p(value); });
}
inline Vector<double> error_function(Vector<double> x) {
  return each_lane(x, [](double value) { return __builtin_erf(value); });
}
struct SineCosineDouble {
  Vector<double> sine, cosine;
};
inline SineCosineDouble sine_and_cosine(Vector<double> x) {
  return {each_lane(x, [](double value) { return __builtin_sin(value); }),
          each_lane(x, [](double value) { return __builtin_cos(value); })};
}

// ln(1 + e^x), without overflow: max(x, 0) + ln(1 + e^-|x|).
template <class Real>
inline Vector<Real> soft_plus(Vector<Real> x) {
  return maximum(Vector<Real>{}, x) + log1p_of_positive(exponential(-absolute<Real>(x)));
}

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
