// Elementary functions in lanes.
//
// float: range reduction x = n ln2 + r with |r| <= ln2/2 (Cody & Waite 1980), then a polynomial in r whose
// coefficients minimise the largest relative error on that interval (Lawson's weighted least
// squares; scripts/fit_polynomials.py remakes them). NaN stays NaN, nothing traps.
// double: the C library, a lane at a time; double precision is for reference, not for speed.
#pragma once

#include <limits>

#include "vector.hpp"

namespace whyfit {
namespace WHYFIT_TARGET {

// x / ln2 rounded to a whole n, as a float and as the float 2^n. Adding 1.5 * 2^23 + 127 leaves
// n + 127 in the low bits of the sum, where a shift moves it into the exponent field; n must lie in
// [-126, 127].
struct Exponent {
  Vector<float> n;
  Vector<float> power;
};

[[gnu::always_inline]] inline Exponent split_exponent(Vector<float> x) {
  constexpr float kShift = 12582912.0f + 127.0f;
  Vector<float> shifted = x * 1.44269504088896341f + kShift;
  Mask<float> bits = reinterpret_cast<Mask<float>&>(shifted) << 23;
  return {shifted - kShift, reinterpret_cast<Vector<float>&>(bits)};
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
  return grown * reinterpret_cast<Vector<float>&>(first) *
         reinterpret_cast<Vector<float>&>(second);
}

// expm1(x) for x <= 0: 2^n (expm1(r) + 1) - 1 without the cancellation near 0.
[[gnu::always_inline]] inline Vector<float> expm1_of_negative(Vector<float> x) {
  // Below -20 expm1 is -1 in float; n then stays small enough for ln2 in one piece.
  Vector<float> clamped = maximum(broadcast<float>(-20.0f), x);
  Exponent exponent = split_exponent(clamped);
  Vector<float> rest = expm1_of_rest(clamped - exponent.n * 0.693147182f);
  return exponent.power * rest + (exponent.power - 1.0f);
}

// -expm1(-2|x|) / (expm1(-2|x|) + 2) with the sign of x.
[[gnu::always_inline]] inline Vector<float> hyperbolic_tangent(Vector<float> x) {
  Vector<float> shrink = expm1_of_negative(absolute<float>(x) * -2.0f);
  return copy_sign<float>(quotient(shrink, shrink + 2.0f), x);
}

// From e^-|x| alone, which never overflows: 1 / (1 + e^-|x|), or e^-|x| times it for x < 0. The clamp
// keeps 2^n a normal number; sigmoid(-87) is 1.6e-38.
[[gnu::always_inline]] inline Vector<float> logistic(Vector<float> x) {
  Vector<float> clamped = maximum(broadcast<float>(-87.0f), -absolute<float>(x));
  Exponent exponent = split_exponent(clamped);
  Vector<float> rest = expm1_of_rest(rest_of(clamped, exponent.n));
  Vector<float> small = rest * exponent.power + exponent.power;
  Vector<float> numerator = x < 0.0f ? small : broadcast<float>(1.0f);
  return quotient(numerator, small + 1.0f);
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

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
