// Activations f(z) and their slopes f'(z), in lanes.
//
// The slope is written in terms of the output a = f(z), so that z need not be kept. kCheap says that
// computing f again costs less than a store and a load. Cheap ones are homogeneous, f(z) = f'(z) z, and
// have a `Slope`: made from z, it adds f'(z) times a term to a sum. The others give f'(z) delta from the
// product a delta too, where that is at hand. kSamplesTogether: samples whose f `shallow` computes as one.
#pragma once

#include <limits>

#include "functions.hpp"
#include "program.hpp"

namespace whyfit {
namespace WHYFIT_TARGET {

template <class Real>
struct Linear {
  static constexpr bool kCheap = true;
  static constexpr int kSamplesTogether = 1;
  explicit Linear(const Layer&) {}
  Vector<Real> value(Vector<Real> z) const { return z; }
  Vector<Real> times_slope(Vector<Real>, Vector<Real> delta) const { return delta; }
  struct Slope {
    void add(Vector<Real>& sum, Vector<Real> term) const { sum += term; }
  };
  Slope slope_at(Vector<Real>) const { return {}; }
};

// max(0, z); the slope at 0 is 0, as in Keras (JAX, TensorFlow), PyTorch and scikit-learn.
template <class Real>
struct Relu {
  static constexpr bool kCheap = true;
  static constexpr int kSamplesTogether = 1;
  explicit Relu(const Layer&) {}
  Vector<Real> value(Vector<Real> z) const { return maximum(Vector<Real>{}, z); }
  Vector<Real> times_slope(Vector<Real> a, Vector<Real> delta) const {
    return a > Real(0) ? delta : Vector<Real>{};
  }
  using Slope = Gate<Real>;
  Slope slope_at(Vector<Real> z) const { return Slope(z); }
};

// z, or slope z below zero. At 0 (a unit without bias yet, at x = 0) the slope is 1 in Keras on JAX
// (jax.nn.leaky_relu: x >= 0) and that of the left side in PyTorch.
template <class Real>
struct LeakyRelu {
  static constexpr bool kCheap = true;
  static constexpr int kSamplesTogether = 1;
  // Above `bound` the slope is 1. Where that holds at 0 it is the negative number next to 0: smaller ones
  // are flushed to 0, also when they are compared, or tell nothing where they are not.
  Real slope, bound;
  explicit LeakyRelu(const Layer& layer)
      : slope(Real(layer.constant)),
        bound(layer.slope_at_zero == 1.0 ? -std::numeric_limits<Real>::min() : Real(0)) {}
  Vector<Real> value(Vector<Real> z) const { return z * slope_of(z); }
  Vector<Real> slope_of(Vector<Real> a) const {
    return a > bound ? broadcast<Real>(1) : broadcast<Real>(slope);
  }
  Vector<Real> times_slope(Vector<Real> a, Vector<Real> delta) const { return delta * slope_of(a); }
  struct Slope {
    Vector<Real> factor;
    void add(Vector<Real>& sum, Vector<Real> term) const { sum += term * factor; }
  };
  Slope slope_at(Vector<Real> z) const { return {slope_of(z)}; }
};

// z, or alpha (e^z - 1) below zero, where the slope is a + alpha.
template <class Real>
struct Elu {
  static constexpr bool kCheap = false;
  static constexpr int kSamplesTogether = 1;
  Real alpha;
  explicit Elu(const Layer& layer) : alpha(Real(layer.constant)) {}
  Vector<Real> value(Vector<Real> z) const {
    Vector<Real> below = minimum(Vector<Real>{}, z);
    return z > Real(0) ? z : expm1_of_negative(below) * alpha;
  }
  Vector<Real> times_slope(Vector<Real> a, Vector<Real> delta) const {
    return a > Real(0) ? delta : delta * (a + alpha);
  }
  Vector<Real> times_slope(Vector<Real> a, Vector<Real> delta, Vector<Real> product) const {
    return a > Real(0) ? delta : product + delta * alpha;
  }
};

template <class Real>
struct Tanh {
  static constexpr bool kCheap = false;
  static constexpr int kSamplesTogether = 2;
  explicit Tanh(const Layer&) {}
  Vector<Real> value(Vector<Real> z) const { return hyperbolic_tangent(z); }
  Vector<Real> times_slope(Vector<Real> a, Vector<Real> delta) const {
    return delta * (Real(1) - a * a);
  }
  Vector<Real> times_slope(Vector<Real> a, Vector<Real> delta, Vector<Real> product) const {
    return delta - product * a;
  }
};

template <class Real>
struct Sigmoid {
  static constexpr bool kCheap = false;
  static constexpr int kSamplesTogether = 1;
  explicit Sigmoid(const Layer&) {}
  Vector<Real> value(Vector<Real> z) const { return logistic(z); }
  Vector<Real> times_slope(Vector<Real> a, Vector<Real> delta) const {
    return delta * (a * (Real(1) - a));
  }
  Vector<Real> times_slope(Vector<Real> a, Vector<Real>, Vector<Real> product) const {
    return product - product * a;
  }
};

// f of several sums at once, so that their operations overlap.
template <class F, class V, int N>
[[gnu::always_inline]] inline void apply(const F& f, V (&z)[N]) {
  #pragma GCC unroll 8
  for (int n = 0; n < N; ++n) z[n] = f.value(z[n]);
}
template <class Real, int N>
[[gnu::always_inline]] inline void apply(const Tanh<Real>&, Vector<Real> (&z)[N]) {
  hyperbolic_tangents(z);
}
template <class Real, int N>
[[gnu::always_inline]] inline void apply(const Sigmoid<Real>&, Vector<Real> (&z)[N]) {
  logistics(z);
}

// The same where the weights of the sums have been multiplied with kScale<F> before.
template <class F>
constexpr float kScale = 1.0f;
template <>
constexpr float kScale<Tanh<float>> = kTangentScale;
template <>
constexpr float kScale<Sigmoid<float>> = kLogisticScale;

template <class F, class V, int N>
[[gnu::always_inline]] inline void apply_scaled(const F& f, V (&z)[N]) {
  apply(f, z);
}
template <int N>
[[gnu::always_inline]] inline void apply_scaled(const Tanh<float>&, Vector<float> (&z)[N]) {
  hyperbolic_tangents<true>(z);
}
template <int N>
[[gnu::always_inline]] inline void apply_scaled(const Sigmoid<float>&, Vector<float> (&z)[N]) {
  logistics<true>(z);
}

// N such sums on their way through f, if kOverlaps: `pass` takes some in while it works out f of those taken in before.
// With kLosesNaN it may make a number of a NaN.
template <class F, int N>
struct UnderWay {
  static constexpr bool kOverlaps = false, kLosesNaN = false;
};
#if defined(WHYFIT_TABLES)
template <int N>
struct UnderWay<Tanh<float>, N> : TangentsUnderWay<N> {
  static constexpr bool kOverlaps = true, kLosesNaN = true;
};
template <int N>
struct UnderWay<Sigmoid<float>, N> : LogisticsUnderWay<N, true> {
  static constexpr bool kOverlaps = true, kLosesNaN = true;
};
#endif

// Calls visit with the layer's activation, where it is one of the above: the kernels of layers are
// compiled for each of these. All others pass through `with_curve` (curves.hpp) in a step of their own.
template <class Real, class Visit>
inline void with_activation(const Layer& layer, Visit visit) {
  switch (layer.activation) {
    case Activation::relu: return visit(Relu<Real>(layer));
    case Activation::leaky_relu: return visit(LeakyRelu<Real>(layer));
    case Activation::elu: return visit(Elu<Real>(layer));
    case Activation::tanh: return visit(Tanh<Real>(layer));
    case Activation::sigmoid: return visit(Sigmoid<Real>(layer));
    default: return visit(Linear<Real>(layer));
  }
}

// Whether the layer's sums are stored before its activation is applied, with the slope beside the
// output: for activations whose slope does not follow from the output, and where dropout or a
// penalty on the outputs comes between.
inline bool is_staged(const Layer& layer) {
  return layer.activation > Activation::sigmoid || layer.dropout > 0.0 ||
         layer.activity_l1 != 0.0 || layer.activity_l2 != 0.0;
}

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
