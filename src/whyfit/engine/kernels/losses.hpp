// Losses: what one output contributes, and its slope with respect to the prediction.
//
// Keras reduces by `sum_over_batch_size`: mean over the outputs of a sample, then mean over the
// samples of the batch (keras/src/losses/loss.py). The short last batch divides by its own size.
#pragma once

#include "vector.hpp"

namespace whyfit {
namespace WHYFIT_TARGET {

template <class Real>
struct MeanSquaredError {
  static Vector<Real> value(Vector<Real> error) { return error * error; }
  static Vector<Real> slope(Vector<Real> error) { return error + error; }
};

// The slope at 0 is 0, as jax.numpy.sign has it.
template <class Real>
struct MeanAbsoluteError {
  static Vector<Real> value(Vector<Real> error) { return absolute<Real>(error); }
  static Vector<Real> slope(Vector<Real> error) {
    Vector<Real> sign = copy_sign<Real>(broadcast<Real>(1), error);
    return error == Real(0) ? Vector<Real>{} : sign;
  }
};

template <class Real, class Visit>
inline void with_loss(Loss loss, Visit visit) {
  switch (loss) {
    case Loss::mean_squared_error: return visit(MeanSquaredError<Real>{});
    case Loss::mean_absolute_error: return visit(MeanAbsoluteError<Real>{});
  }
}

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
