// Every activation as a curve: its value and its slope at z, computed together.
//
// Used where the slope is stored beside the output (`is_staged` in activations.hpp). The two often
// share an exponential, so that both cost little more than one. Formulas: keras/src/activations/
// activations.py and the backends' nn.py; PyTorch's and scikit-learn's are the same unless said.
#pragma once

#include "activations.hpp"

namespace whyfit {
namespace WHYFIT_TARGET {

// One of the activations of activations.hpp, whose slope follows from the output.
template <class Real, class F>
struct FromOutput {
  F f;
  explicit FromOutput(const Layer& layer) : f(layer) {}
  void both(Vector<Real> z, Vector<Real>& value, Vector<Real>& slope) const {
    value = f.value(z);
    slope = f.times_slope(value, broadcast<Real>(1));
  }
};

// min(z, most) above the threshold, slope (z - threshold) at or below it. relu6 is one of these.
template <class Real>
struct BoundedRelu {
  Real below, most, threshold, slope_at_zero;
  explicit BoundedRelu(const Layer& layer)
      : below(Real(layer.constant)),
        most(Real(layer.most)),
        threshold(Real(layer.threshold)),
        slope_at_zero(Real(layer.slope_at_zero)) {}
  void both(Vector<Real> z, Vector<Real>& value, Vector<Real>& slope) const {
    Vector<Real> one = broadcast<Real>(1), left = broadcast<Real>(below);
    value = z > threshold ? minimum(broadcast<Real>(most), z) : (z - threshold) * below;
    left = z == threshold ? broadcast<Real>(slope_at_zero) : left;
    slope = z > threshold ? (z < most ? one : Vector<Real>{}) : left;
  }
};

// scale z, or scale alpha (e^z - 1) below zero (Klambauer and others 2017).
template <class Real>
struct Selu {
  explicit Selu(const Layer&) {}
  void both(Vector<Real> z, Vector<Real>& value, Vector<Real>& slope) const {
    constexpr double kAlpha = 1.6732632423543772, kScale = 1.0507009873554805;
    Vector<Real> grown = expm1_of_negative(minimum(Vector<Real>{}, z)) * Real(kScale * kAlpha);
    value = z > Real(0) ? z * Real(kScale) : grown;
    slope = z > Real(0) ? broadcast<Real>(Real(kScale)) : grown + Real(kScale * kAlpha);
  }
};

// z Phi(z), where Phi is the normal distribution function (Hendrycks & Gimpel 2016).
template <class Real>
struct Gelu {
  explicit Gelu(const Layer&) {}
  void both(Vector<Real> z, Vector<Real>& value, Vector<Real>& slope) const {
    Vector<Real> share = (error_function(z * Real(0.70710678118654752)) + Real(1)) * Real(0.5);
    Vector<Real> density = exponential(z * z * Real(-0.5)) * Real(0.39894228040143268);
    value = z * share;
    slope = share + z * density;
  }
};

// z (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3))) / 2: gelu with approximate=True.
template <class Real>
struct GeluTanh {
  explicit GeluTanh(const Layer&) {}
  void both(Vector<Real> z, Vector<Real>& value, Vector<Real>& slope) const {
    constexpr double kFactor = 0.79788456080286536, kCubic = 0.044715;
    Vector<Real> square = z * z;
    Vector<Real> bend =
        hyperbolic_tangent(z * (square * Real(kFactor * kCubic) + Real(kFactor)));
    Vector<Real> inner = square * Real(3 * kFactor * kCubic) + Real(kFactor);
    value = z * (bend + Real(1)) * Real(0.5);
    slope = (bend + Real(1) + z * (Real(1) - bend * bend) * inner) * Real(0.5);
  }
};

// z sigmoid(z)
template <class Real>
struct Silu {
  explicit Silu(const Layer&) {}
  void both(Vector<Real> z, Vector<Real>& value, Vector<Real>& slope) const {
    Vector<Real> gate = logistic(z);
    value = z * gate;
    slope = gate * (z * (Real(1) - gate) + Real(1));
  }
};

// z tanh(ln(1 + e^z)) (Misra 2019). With e = e^z the tanh is n / (n + 2) for n = e (e + 2); beyond
// z = 20 it is 1 to the last bit of a double's half.
template <class Real>
struct Mish {
  explicit Mish(const Layer&) {}
  void both(Vector<Real> z, Vector<Real>& value, Vector<Real>& slope) const {
    Vector<Real> grown = exponential(minimum(broadcast<Real>(20), z));
    Vector<Real> n = grown * (grown + Real(2));
    Vector<Real> bend = n / (n + Real(2));
    value = z * bend;
    slope = bend + z * (Real(1) - bend * bend) * logistic(z);
  }
};

// ln(1 + e^z); its slope is the sigmoid.
template <class Real>
struct Softplus {
  explicit Softplus(const Layer&) {}
  void both(Vector<Real> z, Vector<Real>& value, Vector<Real>& slope) const {
    value = soft_plus<Real>(z);
    slope = logistic(z);
  }
};

// z / (1 + |z|)
template <class Real>
struct Softsign {
  explicit Softsign(const Layer&) {}
  void both(Vector<Real> z, Vector<Real>& value, Vector<Real>& slope) const {
    Vector<Real> inverse = Real(1) / (absolute<Real>(z) + Real(1));
    value = z * inverse;
    slope = inverse * inverse;
  }
};

// min(max(z + 3, 0), 6) / 6
template <class Real>
struct HardSigmoid {
  explicit HardSigmoid(const Layer&) {}
  void both(Vector<Real> z, Vector<Real>& value, Vector<Real>& slope) const {
    constexpr Real kSixth = Real(1.0 / 6.0);
    Vector<Real> moved = z + Real(3);
    value = minimum(broadcast<Real>(6), maximum(Vector<Real>{}, moved)) * kSixth;
    Mask<Real> inside = (moved > Real(0)) & (moved < Real(6));
    slope = inside ? broadcast<Real>(kSixth) : Vector<Real>{};
  }
};

// min(max(z, -1), 1)
template <class Real>
struct HardTanh {
  explicit HardTanh(const Layer&) {}
  void both(Vector<Real> z, Vector<Real>& value, Vector<Real>& slope) const {
    value = minimum(broadcast<Real>(1), maximum(broadcast<Real>(-1), z));
    slope = absolute<Real>(z) < Real(1) ? broadcast<Real>(1) : Vector<Real>{};
  }
};

template <class Real>
struct Exponential {
  explicit Exponential(const Layer&) {}
  void both(Vector<Real> z, Vector<Real>& value, Vector<Real>& slope) const {
    value = exponential(z);
    slope = value;
  }
};

template <class Real>
struct Sine {
  explicit Sine(const Layer&) {}
  void both(Vector<Real> z, Vector<Real>& value, Vector<Real>& slope) const {
    auto found = sine_and_cosine(z);
    value = found.sine;
    slope = found.cosine;
  }
};

// Calls visit with the layer's curve. prelu and softmax need more than z and stand in stages.hpp.
template <class Real, class Visit>
inline void with_curve(const Layer& layer, Visit visit) {
  switch (layer.activation) {
    case Activation::relu: return visit(FromOutput<Real, Relu<Real>>(layer));
    case Activation::leaky_relu: return visit(FromOutput<Real, LeakyRelu<Real>>(layer));
    case Activation::elu: return visit(FromOutput<Real, Elu<Real>>(layer));
    case Activation::tanh: return visit(FromOutput<Real, Tanh<Real>>(layer));
    case Activation::sigmoid: return visit(FromOutput<Real, Sigmoid<Real>>(layer));
    case Activation::bounded_relu: return visit(BoundedRelu<Real>(layer));
    case Activation::selu: return visit(Selu<Real>(layer));
    case Activation::gelu: return visit(Gelu<Real>(layer));
    case Activation::gelu_tanh: return visit(GeluTanh<Real>(layer));
    case Activation::silu: return visit(Silu<Real>(layer));
    case Activation::mish: return visit(Mish<Real>(layer));
    case Activation::softplus: return visit(Softplus<Real>(layer));
    case Activation::softsign: return visit(Softsign<Real>(layer));
    case Activation::hard_sigmoid: return visit(HardSigmoid<Real>(layer));
    case Activation::hard_tanh: return visit(HardTanh<Real>(layer));
    case Activation::exponential: return visit(Exponential<Real>(layer));
    case Activation::sine: return visit(Sine<Real>(layer));
    default: return visit(FromOutput<Real, Linear<Real>>(layer));
  }
}

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
