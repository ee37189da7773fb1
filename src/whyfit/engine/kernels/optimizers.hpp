// One optimizer step over the parameters of a block, in the form and with the constants of a framework.
//
// Each class holds the constants of one step as scalars and says how many state vectors a parameter needs
// (`kStates`, without what momentum, centring and amsgrad add); `update` changes a weight and its state from the
// weight's gradient. Keras's forms are in keras/src/optimizers/<name>.py, PyTorch's in torch/optim/<name>.py.
// scikit-learn's two (sklearn/neural_network/_stochastic_optimizers.py) are Keras's. Clipping and weight decay
// come before, in gradients.hpp.
#pragma once

#include "program.hpp"
#include "vector.hpp"

namespace whyfit {
namespace WHYFIT_TARGET {

// What changes from step to step besides the weights: the powers of the betas, kept as running
// products because a call of pow for each step of a 13-weight network costs a tenth of the fit.
class Clock {
 public:
  template <class Real>
  void tick(const Program& program, Real) {
    // Keras takes the powers after rounding the betas to the weights' precision; at the first
    // steps 1 - beta_2^t feels that rounding in its fifth digit. PyTorch takes them in double.
    if (program.form == Form::keras) {
      power_1 *= double(Real(program.beta_1));
      power_2 *= double(Real(program.beta_2));
    } else {
      power_1 *= program.beta_1;
      power_2 *= program.beta_2;
    }
    ++step;
    if (program.optimizer == Optimizer::nadam) tick_nesterov(program);
  }
  double power_1 = 1.0, power_2 = 1.0;
  std::int64_t step = 0;
  // Dozat 2016: mu_t = beta_1 (1 - 0.96^(t d) / 2), and the product of all so far. d is 1 in
  // Keras, `momentum_decay` in PyTorch.
  double mu = 0.0, next_mu = 0.0, product = 1.0;

 private:
  void tick_nesterov(const Program& program) {
    double decay = program.form == Form::torch ? program.momentum_decay : 1.0;
    mu = program.beta_1 * (1.0 - 0.5 * __builtin_pow(0.96, double(step) * decay));
    next_mu = program.beta_1 * (1.0 - 0.5 * __builtin_pow(0.96, double(step + 1) * decay));
    product *= mu;
  }
};

// The learning rate of a step: one for all lanes, or one each where the schedule watches the loss.
struct Rate {
  double shared;
  const double* of_lanes = nullptr;

