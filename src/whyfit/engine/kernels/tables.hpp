// tanh and the sigmoid by table, where one instruction looks up 16 floats among 16 (AVX-512).
//
// N registers pass through each operation together, and the second half of the way of some beside the first half of that
// of the next: a value waits four cycles for the one before it in its own chain, and the machine looks only some
// sixty operations ahead. scripts/fit_tables.py remakes the numbers; the tests hold both to 4 units in the last place.
#pragma once

#include "vector.hpp"

#if defined(__AVX512F__) && WHYFIT_VECTOR_BYTES == 64
#define WHYFIT_TABLES
namespace whyfit {
namespace WHYFIT_TARGET {

constexpr float kTanhFirst = 0.75f, kTanhMost = 9.2f;
alignas(64) constexpr float kTanh[7][16] = {
    {1.500000000e+00f, 2.000000000e+00f, 2.500000000e+00f, 3.000000000e+00f, 3.750000000e+00f,
     4.750000000e+00f, 5.750000000e+00f, 6.750000000e+00f, 8.250000000e+00f, 0.000000000e+00f,
     0.000000000e+00f, 1.875000000e-01f, 3.750000000e-01f, 6.250000000e-01f, 8.750000000e-01f,
     1.125000000e+00f},
    {9.051483274e-01f, 9.640275836e-01f, 9.866142869e-01f, 9.950547218e-01f, 9.988943934e-01f,
     9.998502731e-01f, 9.999797344e-01f, 9.999972582e-01f, 9.999998808e-01f, 0.000000000e+00f,
     0.000000000e+00f, 1.853332072e-01f, 3.583573997e-01f, 5.545997024e-01f, 7.039055824e-01f,
     8.093010783e-01f},
    {1.807063967e-01f, 7.065080106e-02f, 2.659223042e-02f, 9.866041131e-03f, 2.209971193e-03f,
     2.993738744e-04f, 4.052110671e-05f, 5.484031590e-06f, 2.740331126e-07f, 0.000000000e+00f,
     1.000000000e+00f, 9.656516314e-01f, 8.715800643e-01f, 6.924191713e-01f, 5.045168996e-01f,
     3.450317681e-01f},
    {-1.635820866e-01f, -6.810911745e-02f, -2.623469941e-02f, -9.816425852e-03f, -2.204031684e-03f,
     -2.988393244e-04f, -4.045370224e-05f, -5.474999853e-06f, -2.662237364e-07f, 0.000000000e+00f,
     4.443633372e-07f, -1.789667904e-01f, -3.123277426e-01f, -3.840121925e-01f, -3.551340699e-01f,
     -2.792371213e-01f},
    {8.783815801e-02f, 4.211176187e-02f, 1.702060550e-02f, 6.479604170e-03f, 1.466389163e-03f,
     1.991983881e-04f, 2.697222226e-05f, 3.650543249e-06f, 1.757677239e-07f, 0.000000000e+00f,
     -3.333594799e-01f, -2.887177765e-01f, -1.786284596e-01f, -1.784476824e-02f, 8.180551231e-02f,
     1.109762117e-01f},
    {-2.429282479e-02f, -1.790258475e-02f, -8.114924654e-03f, -3.210585332e-03f, -7.671751082e-04f,
     -1.047517871e-04f, -1.419363070e-05f, -1.921210924e-06f, -1.096452991e-07f, 0.000000000e+00f,
     5.136901163e-04f, 1.128169298e-01f, 1.664975286e-01f, 1.373337358e-01f, 6.109954789e-02f,
     3.700617468e-03f},
    {-3.200156149e-03f, 4.701882135e-03f, 2.867487026e-03f, 1.230153604e-03f, 3.030747175e-04f,
     4.174570131e-05f, 5.663089723e-06f, 7.666623674e-07f, 4.574996382e-08f, 0.000000000e+00f,
     1.298410445e-01f, 9.711295366e-02f, 2.040744573e-02f, -5.397990346e-02f, -5.857702717e-02f,
     -3.211046010e-02f}};
alignas(64) constexpr std::int32_t kPowers[16] = {
    1065353216, 1065200323, 1065063874, 1064944595, 1064843248, 1064760626, 1064697559, 1064654911,
    1064633587, 1064634532, 1064658730, 1064707212, 1064781053, 1064881375, 1065009351, 1065166205};

[[gnu::always_inline]] inline Vector<float> look_up(const float* table, Mask<float> index) {
  return _mm512_permutexvar_ps((__m512i)index, _mm512_load_ps(table));
}

// |x|, or `most` if that is less or x is none: one instruction. And the same with the sign of x.
[[gnu::always_inline]] inline Vector<float> size_within(float most, Vector<float> x) {
  return _mm512_range_ps(x, broadcast<float>(most), 0b1010);
}
[[gnu::always_inline]] inline Vector<float> within(float most, Vector<float> x) {
  return _mm512_range_ps(x, broadcast<float>(most), 0b0010);
}

// N values on their way through tanh: `pass` finishes those that are under way and begins new ones, an operation of
// each half in turn. NaN becomes some number or other.
//
// A polynomial in |x| - centre on each of 15 segments; at the end of the last it is 1. Near 0 the centre and the constant
// are 0, so that the error stays relative to the result.
//
// A loop takes a copy of the table on its own stack, where what it spills lies too. AMD's first cache finds the way of a
// line by a hash of its address; two lines in one set with the same hash push each other out at every use. With
// the table elsewhere that befell one process in six, as the addresses happened to be, and took half as long again.
template <int N>
class TangentsUnderWay {
 public:
  using Table = float[7][16];
  static constexpr const Table& kTable = kTanh;

