// Losses: what one output contributes, and its slope with respect to the prediction.
//
// A loss of single outputs has `both(prediction, target, value, slope)`; the cross-entropy of classes
// looks at all outputs of a sample (`with_row_loss`). Formulas: keras/src/losses/losses.py and
// backend/jax/nn.py; for PyTorch aten/src/ATen/native/Loss.cpp as its documentation gives it. How the
// numbers are added up stands in `Reduction`.
#pragma once

#include "functions.hpp"
#include "program.hpp"

namespace whyfit {
namespace WHYFIT_TARGET {

// keras/src/backend/config.py, epsilon(): bounds of probabilities and of divisors.
constexpr double kKerasEpsilon = 1e-7;

template <class Real>
struct MeanSquaredError {
  explicit MeanSquaredError(const Program&) {}
  static Vector<Real> value(Vector<Real> error) { return error * error; }
  static Vector<Real> slope(Vector<Real> error) { return error + error; }
  static constexpr int kSlopeFactor = 2;
  static Vector<Real> slope_without_factor(Vector<Real> error) { return error; }
};

// The slope at 0 is 0, as jax.numpy.sign has it.
template <class Real>
struct MeanAbsoluteError {
  explicit MeanAbsoluteError(const Program&) {}
  static Vector<Real> value(Vector<Real> error) { return absolute<Real>(error); }
  static Vector<Real> slope(Vector<Real> error) {
    Vector<Real> sign = copy_sign<Real>(broadcast<Real>(1), error);
    return error == Real(0) ? Vector<Real>{} : sign;
  }
  static constexpr int kSlopeFactor = 1;
  static Vector<Real> slope_without_factor(Vector<Real> error) { return slope(error); }
};

// A loss that depends on prediction - target alone, in the form of the others.
template <class Real, class L>
struct OfError {
  explicit OfError(const Program&) {}
  void both(Vector<Real> p, Vector<Real> t, Vector<Real>& value, Vector<Real>& slope) const {
    value = L::value(p - t);
    slope = L::slope(p - t);
  }
};

// e^2 / 2 up to |e| = delta, delta |e| - delta^2 / 2 beyond (Huber 1964).
template <class Real>
struct Huber {
  Real delta;
  explicit Huber(const Program& program) : delta(Real(program.loss_constant)) {}
  void both(Vector<Real> p, Vector<Real> t, Vector<Real>& value, Vector<Real>& slope) const {
    Vector<Real> error = p - t, size = absolute<Real>(error);
    Vector<Real> near = error * error * Real(0.5);
    value = size <= delta ? near : size * delta - Real(0.5) * delta * delta;
    slope = size <= delta ? error : copy_sign<Real>(broadcast<Real>(delta), error);
  }
};

// ln cosh e = e + ln(1 + e^-2e) - ln 2; the slope is tanh e.
template <class Real>
struct LogCosh {
  explicit LogCosh(const Program&) {}
  void both(Vector<Real> p, Vector<Real> t, Vector<Real>& value, Vector<Real>& slope) const {
    Vector<Real> error = p - t;
    value = error + soft_plus<Real>(error * Real(-2)) - Real(0.69314718055994531);
    slope = hyperbolic_tangent(error);
  }
};

// 100 |t - p| / max(|t|, epsilon)
template <class Real>
struct MeanAbsolutePercentageError {
  explicit MeanAbsolutePercentageError(const Program&) {}
  void both(Vector<Real> p, Vector<Real> t, Vector<Real>& value, Vector<Real>& slope) const {
    Vector<Real> size = maximum(broadcast<Real>(Real(kKerasEpsilon)), absolute<Real>(t));
    Vector<Real> factor = Real(100) / size;
    value = MeanAbsoluteError<Real>::value(p - t) * factor;
    slope = MeanAbsoluteError<Real>::slope(p - t) * factor;
  }
};

// (ln(1 + max(p, epsilon)) - ln(1 + max(t, epsilon)))^2; flat where p is below epsilon.
template <class Real>
struct MeanSquaredLogarithmicError {
  explicit MeanSquaredLogarithmicError(const Program&) {}
  void both(Vector<Real> p, Vector<Real> t, Vector<Real>& value, Vector<Real>& slope) const {
    const Vector<Real> least = broadcast<Real>(Real(kKerasEpsilon));
    Vector<Real> above = maximum(least, p) + Real(1);
    Vector<Real> error = logarithm(above) - logarithm(maximum(least, t) + Real(1));
    value = error * error;
    slope = p > least ? (error + error) / above : Vector<Real>{};
  }
};

// -t ln p - (1 - t) ln(1 - p). Keras bounds p by epsilon and 1 - epsilon, where the slope ends; PyTorch
// bounds the logarithms by -100 and p (1 - p) by 1e-12.
template <class Real>
struct BinaryCrossentropy {
  Real smoothing;
  bool torch;
  explicit BinaryCrossentropy(const Program& program)
      : smoothing(Real(program.label_smoothing)), torch(program.form == Form::torch) {}
  void both(Vector<Real> p, Vector<Real> t, Vector<Real>& value, Vector<Real>& slope) const {
    t = t * (Real(1) - smoothing) + Real(0.5) * smoothing;
    if (torch) {
      const Vector<Real> least = broadcast<Real>(-100);
      Vector<Real> on = maximum(least, logarithm(p)), off = maximum(least, logarithm(Real(1) - p));
      value = -(t * on + (Real(1) - t) * off);
      slope = (p - t) / maximum(broadcast<Real>(Real(1e-12)), p * (Real(1) - p));
      return;
    }
    const Real low = Real(kKerasEpsilon), high = Real(1.0 - kKerasEpsilon);
    Vector<Real> q = minimum(broadcast<Real>(high), maximum(broadcast<Real>(low), p));
    Vector<Real> rest = Real(1) - q;
    value = -(t * logarithm(q) + (Real(1) - t) * logarithm(rest));
    Mask<Real> inside = (p > low) & (p < high);
    slope = inside ? (Real(1) - t) / rest - t / q : Vector<Real>{};
  }
};

// The same of p = sigmoid(z), from the logit z: max(z, 0) - t z + ln(1 + e^-|z|); slope sigmoid(z) - t.
template <class Real>
struct BinaryCrossentropyOfLogits {
  Real smoothing;
  explicit BinaryCrossentropyOfLogits(const Program& program)
      : smoothing(Real(program.label_smoothing)) {}
  void both(Vector<Real> z, Vector<Real> t, Vector<Real>& value, Vector<Real>& slope) const {
    t = t * (Real(1) - smoothing) + Real(0.5) * smoothing;
    value = soft_plus<Real>(z) - t * z;
    slope = logistic(z) - t;
  }
};

// e^2 / 2
template <class Real>
struct HalfSquaredError {
  explicit HalfSquaredError(const Program&) {}
  void both(Vector<Real> p, Vector<Real> t, Vector<Real>& value, Vector<Real>& slope) const {
    slope = p - t;
    value = slope * slope * Real(0.5);
  }
};

// Cross-entropy of classes, -sum_k t_k ln p_k, over the `outputs` predictions of one sample. Writes the
// slopes in place of the predictions and returns the value. From logits p is their softmax and the
// slope p sum(t) - t. Otherwise Keras divides the predictions by their sum and bounds them by epsilon.
template <class Real, class Target>
Vector<Real> categorical_crossentropy(const Program& program, Vector<Real>* row, int outputs,
                                      const Target& target) {
  const Real smoothing = Real(program.label_smoothing);
  auto wanted = [&](int o) {
    return target(o) * (Real(1) - smoothing) + smoothing / Real(outputs) + Vector<Real>{};
  };
  Vector<Real> value = {};
  if (program.from_logits) {
    Vector<Real> most = row[0], total = {}, weight = {};
    for (int o = 1; o < outputs; ++o) most = maximum(most, row[o]);
    for (int o = 0; o < outputs; ++o) total += exponential(row[o] - most);
    Vector<Real> log_total = logarithm(total);
    for (int o = 0; o < outputs; ++o) {
      value -= wanted(o) * (row[o] - most - log_total);
      weight += wanted(o);
    }
    for (int o = 0; o < outputs; ++o)
      row[o] = exponential(row[o] - most) / total * weight - wanted(o);
    return value;
  }
  const Vector<Real> low = broadcast<Real>(Real(kKerasEpsilon));
  const Vector<Real> high = broadcast<Real>(Real(1.0 - kKerasEpsilon));
  Vector<Real> total = {}, shared = {};
  for (int o = 0; o < outputs; ++o) total += row[o];
  for (int o = 0; o < outputs; ++o) {
    Vector<Real> share = row[o] / total;
    Vector<Real> bounded = minimum(high, maximum(low, share));
    value -= wanted(o) * logarithm(bounded);
    Mask<Real> inside = (share > low) & (share < high);
    Vector<Real> slope = inside ? -wanted(o) / bounded : Vector<Real>{};
    shared += slope * share;
    row[o] = slope;
  }
  for (int o = 0; o < outputs; ++o) row[o] = (row[o] - shared) / total;
  return value;
}

// Calls visit with the loss, for all losses of single outputs.
template <class Real, class Visit>
inline void with_loss(const Program& program, Visit visit) {
  switch (program.loss) {
    case Loss::mean_absolute_error:
      return visit(OfError<Real, MeanAbsoluteError<Real>>(program));
    case Loss::huber: return visit(Huber<Real>(program));
    case Loss::log_cosh: return visit(LogCosh<Real>(program));
    case Loss::mean_absolute_percentage_error:
      return visit(MeanAbsolutePercentageError<Real>(program));
    case Loss::mean_squared_logarithmic_error:
      return visit(MeanSquaredLogarithmicError<Real>(program));
    case Loss::binary_crossentropy:
      if (program.from_logits) return visit(BinaryCrossentropyOfLogits<Real>(program));
      return visit(BinaryCrossentropy<Real>(program));
    case Loss::half_squared_error: return visit(HalfSquaredError<Real>(program));
    default: return visit(OfError<Real, MeanSquaredError<Real>>(program));
  }
}

// How single losses become the loss of a batch. Keras (`sum_over_batch_size`, keras/src/losses/loss.py):
// the mean over the outputs of a sample, then over the samples, also where they are weighted; the
// short last batch divides by its own size. Classes are one loss a sample. scikit-learn descends the
// sum over outputs and divides by the sum of the weights.
struct Reduction {
  bool sum, by_weights;
  double factor, outputs_of_slope, outputs_of_value;