  // rate a / b, rounded once.
  template <class Real>
  Vector<Real> times(double a = 1.0, double b = 1.0) const {
    if (!of_lanes) return broadcast<Real>(Real(shared * a / b));
    Vector<Real> found;
    for (int lane = 0; lane < Lanes<Real>::count; ++lane)
      found[lane] = Real(of_lanes[lane] * a / b);
    return found;
  }
};

// w -= rate g
template <class Real>
struct PlainSgd {
  static constexpr int kStates = 0;
  Vector<Real> rate;
  PlainSgd(const Program&, const Clock&, const Rate& r) : rate(r.times<Real>()) {}
  void update(Vector<Real>& weight, Vector<Real> gradient, Vector<Real>*, std::int64_t) const {
    weight -= gradient * rate;
  }
};

// Keras, scikit-learn: m = mu m - rate g; w += m, or w += mu m - rate g with Nesterov
template <class Real>
struct MomentumSgd {
  static constexpr int kStates = 1;
  Vector<Real> rate;
  Real momentum;
  bool nesterov;
  MomentumSgd(const Program& program, const Clock&, const Rate& r)
      : rate(r.times<Real>()),
        momentum(Real(program.momentum)),
        nesterov(program.nesterov) {}
  void update(Vector<Real>& weight, Vector<Real> gradient, Vector<Real>* state,
              std::int64_t) const {
    Vector<Real> step = gradient * rate;
    Vector<Real> velocity = state[0] * momentum - step;
    state[0] = velocity;
    weight += nesterov ? velocity * momentum - step : velocity;
  }
};

// PyTorch: m = mu m + (1 - dampening) g, at the first step m = g; w -= rate m, or
// w -= rate (g + mu m) with Nesterov
template <class Real>
struct MomentumSgdOfTorch {
  static constexpr int kStates = 1;
  Vector<Real> rate;
  Real momentum, rest;
  bool nesterov;
  MomentumSgdOfTorch(const Program& program, const Clock& clock, const Rate& r)
      : rate(r.times<Real>()),
        momentum(Real(program.momentum)),
        rest(Real(clock.step == 1 ? 1.0 : 1.0 - program.dampening)),
        nesterov(program.nesterov) {}
  void update(Vector<Real>& weight, Vector<Real> gradient, Vector<Real>* state,
              std::int64_t) const {
    Vector<Real> mean = state[0] * momentum + gradient * rest;
    state[0] = mean;
    weight -= (nesterov ? gradient + mean * momentum : mean) * rate;
  }
};

// Keras: v = rho v + (1 - rho) g^2; w -= rate g / sqrt(v + eps), where `centered` takes the square of
// the mean gradient from v, and momentum gathers the increments. PyTorch: epsilon outside the root,
// and the rate multiplies what momentum has gathered.
template <class Real>
struct RmsProp {
  static constexpr int kStates = 1;
  Vector<Real> rate, late_rate;
  Real rho, rest, momentum, inside, outside;
  bool centered;
  RmsProp(const Program& program, const Clock&, const Rate& r)
      : rho(Real(program.rho)),
        rest(Real(1.0 - program.rho)),
        momentum(Real(program.momentum)),
        centered(program.centered) {
    bool torch = program.form == Form::torch;
    inside = torch ? Real(0) : Real(program.epsilon);
    outside = torch ? Real(program.epsilon) : Real(0);
    rate = torch ? broadcast<Real>(1) : r.times<Real>();
    late_rate = torch ? r.times<Real>() : broadcast<Real>(1);
  }
  void update(Vector<Real>& weight, Vector<Real> gradient, Vector<Real>* state,
              std::int64_t stride) const {
    Vector<Real> velocity = state[0] * rho + gradient * gradient * rest;
    state[0] = velocity;
    if (centered) {
      Vector<Real> mean = state[stride] * rho + gradient * rest;
      state[stride] = mean;
      velocity -= mean * mean;
    }
    Vector<Real> increment = gradient * rate / (square_root<Real>(velocity + inside) + outside);
    if (momentum > Real(0)) {
      increment += state[2 * stride] * momentum;
      state[2 * stride] = increment;
    }
    weight -= increment * late_rate;
  }
};

// Keras, scikit-learn: the form of Kingma & Ba 2015, section 2, last paragraph, with epsilon outside the
// bias correction ("epsilon hat"). Both sides of the
// fraction are doubled, for `twice_square_root`.
template <class Real>
struct Adam {
  static constexpr int kStates = 2;
  Vector<Real> alpha;
  Real rest_1, rest_2, epsilon;
  Adam(const Program& program, const Clock& clock, const Rate& r)
      : alpha(r.times<Real>(2.0 * __builtin_sqrt(1.0 - clock.power_2), 1.0 - clock.power_1)),
        rest_1(Real(1.0 - program.beta_1)),
        rest_2(Real(1.0 - program.beta_2)),
        epsilon(Real(2.0 * program.epsilon)) {}
  void update(Vector<Real>& weight, Vector<Real> gradient, Vector<Real>* state,
              std::int64_t stride) const {
    Vector<Real> mean = state[0] + (gradient - state[0]) * rest_1;
    Vector<Real> square = state[stride] + (gradient * gradient - state[stride]) * rest_2;
    state[0] = mean;
    state[stride] = square;
    weight -= quotient(mean * alpha, twice_square_root(square) + epsilon);
  }
};

// Adam with the largest v so far (Reddi and others 2018), and PyTorch's Adam: w -= rate / (1 - beta_1^t)
// m / (sqrt(v) / sqrt(1 - beta_2^t) + eps)
template <class Real>
struct AdamOfTorch {
  static constexpr int kStates = 2;
  Vector<Real> alpha;
  Real rest_1, rest_2, epsilon, root;
  bool amsgrad;
  AdamOfTorch(const Program& program, const Clock& clock, const Rate& r)
      : rest_1(Real(1.0 - program.beta_1)),
        rest_2(Real(1.0 - program.beta_2)),
        epsilon(Real(program.epsilon)),
        amsgrad(program.amsgrad) {
    double correction = __builtin_sqrt(1.0 - clock.power_2);
    bool torch = program.form == Form::torch;
    alpha = r.times<Real>(torch ? 1.0 : correction, 1.0 - clock.power_1);
    root = torch ? Real(1.0 / correction) : Real(1);
  }
  void update(Vector<Real>& weight, Vector<Real> gradient, Vector<Real>* state,
              std::int64_t stride) const {
    Vector<Real> mean = state[0] + (gradient - state[0]) * rest_1;
    Vector<Real> square = state[stride] + (gradient * gradient - state[stride]) * rest_2;
    state[0] = mean;
    state[stride] = square;
    if (amsgrad) {
      square = maximum(state[2 * stride], square);
      state[2 * stride] = square;
    }
    weight -= mean * alpha / (square_root<Real>(square) * root + epsilon);
  }
};

// Kingma & Ba 2015, section 7.1: u = max(beta_2 u, |g|); w -= rate / (1 - beta_1^t) m / (u + eps).
// PyTorch adds epsilon to |g| instead.
template <class Real>
struct Adamax {
  static constexpr int kStates = 2;
  Vector<Real> alpha;
  Real rest_1, beta_2, inside, outside;
  Adamax(const Program& program, const Clock& clock, const Rate& r)
      : alpha(r.times<Real>(1.0, 1.0 - clock.power_1)),
        rest_1(Real(1.0 - program.beta_1)),
        beta_2(Real(program.beta_2)) {
    bool torch = program.form == Form::torch;
    inside = torch ? Real(program.epsilon) : Real(0);
    outside = torch ? Real(0) : Real(program.epsilon);
  }
  void update(Vector<Real>& weight, Vector<Real> gradient, Vector<Real>* state,
              std::int64_t stride) const {
    Vector<Real> mean = state[0] + (gradient - state[0]) * rest_1;
    Vector<Real> norm = maximum(state[stride] * beta_2, absolute<Real>(gradient) + inside);
    state[0] = mean;
    state[stride] = norm;
    weight -= mean * alpha / (norm + outside);
  }
};

// Dozat 2016: w -= rate (mu' m / (1 - prod mu mu') + (1 - mu) g / (1 - prod mu)) / (sqrt(v^) + eps), with
// mu' the next step's mu and v^ the bias-corrected v.
template <class Real>
struct Nadam {
  static constexpr int kStates = 2;
  Vector<Real> rate_of_mean, rate_of_gradient;
  Real rest_1, rest_2, epsilon, root;
  Nadam(const Program& program, const Clock& clock, const Rate& r)
      : rate_of_mean(r.times<Real>(clock.next_mu, 1.0 - clock.product * clock.next_mu)),
        rate_of_gradient(r.times<Real>(1.0 - clock.mu, 1.0 - clock.product)),
        rest_1(Real(1.0 - program.beta_1)),
        rest_2(Real(1.0 - program.beta_2)),
        epsilon(Real(program.epsilon)),
        root(Real(1.0 / __builtin_sqrt(1.0 - clock.power_2))) {}
  void update(Vector<Real>& weight, Vector<Real> gradient, Vector<Real>* state,
              std::int64_t stride) const {
    Vector<Real> mean = state[0] + (gradient - state[0]) * rest_1;
    Vector<Real> square = state[stride] + (gradient * gradient - state[stride]) * rest_2;
    state[0] = mean;
    state[stride] = square;
    weight -= (mean * rate_of_mean + gradient * rate_of_gradient) /
              (square_root<Real>(square) * root + epsilon);
  }
};

// Duchi and others 2011: s += g^2; w -= rate g / sqrt(s + eps); PyTorch: rate g / (sqrt(s) + eps), with the
// rate divided by 1 + (t - 1) rate_decay. s begins at `initial_accumulator`.
template <class Real>
struct Adagrad {
  static constexpr int kStates = 1;
  Vector<Real> rate;
  Real inside, outside;
  Adagrad(const Program& program, const Clock& clock, const Rate& r) {
    bool torch = program.form == Form::torch;
    inside = torch ? Real(0) : Real(program.epsilon);
    outside = torch ? Real(program.epsilon) : Real(0);
    rate = r.times<Real>(1.0, torch ? 1.0 + double(clock.step - 1) * program.rate_decay : 1.0);
  }
  void update(Vector<Real>& weight, Vector<Real> gradient, Vector<Real>* state,
              std::int64_t) const {
    Vector<Real> sum = state[0] + gradient * gradient;
    state[0] = sum;
    weight -= gradient * rate / (square_root<Real>(sum + inside) + outside);
  }
};

// Zeiler 2012: s = rho s + (1 - rho) g^2; d = g sqrt(a + eps) / sqrt(s + eps); a = rho a + (1 - rho) d^2;
// w -= rate d. The same in both frameworks.
template <class Real>
struct Adadelta {
  static constexpr int kStates = 2;
  Vector<Real> rate;
  Real rho, rest, epsilon;
  Adadelta(const Program& program, const Clock&, const Rate& r)
      : rate(r.times<Real>()),
        rho(Real(program.rho)),
        rest(Real(1.0 - program.rho)),
        epsilon(Real(program.epsilon)) {}
  void update(Vector<Real>& weight, Vector<Real> gradient, Vector<Real>* state,
              std::int64_t stride) const {
    Vector<Real> square = state[0] * rho + gradient * gradient * rest;
    Vector<Real> moved = state[stride];
    Vector<Real> change =
        square_root<Real>(moved + epsilon) * gradient / square_root<Real>(square + epsilon);
    state[0] = square;
    state[stride] = moved * rho + change * change * rest;
    weight -= change * rate;
  }
};

// The parameters from `first` up to `last`, `parameters` being the distance between two states of one.
template <class Real, class Rule>
void update_all(const Rule& rule, Vector<Real>* weights, const Vector<Real>* gradient,
                Vector<Real>* state, std::int64_t parameters, std::int64_t first, std::int64_t last) {
  for (std::int64_t p = first; p < last; ++p)
    rule.update(weights[p], gradient[p], state + p, parameters);
}

template <class Real, class Visit>
inline void with_optimizer(const Program& program, const Clock& clock, const Rate& rate,
                           Visit visit) {
  switch (program.optimizer) {
    case Optimizer::sgd:
      if (program.momentum == 0.0) return visit(PlainSgd<Real>(program, clock, rate));
      if (program.form == Form::torch) return visit(MomentumSgdOfTorch<Real>(program, clock, rate));
      return visit(MomentumSgd<Real>(program, clock, rate));
    case Optimizer::rmsprop: return visit(RmsProp<Real>(program, clock, rate));
    case Optimizer::adam:
      if (program.form == Form::torch || program.amsgrad)
        return visit(AdamOfTorch<Real>(program, clock, rate));
      return visit(Adam<Real>(program, clock, rate));
    case Optimizer::adamax: return visit(Adamax<Real>(program, clock, rate));
    case Optimizer::nadam: return visit(Nadam<Real>(program, clock, rate));
    case Optimizer::adagrad: return visit(Adagrad<Real>(program, clock, rate));
    case Optimizer::adadelta: return visit(Adadelta<Real>(program, clock, rate));
  }
}

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
