// One optimizer step over all parameters of a block, in the form and with the constants of Keras.
//
// Each class holds the constants of one step as scalars and says how many state vectors a
// parameter needs; `update` changes a weight and its state from the weight's gradient.
#pragma once

#include "program.hpp"
#include "vector.hpp"

namespace whyfit {
namespace WHYFIT_TARGET {

// What changes from step to step besides the weights: the powers of Adam's betas, kept as running
// products because a call of pow for each step of a 13-weight network costs a tenth of the fit.
class Clock {
 public:
  template <class Real>
  void tick(const Program& program, Real) {
    // Keras takes the powers after rounding the betas to the weights' precision; at the first
    // steps 1 - beta_2^t feels that rounding in its fifth digit.
    power_1 *= double(Real(program.beta_1));
    power_2 *= double(Real(program.beta_2));
  }
  double power_1 = 1.0, power_2 = 1.0;
};

// keras/src/optimizers/sgd.py: w -= lr g
template <class Real>
struct PlainSgd {
  static constexpr int kStates = 0;
  Real rate;
  PlainSgd(const Program& program, const Clock&) : rate(Real(program.learning_rate)) {}
  void update(Vector<Real>& weight, Vector<Real> gradient, Vector<Real>*, std::int64_t) const {
    weight -= gradient * rate;
  }
};

// keras/src/optimizers/sgd.py: m = mu m - lr g; w += m, or w += mu m - lr g with Nesterov
template <class Real>
struct MomentumSgd {
  static constexpr int kStates = 1;
  Real rate, momentum;
  bool nesterov;
  MomentumSgd(const Program& program, const Clock&)
      : rate(Real(program.learning_rate)),
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

// keras/src/optimizers/rmsprop.py: v = rho v + (1 - rho) g^2; w -= lr g / sqrt(v + eps), where
// `centered` takes the square of the mean gradient from v, and momentum gathers the increments.
template <class Real>
struct RmsProp {
  static constexpr int kStates = 3;
  Real rate, rho, rest, momentum, epsilon;
  bool centered;
  RmsProp(const Program& program, const Clock&)
      : rate(Real(program.learning_rate)),
        rho(Real(program.rho)),
        rest(Real(1.0 - program.rho)),
        momentum(Real(program.momentum)),
        epsilon(Real(program.epsilon)),
        centered(program.centered) {}
  void update(Vector<Real>& weight, Vector<Real> gradient, Vector<Real>* state,
              std::int64_t stride) const {
    Vector<Real> velocity = state[0] * rho + gradient * gradient * rest;
    state[0] = velocity;
    if (centered) {
      Vector<Real> mean = state[stride] * rho + gradient * rest;
      state[stride] = mean;
      velocity -= mean * mean;
    }
    Vector<Real> increment = gradient * rate / square_root<Real>(velocity + epsilon);
    if (momentum > Real(0)) {
      increment += state[2 * stride] * momentum;
      state[2 * stride] = increment;
    }
    weight -= increment;
  }
};

// keras/src/optimizers/adam.py: the form of Kingma & Ba 2015, section 2, last paragraph, with
// epsilon outside the bias correction ("epsilon hat").
template <class Real>
struct Adam {
  static constexpr int kStates = 2;
  Real alpha, rest_1, rest_2, epsilon;
  Adam(const Program& program, const Clock& clock)
      : rest_1(Real(1.0 - program.beta_1)),
        rest_2(Real(1.0 - program.beta_2)),
        epsilon(Real(program.epsilon)) {
    alpha = Real(program.learning_rate * __builtin_sqrt(1.0 - clock.power_2) /
                 (1.0 - clock.power_1));
  }
  void update(Vector<Real>& weight, Vector<Real> gradient, Vector<Real>* state,
              std::int64_t stride) const {
    Vector<Real> mean = state[0] + (gradient - state[0]) * rest_1;
    Vector<Real> square = state[stride] + (gradient * gradient - state[stride]) * rest_2;
    state[0] = mean;
    state[stride] = square;
    weight -= quotient(mean * alpha, fast_square_root(square) + epsilon);
  }
};

template <class Real, class Rule>
void update_all(const Rule& rule, Vector<Real>* weights, const Vector<Real>* gradient,
                Vector<Real>* state, std::int64_t parameters) {
  for (std::int64_t p = 0; p < parameters; ++p)
    rule.update(weights[p], gradient[p], state + p, parameters);
}

template <class Real, class Visit>
inline void with_optimizer(const Program& program, const Clock& clock, Visit visit) {
  switch (program.optimizer) {
    case Optimizer::sgd:
      if (program.momentum != 0.0) return visit(MomentumSgd<Real>(program, clock));
      return visit(PlainSgd<Real>(program, clock));
    case Optimizer::rmsprop: return visit(RmsProp<Real>(program, clock));
    case Optimizer::adam: return visit(Adam<Real>(program, clock));
  }
}

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