  Reduction(const Program& program, int outputs)
      : sum(program.sum_reduction),
        by_weights(program.divide_by_weights),
        factor(program.loss_factor),
        outputs_of_slope(outputs),
        outputs_of_value(outputs) {
    bool scikit = program.form == Form::sklearn;
    if (program.loss == Loss::categorical_crossentropy ||
        (program.loss == Loss::binary_crossentropy && scikit))
      outputs_of_slope = outputs_of_value = 1.0;
    if (program.loss == Loss::half_squared_error) outputs_of_slope = 1.0;
    // PyTorch's sum runs over the outputs too; Keras's adds up the means of the samples.
    if (sum && program.form == Form::torch) outputs_of_slope = outputs_of_value = 1.0;
  }
  // Whether it is the mean over samples and outputs.
  bool plain(int outputs) const {
    return !sum && !by_weights && factor == 1.0 && outputs_of_slope == outputs &&
           outputs_of_value == outputs;
  }
  // What the sum over samples and outputs is multiplied by; `weight` is the sum of the weights of
  // the samples, or their number.
  double share_of_slope(double weight) const {
    return factor / ((sum ? 1.0 : weight) * outputs_of_slope);
  }
  double share_of_value(double weight) const {
    return factor / ((sum ? 1.0 : weight) * outputs_of_value);
  }
};

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