  [[gnu::always_inline]] void pass(const Table& from, const Vector<float> (&next)[N], Vector<float> (&value)[N]) {
    Vector<float> size[N];
    const float (*table)[16] = from;
    asm volatile("" : "+r"(table));  // or GCC keeps seven registers for it and is short of others
    #pragma GCC unroll 8
    for (int n = 0; n < N; ++n) value[n] = look_up(table[6], index_[n]);
    #pragma GCC unroll 8
    for (int n = 0; n < N; ++n) size[n] = size_within(kTanhMost, next[n]);
    add_term(table[5], value);
    Mask<float> index[N];
    #pragma GCC unroll 8
    for (int n = 0; n < N; ++n) index[n] = as<Mask<float>>(size[n] + kTanhFirst) >> 21;
    add_term(table[4], value);
    add_term(table[3], value);
    add_term(table[2], value);
    #pragma GCC unroll 8
    for (int n = 0; n < N; ++n) size[n] -= look_up(table[0], index[n]);
    add_term(table[1], value);
    #pragma GCC unroll 8
    for (int n = 0; n < N; ++n) {
      value[n] = copy_sign<float>(value[n], x_[n]);
      x_[n] = next[n];
      rest_[n] = size[n];
      index_[n] = index[n];
    }
  }

 private:
  [[gnu::always_inline]] void add_term(const float* table, Vector<float> (&sum)[N]) const {
    #pragma GCC unroll 8
    for (int n = 0; n < N; ++n) sum[n] = _mm512_fmadd_ps(sum[n], rest_[n], look_up(table, index_[n]));
  }

  Vector<float> x_[N] = {}, rest_[N] = {};
  Mask<float> index_[N] = {};
};

// The same for the sigmoid, 1 / (1 + e^-x). With n = -16 x / ln2 rounded, e^-x is 2^(n/16), the bits of which are
// those of 2^(n mod 16 / 16) and the rest of n in the exponent, times e^-r of a rest |r| <= ln2/32, for which a cubic
// suffices. The bound keeps 2^(n/16) and the sum normal numbers; sigmoid(-87) is 1.6e-38. NaN becomes some number
// here too. Where the weights of a sum have been multiplied by kLogisticScale before, which adds no more to its error
// than its own rounding does, n and the rest come without a multiplication (kScaled).
constexpr float kTangentScale = 1.0f, kLogisticScale = -16 * 1.44269504088896341f;

template <int N, bool kScaled>
class LogisticsUnderWay {
 public:
  using Table = std::int32_t[16];  // which stays in a register
  static constexpr const Table& kTable = kPowers;

