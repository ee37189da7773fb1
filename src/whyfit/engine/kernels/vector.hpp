// One SIMD register seen as a row of lanes; each lane is one replicate.
//
// Every kernel is written once, on the compiler's portable vector types, and compiled for each
// instruction set into a namespace of its own (WHYFIT_TARGET), so that the linker can never
// hand AVX-512 code to a machine without it. Only max and min need an intrinsic: GCC 12 turns
// the portable spelling into two instructions where every target has one.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace whyfit {
namespace WHYFIT_TARGET {

template <class Real>
struct Lanes;

template <>
struct Lanes<float> {
  typedef float Vector __attribute__((vector_size(WHYFIT_VECTOR_BYTES)));
  typedef std::int32_t Mask __attribute__((vector_size(WHYFIT_VECTOR_BYTES)));
  static constexpr int count = WHYFIT_VECTOR_BYTES / 4;
};

template <>
struct Lanes<double> {
  typedef double Vector __attribute__((vector_size(WHYFIT_VECTOR_BYTES)));
  typedef std::int64_t Mask __attribute__((vector_size(WHYFIT_VECTOR_BYTES)));
  static constexpr int count = WHYFIT_VECTOR_BYTES / 8;
};

template <class Real>
using Vector = typename Lanes<Real>::Vector;
template <class Real>
using Mask = typename Lanes<Real>::Mask;

template <class Real>
[[gnu::always_inline]] inline Vector<Real> broadcast(Real value) {
  return value - Vector<Real>{};
}

// The same bits as another vector: what GCC and Clang take a cast between vectors of one size to mean.
template <class To, class From>
[[gnu::always_inline]] inline To as(From value) {
  static_assert(sizeof(To) == sizeof(From), "a cast keeps the bits");
  return (To)value;
}

template <class Real>
[[gnu::always_inline]] inline Vector<Real> select(Mask<Real> mask, Vector<Real> yes, Vector<Real> no) {
  return mask ? yes : no;
}

// maximum(a, b) and minimum(a, b) return b where either is NaN: put the value whose NaN must
// survive second.
#if defined(__AVX512F__) && WHYFIT_VECTOR_BYTES == 64
[[gnu::always_inline]] inline Vector<float> maximum(Vector<float> a, Vector<float> b) { return _mm512_max_ps(a, b); }
inline Vector<double> maximum(Vector<double> a, Vector<double> b) { return _mm512_max_pd(a, b); }
[[gnu::always_inline]] inline Vector<float> minimum(Vector<float> a, Vector<float> b) { return _mm512_min_ps(a, b); }
inline Vector<double> minimum(Vector<double> a, Vector<double> b) { return _mm512_min_pd(a, b); }
#elif defined(__AVX2__) && WHYFIT_VECTOR_BYTES == 32
[[gnu::always_inline]] inline Vector<float> maximum(Vector<float> a, Vector<float> b) { return _mm256_max_ps(a, b); }
inline Vector<double> maximum(Vector<double> a, Vector<double> b) { return _mm256_max_pd(a, b); }
[[gnu::always_inline]] inline Vector<float> minimum(Vector<float> a, Vector<float> b) { return _mm256_min_ps(a, b); }
inline Vector<double> minimum(Vector<double> a, Vector<double> b) { return _mm256_min_pd(a, b); }
#else
template <class V>
[[gnu::always_inline]] inline V maximum(V a, V b) {
  return a > b ? a : b;
}
template <class V>
[[gnu::always_inline]] inline V minimum(V a, V b) {
  return a < b ? a : b;
}
#endif

template <class Real>
[[gnu::always_inline]] inline Vector<Real> square_root(Vector<Real> value) {
  Vector<Real> root;
  for (int lane = 0; lane < Lanes<Real>::count; ++lane) {
    if constexpr (sizeof(Real) == 4)
      root[lane] = __builtin_sqrtf(value[lane]);
    else
      root[lane] = __builtin_sqrt(value[lane]);
  }
  return root;
}

// a / b for finite b away from 0, and 2 sqrt(v) for v >= 0: the machine's 14-bit estimate after one step
// of Newton's method, within 2 units in the last place, at a third of the time of the exact
// instructions. Twice the root, because halving it would be one multiplication more. Only AVX-512 has the estimate;
// elsewhere these are the exact operations.
#if defined(__AVX512F__) && WHYFIT_VECTOR_BYTES == 64
[[gnu::always_inline]] inline Vector<float> quotient(Vector<float> a, Vector<float> b) {
  Vector<float> inverse = _mm512_rcp14_ps(b);
  return a * (inverse + inverse * (1.0f - b * inverse));
}
[[gnu::always_inline]] inline Vector<float> twice_square_root(Vector<float> value) {
  // The least value keeps 0 * infinity from turning into NaN; its root is far below any epsilon.
  value = maximum(broadcast<float>(1e-36f), value);
  Vector<float> inverse = _mm512_rsqrt14_ps(value);
  Vector<float> root = value * inverse;
  return inverse * (value - root * root) + (root + root);
}
#else
inline Vector<float> quotient(Vector<float> a, Vector<float> b) { return a / b; }
inline Vector<float> twice_square_root(Vector<float> value) { return 2.0f * square_root<float>(value); }
#endif
inline Vector<double> quotient(Vector<double> a, Vector<double> b) { return a / b; }
inline Vector<double> twice_square_root(Vector<double> value) { return 2.0 * square_root<double>(value); }

// The lanes in which a value is above zero, or NaN, so that a NaN stays one, and sums over those lanes
// alone. AVX-512 adds under a mask in one instruction, which GCC does not find by itself.
#if defined(__AVX512F__) && WHYFIT_VECTOR_BYTES == 64
template <class Real>
struct Gate;
template <>
struct Gate<float> {
  __mmask16 mask;
  Gate() = default;
  explicit Gate(Vector<float> value)
      : mask(_mm512_cmp_ps_mask(value, _mm512_setzero_ps(), _CMP_NLE_UQ)) {}
  void add(Vector<float>& sum, Vector<float> term) const {
    sum = _mm512_mask_add_ps(sum, mask, sum, term);
  }
};
template <>
struct Gate<double> {
  __mmask8 mask;
  Gate() = default;
  explicit Gate(Vector<double> value)
      : mask(_mm512_cmp_pd_mask(value, _mm512_setzero_pd(), _CMP_NLE_UQ)) {}
  void add(Vector<double>& sum, Vector<double> term) const {
    sum = _mm512_mask_add_pd(sum, mask, sum, term);
  }
};
#else
template <class Real>
struct Gate {
  Mask<Real> mask;
  Gate() = default;
  explicit Gate(Vector<Real> value) : mask(~(value <= Real(0))) {}
  void add(Vector<Real>& sum, Vector<Real> term) const { sum += mask ? term : Vector<Real>{}; }
};
#endif

template <class Real>
[[gnu::always_inline]] inline Vector<Real> absolute(Vector<Real> value) {
  Vector<Real> result;
  for (int lane = 0; lane < Lanes<Real>::count; ++lane) {
    if constexpr (sizeof(Real) == 4)
      result[lane] = __builtin_fabsf(value[lane]);
    else
      result[lane] = __builtin_fabs(value[lane]);
  }
  return result;
}

template <class Real>
[[gnu::always_inline]] inline Vector<Real> copy_sign(Vector<Real> magnitude, Vector<Real> sign) {
  Vector<Real> result;
  for (int lane = 0; lane < Lanes<Real>::count; ++lane) {
    if constexpr (sizeof(Real) == 4)
      result[lane] = __builtin_copysignf(magnitude[lane], sign[lane]);
    else
      result[lane] = __builtin_copysign(magnitude[lane], sign[lane]);
  }
  return result;
}

template <class Real>
[[gnu::always_inline]] inline Vector<Real> round_to_nearest(Vector<Real> value) {
  Vector<Real> result;
  for (int lane = 0; lane < Lanes<Real>::count; ++lane) {
    if constexpr (sizeof(Real) == 4)
      result[lane] = __builtin_nearbyintf(value[lane]);
    else
      result[lane] = __builtin_nearbyint(value[lane]);
  }
  return result;
}

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
