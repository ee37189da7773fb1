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

constexpr float kTanhFirst = 0.54f, kTanhScale = 0.827f, kTanhMost = 9.02f;
alignas(64) constexpr float kTanh[5][16] = {
    {-1.552696228e-01f, -1.587474346e-01f, -6.555105001e-02f, 7.967804372e-02f, 3.049083650e-01f,
     5.825719237e-01f, 7.724840045e-01f, 8.848946095e-01f, 0.000000000e+00f, 5.015051102e-06f,
     1.286024490e-04f, 6.592120626e-04f, 1.474135439e-03f, -6.793850567e-03f, -4.002941772e-02f,
     -9.227006137e-02f},
    {9.225898385e-01f, 9.327256083e-01f, 8.078338504e-01f, 6.447898746e-01f, 4.332820177e-01f,
     2.229416668e-01f, 1.057269573e-01f, 4.721461609e-02f, 4.999999702e-01f, 4.998419285e-01f,
     4.979627728e-01f, 4.927304387e-01f, 4.867605269e-01f, 5.235790014e-01f, 6.377306581e-01f,
     7.814646959e-01f},
    {-3.029455245e-01f, -3.121602833e-01f, -2.492711842e-01f, -1.805268526e-01f, -1.058977395e-01f,
     -4.598602653e-02f, -1.880926453e-02f, -7.373909466e-03f, 1.250092834e-01f, 1.269364655e-01f,
     1.378352046e-01f, 1.573256850e-01f, 1.737783700e-01f, 1.120862812e-01f, -3.544491902e-02f,
     -1.840759367e-01f},
    {4.724220932e-02f, 5.065324903e-02f, 3.655000031e-02f, 2.364872210e-02f, 1.192197762e-02f,
     4.318091087e-03f, 1.512890449e-03f, 5.184320034e-04f, -1.046162620e-01f, -1.156436652e-01f,
     -1.442633718e-01f, -1.767696738e-01f, -1.969863325e-01f, -1.508743018e-01f, -6.583721191e-02f,
     2.622415312e-03f},
    {-2.858105116e-03f, -3.307991195e-03f, -2.119534882e-03f, -1.210250077e-03f, -5.178420106e-04f,
     -1.550449088e-04f, -4.628475654e-05f, -1.381664151e-05f, -3.738523647e-02f, -1.184228435e-02f,
     1.688741148e-02f, 3.736621141e-02f, 4.671127349e-02f, 3.373465315e-02f, 1.529003959e-02f,
     3.439631779e-03f}};
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
// tanh is p (2 - p), where p = 1 - sqrt(1 - tanh |x|) is a polynomial in |x| on each of 16 segments, and 1 at the end of
// the last. Errors of p count 2 - 2 p times, which is little where |x| is large and the terms of p nearly cancel; near 0
// its constant is 0, so that the error stays relative to the result.
//
// A loop takes a copy of the table on its own stack, where what it spills lies too. AMD's first cache finds the way of a
// line by a hash of its address; two lines in one set with the same hash push each other out at every use. With
// the table elsewhere that befell one process in six, as the addresses happened to be, and took half as long again.
template <int N>
class TangentsUnderWay {
 public:
  using Table = float[5][16];
  static constexpr const Table& kTable = kTanh;

  [[gnu::always_inline]] void pass(const Table& from, const Vector<float> (&next)[N], Vector<float> (&value)[N]) {
    Vector<float> size[N];
    const float (*table)[16] = from;
    asm volatile("" : "+r"(table));  // or GCC keeps five registers for it and is short of others
    #pragma GCC unroll 8
    for (int n = 0; n < N; ++n) value[n] = look_up(table[4], index_[n]);
    #pragma GCC unroll 8
    for (int n = 0; n < N; ++n) size[n] = size_within(kTanhMost, next[n]);
    add_term(table[3], value);
    Mask<float> index[N];
    #pragma GCC unroll 8
    for (int n = 0; n < N; ++n) index[n] = as<Mask<float>>(size[n] * kTanhScale + kTanhFirst) >> 21;
    add_term(table[2], value);
    add_term(table[1], value);
    add_term(table[0], value);
    #pragma GCC unroll 8
    for (int n = 0; n < N; ++n) {
      value[n] = copy_sign<float>(value[n] * (2.0f - value[n]), x_[n]);
      x_[n] = next[n];
      size_[n] = size[n];
      index_[n] = index[n];
    }
  }

 private:
  [[gnu::always_inline]] void add_term(const float* table, Vector<float> (&sum)[N]) const {
    #pragma GCC unroll 8
    for (int n = 0; n < N; ++n) sum[n] = _mm512_fmadd_ps(sum[n], size_[n], look_up(table, index_[n]));
  }

  Vector<float> x_[N] = {}, size_[N] = {};
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