  [[gnu::always_inline]] void pass(const Table& table, const Vector<float> (&next)[N], Vector<float> (&value)[N]) {
    constexpr float kShift = 12582912.0f;  // 1.5 * 2^23: the sum's low bits are a whole number
    constexpr float kMost = kScaled ? -87 * kLogisticScale : 87.0f;
    constexpr float kFactor = kScaled ? 0.693147182f / 16 : -1.0f;  // of the rest, in the exponent
    Vector<float> clamped[N], rounded[N], sum[N], inverse[N];
    Mask<float> bits[N], power[N];
    #pragma GCC unroll 8
    for (int n = 0; n < N; ++n) sum[n] = rest_[n] * (kFactor * kFactor * kFactor / 6) + kFactor * kFactor / 2;
    #pragma GCC unroll 8
    for (int n = 0; n < N; ++n) clamped[n] = within(kMost, next[n]);
    #pragma GCC unroll 8
    for (int n = 0; n < N; ++n) sum[n] = sum[n] * rest_[n] + kFactor;
    #pragma GCC unroll 8
    for (int n = 0; n < N; ++n) rounded[n] = (kScaled ? clamped[n] : clamped[n] * kLogisticScale) + kShift;
    #pragma GCC unroll 8
    for (int n = 0; n < N; ++n) sum[n] = sum[n] * rest_[n] + 1.0f;
    #pragma GCC unroll 8
    for (int n = 0; n < N; ++n) bits[n] = as<Mask<float>>(rounded[n]);
    #pragma GCC unroll 8
    for (int n = 0; n < N; ++n) rounded[n] -= kShift;
    #pragma GCC unroll 8
    for (int n = 0; n < N; ++n) sum[n] = power_[n] * sum[n] + 1.0f;
    #pragma GCC unroll 8
    for (int n = 0; n < N; ++n)
      power[n] = (Mask<float>)_mm512_permutexvar_epi32((__m512i)bits[n], _mm512_load_si512(table));
    #pragma GCC unroll 8
    for (int n = 0; n < N; ++n)
      rest_[n] = kScaled ? clamped[n] - rounded[n] : clamped[n] + rounded[n] * (0.693359375f / 16);
    #pragma GCC unroll 8
    for (int n = 0; n < N; ++n) inverse[n] = _mm512_rcp14_ps(sum[n]);
    #pragma GCC unroll 8
    for (int n = 0; n < N; ++n) bits[n] <<= 19;
    #pragma GCC unroll 8
    for (int n = 0; n < N; ++n)
      if constexpr (!kScaled) rest_[n] += rounded[n] * (-2.12194440e-4f / 16);
    #pragma GCC unroll 8
    for (int n = 0; n < N; ++n) sum[n] = 1.0f - sum[n] * inverse[n];
    #pragma GCC unroll 8
    for (int n = 0; n < N; ++n) power_[n] = as<Vector<float>>(power[n] + bits[n]);
    #pragma GCC unroll 8
    for (int n = 0; n < N; ++n) value[n] = inverse[n] + inverse[n] * sum[n];
  }

 private:
  Vector<float> rest_[N] = {}, power_[N] = {};
};

// All at once: of the first pass only the beginning is computed, of the second only the end. NaN stays NaN.
template <class UnderWay, int N>
[[gnu::always_inline]] inline void pass_all(Vector<float> (&x)[N]) {
  UnderWay under_way;
  Vector<float> value[N];
  under_way.pass(UnderWay::kTable, x, value);
  under_way.pass(UnderWay::kTable, x, value);
  #pragma GCC unroll 8
  for (int n = 0; n < N; ++n) x[n] = x[n] == x[n] ? value[n] : x[n];
}
template <bool kScaled = false, int N>
[[gnu::always_inline]] inline void hyperbolic_tangents(Vector<float> (&x)[N]) {
  pass_all<TangentsUnderWay<N>>(x);
}
template <bool kScaled = false, int N>
[[gnu::always_inline]] inline void logistics(Vector<float> (&x)[N]) {
  pass_all<LogisticsUnderWay<N, kScaled>>(x);
}
[[gnu::always_inline]] inline Vector<float> hyperbolic_tangent(Vector<float> x) {
  Vector<float> one[1] = {x};
  hyperbolic_tangents(one);
  return one[0];
}
[[gnu::always_inline]] inline Vector<float> logistic(Vector<float> x) {
  Vector<float> one[1] = {x};
  logistics(one);
  return one[0];
}

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
#endif
