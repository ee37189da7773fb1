// Activations f(z) and their slopes f'(z), in lanes.
//
// The slope is written in terms of the output a = f(z), so that z need not be kept. kCheap says that
// computing f again costs less than a store and a load. Cheap ones are homogeneous, f(z) = f'(z) z,
// and `add_slope_times` adds f'(z) times a term to a sum.
#pragma once

#include "functions.hpp"
#include "program.hpp"

namespace whyfit {
namespace WHYFIT_TARGET {

template <class Real>
struct Linear {
  static constexpr bool kCheap = true;
  explicit Linear(const Layer&) {}
  Vector<Real> value(Vector<Real> z) const { return z; }
  Vector<Real> times_slope(Vector<Real>, Vector<Real> delta) const { return delta; }
  template <int N>
  void add_slope_times(Vector<Real>, Vector<Real>* const (&sums)[N],
                       const Vector<Real> (&terms)[N]) const {
    #pragma GCC unroll 8
    for (int i = 0; i < N; ++i) *sums[i] += terms[i];
  }
};

// max(0, z); the slope at 0 is 0, as in Keras (JAX, TensorFlow), PyTorch and scikit-learn.
template <class Real>
struct Relu {
  static constexpr bool kCheap = true;
  explicit Relu(const Layer&) {}
  Vector<Real> value(Vector<Real> z) const { return maximum(Vector<Real>{}, z); }
  Vector<Real> times_slope(Vector<Real> a, Vector<Real> delta) const {
    return a > Real(0) ? delta : Vector<Real>{};
  }
  template <int N>
  [[gnu::always_inline]] void add_slope_times(Vector<Real> a, Vector<Real>* const (&sums)[N],
                                              const Vector<Real> (&terms)[N]) const {
    Positive<Real> on(a);
    #pragma GCC unroll 8
    for (int i = 0; i < N; ++i) on.add(*sums[i], terms[i]);
  }
};

// z, or slope z below zero; the slope at 0 is that of the left side (jax.nn.leaky_relu has
// z >= 0 on the right, which no start or step ever meets).
template <class Real>
struct LeakyRelu {
  static constexpr bool kCheap = true;
  Real slope;
  explicit LeakyRelu(const Layer& layer) : slope(Real(layer.constant)) {}
  Vector<Real> value(Vector<Real> z) const { return z > Real(0) ? z : z * slope; }
  Vector<Real> times_slope(Vector<Real> a, Vector<Real> delta) const {
    return a > Real(0) ? delta : delta * slope;
  }
  template <int N>
  [[gnu::always_inline]] void add_slope_times(Vector<Real> a, Vector<Real>* const (&sums)[N],
                                              const Vector<Real> (&terms)[N]) const {
    #pragma GCC unroll 8
    for (int i = 0; i < N; ++i) *sums[i] += a > Real(0) ? terms[i] : terms[i] * slope;
  }
};

// z, or alpha (e^z - 1) below zero, where the slope is a + alpha.
template <class Real>
struct Elu {
  static constexpr bool kCheap = false;
  Real alpha;
  explicit Elu(const Layer& layer) : alpha(Real(layer.constant)) {}
  Vector<Real> value(Vector<Real> z) const {
    Vector<Real> below = minimum(Vector<Real>{}, z);
    return z > Real(0) ? z : expm1_of_negative(below) * alpha;
  }
  Vector<Real> times_slope(Vector<Real> a, Vector<Real> delta) const {
    return a > Real(0) ? delta : delta * (a + alpha);
  }
};

template <class Real>
struct Tanh {
  static constexpr bool kCheap = false;
  explicit Tanh(const Layer&) {}
  Vector<Real> value(Vector<Real> z) const { return hyperbolic_tangent(z); }
  Vector<Real> times_slope(Vector<Real> a, Vector<Real> delta) const {
    return delta * (Real(1) - a * a);
  }
};

template <class Real>
struct Sigmoid {
  static constexpr bool kCheap = false;
  explicit Sigmoid(const Layer&) {}
  Vector<Real> value(Vector<Real> z) const { return logistic(z); }
  Vector<Real> times_slope(Vector<Real> a, Vector<Real> delta) const {
    return delta * (a * (Real(1) - a));
  }
};

// Calls visit with the layer's activation: the one place that turns a number into code.
template <class Real, class Visit>
inline void with_activation(const Layer& layer, Visit visit) {
  switch (layer.activation) {
    case Activation::linear: return visit(Linear<Real>(layer));
    case Activation::relu: return visit(Relu<Real>(layer));
    case Activation::leaky_relu: return visit(LeakyRelu<Real>(layer));
    case Activation::elu: return visit(Elu<Real>(layer));
    case Activation::tanh: return visit(Tanh<Real>(layer));
    case Activation::sigmoid: return visit(Sigmoid<Real>(layer));
  }
}

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
