// tanh and the sigmoid by table, where one instruction looks up 16 floats among 16 (AVX-512).
//
// N registers pass through each operation together: a value waits four cycles for the one before it in
// its own chain, and the machine looks only some sixty operations ahead. scripts/fit_tables.py remakes the
// numbers; the tests hold both to 4 units in the last place.
#pragma once

#include "vector.hpp"

#if defined(__AVX512F__) && WHYFIT_VECTOR_BYTES == 64
#define WHYFIT_TABLES
namespace whyfit {
namespace WHYFIT_TARGET {

constexpr float kTanhScale = 1.441241741e+00f;
alignas(64) constexpr float kTanh[7][16] = {
    {8.671875000e-01f, 1.214843750e+00f, 1.562500000e+00f, 1.906250000e+00f, 2.429687500e+00f,
     3.121093750e+00f, 3.816406250e+00f, 4.511718750e+00f, 5.550781250e+00f, 6.937500000e+00f,
     8.324218750e+00f, 0.000000000e+00f, 0.000000000e+00f, 2.617187500e-01f, 4.335937500e-01f,
     6.054687500e-01f},
    {6.999423504e-01f, 8.381265998e-01f, 9.158245325e-01f, 9.567693472e-01f, 9.846086502e-01f,
     9.961163402e-01f, 9.990318418e-01f, 9.997588992e-01f, 9.999698400e-01f, 9.999980927e-01f,
     9.999998808e-01f, 1.000000000e+00f, 0.000000000e+00f, 2.559024394e-01f, 4.083202779e-01f,
     5.409295559e-01f},
    {5.100807548e-01f, 2.975437641e-01f, 1.612653732e-01f, 8.459243923e-02f, 3.054573201e-02f,
     7.752204314e-03f, 1.935320441e-03f, 4.820904578e-04f, 6.037006460e-05f, 3.769989689e-06f,
     2.354219646e-07f, 0.000000000e+00f, 1.000000000e+00f, 9.345139861e-01f, 8.332745433e-01f,
     7.073951960e-01f},
    {-3.570332825e-01f, -2.493876666e-01f, -1.476936191e-01f, -8.093565702e-02f,
     -3.006953001e-02f, -7.719584741e-03f, -1.932750689e-03f, -4.817961017e-04f, -5.998298730e-05f,
     -3.745949925e-06f, -2.339243821e-07f, 0.000000000e+00f, 2.253748562e-06f, -2.391422391e-01f,
     -3.402409256e-01f, -3.826500773e-01f},
    {7.986360788e-02f, 1.098398939e-01f, 8.150935918e-02f, 4.924007133e-02f, 1.942916401e-02f,
     5.106981378e-03f, 1.286044484e-03f, 3.210273280e-04f, 4.001002526e-05f, 2.499278708e-06f,
     1.561055996e-07f, 0.000000000e+00f, -3.334289789e-01f, -2.503203154e-01f, -1.388359666e-01f,
     -2.881241962e-02f},
    {6.365857273e-02f, -8.191794157e-03f, -2.516435646e-02f, -2.011368051e-02f,
     -9.240673855e-03f, -2.569315489e-03f, -6.559389294e-04f, -1.643013820e-04f, -2.212744039e-05f,
     -1.382190135e-06f, -8.631396753e-08f, 0.000000000e+00f, 1.356178196e-03f, 1.429895461e-01f,
     1.694002897e-01f, 1.428191513e-01f},
    {-5.887639895e-02f, -2.292210050e-02f, -5.775610916e-04f, 4.670148250e-03f,
     3.185801907e-03f, 9.899812285e-04f, 2.600436856e-04f, 6.573603605e-05f, 8.809050087e-06f,
     5.493494655e-07f, 3.423973993e-08f, 0.000000000e+00f, 1.266757697e-01f, 6.886426359e-02f,
     -3.869920969e-03f, -5.178505182e-02f}};
alignas(64) constexpr float kPowers[16] = {1.000000000e+00f, 1.044273734e+00f, 1.090507746e+00f,
    1.138788581e+00f, 1.189207077e+00f, 1.241857767e+00f, 1.296839595e+00f, 1.354255557e+00f,
    1.414213538e+00f, 1.476826191e+00f, 1.542210817e+00f, 1.610490322e+00f, 1.681792855e+00f,
    1.756252170e+00f, 1.834008098e+00f, 1.915206552e+00f};

[[gnu::always_inline]] inline Vector<float> look_up(const float* table, Mask<float> index) {
  return _mm512_permutexvar_ps((__m512i)index, _mm512_load_ps(table));
}

// A polynomial in |x| - centre on each of 16 segments, the last of which is the constant 1. Near 0 the
// centre and the constant are 0, so that the error stays relative to the result.
template <int N>
[[gnu::always_inline]] inline void hyperbolic_tangents(Vector<float> (&x)[N]) {
  Vector<float> size[N], rest[N], sum[N];
  Mask<float> index[N];
  #pragma GCC unroll 8
  for (int n = 0; n < N; ++n) size[n] = minimum(broadcast<float>(9.5f), absolute<float>(x[n]));
  #pragma GCC unroll 8
  for (int n = 0; n < N; ++n) index[n] = as<Mask<float>>(size[n] * kTanhScale + 1.0f) >> 21;
  #pragma GCC unroll 8
  for (int n = 0; n < N; ++n) rest[n] = size[n] - look_up(kTanh[0], index[n]);
  #pragma GCC unroll 8
  for (int n = 0; n < N; ++n) sum[n] = look_up(kTanh[6], index[n]);
  #pragma GCC unroll 8
  for (int k = 5; k >= 1; --k)
    #pragma GCC unroll 8
    for (int n = 0; n < N; ++n) sum[n] = sum[n] * rest[n] + look_up(kTanh[k], index[n]);
  #pragma GCC unroll 8
  for (int n = 0; n < N; ++n) x[n] = copy_sign<float>(sum[n], x[n]);
}

// From e = e^-|x| alone, which never overflows: 1 / (1 + e), times e for x < 0. With n = 16 |x| / ln2
// rounded, e is 2^(n/16), looked up and shifted, times e^r of a rest |r| <= ln2/32, for which a cubic
// suffices. The clamp keeps 2^(n/16) a normal number; sigmoid(-87) is 1.6e-38.
template <int N>
[[gnu::always_inline]] inline void logistics(Vector<float> (&x)[N]) {
  constexpr float kShift = 12582912.0f;  // 1.5 * 2^23: the sum's low bits are a whole number
  Vector<float> least[N], shifted[N], rest[N], power[N], grown[N], inverse[N];
  #pragma GCC unroll 8
  for (int n = 0; n < N; ++n) least[n] = maximum(broadcast<float>(-87.0f), -absolute<float>(x[n]));
  #pragma GCC unroll 8
  for (int n = 0; n < N; ++n) shifted[n] = least[n] * (16 * 1.44269504088896341f) + kShift;
  #pragma GCC unroll 8
  for (int n = 0; n < N; ++n) rest[n] = least[n] - (shifted[n] - kShift) * (0.693359375f / 16);
  #pragma GCC unroll 8
  for (int n = 0; n < N; ++n) rest[n] -= (shifted[n] - kShift) * (-2.12194440e-4f / 16);
  #pragma GCC unroll 8
  for (int n = 0; n < N; ++n) {
    Mask<float> bits = as<Mask<float>>(shifted[n]);
    Mask<float> exponent = (bits << 19) & Mask<float>(-8388608 - Mask<float>{});
    power[n] = as<Vector<float>>(as<Mask<float>>(look_up(kPowers, bits)) + exponent);
  }
  #pragma GCC unroll 8
  for (int n = 0; n < N; ++n) grown[n] = rest[n] * 0.166666667f + 0.5f;
  #pragma GCC unroll 8
  for (int n = 0; n < N; ++n) grown[n] = grown[n] * rest[n] + 1.0f;
  #pragma GCC unroll 8
  for (int n = 0; n < N; ++n) grown[n] = (rest[n] * grown[n]) * power[n] + power[n];
  #pragma GCC unroll 8
  for (int n = 0; n < N; ++n) inverse[n] = _mm512_rcp14_ps(grown[n] + 1.0f);
  #pragma GCC unroll 8
  for (int n = 0; n < N; ++n) inverse[n] += inverse[n] * (1.0f - (grown[n] + 1.0f) * inverse[n]);
  #pragma GCC unroll 8
  for (int n = 0; n < N; ++n)
    x[n] = _mm512_mask_mul_ps(inverse[n], _mm512_movepi32_mask((__m512i)x[n]), inverse[n], grown[n]);
}

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
#endif
