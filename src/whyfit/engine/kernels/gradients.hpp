// What happens to a batch's gradient before the optimizer sees it: penalties, clipping, weight decay.
//
// The order is the frameworks': a penalty is part of the loss; Keras then clips and decays
// (keras/src/backend/jax/optimizer.py); PyTorch's scripts clip by hand before the optimizer, which
// decays (torch/nn/utils/clip_grad.py, torch/optim/). Frozen weights take part in nothing.
//
// Where nobody clears PyTorch's `.grad`, backward adds to what is there
// (torch/csrc/autograd/functions/accumulate_grad.h): penalties included, after the last step's
// clipping, which works in place, and before its weight decay, which does not.
#pragma once

#include "optimizers.hpp"
#include "tiles.hpp"

namespace whyfit {
namespace WHYFIT_TARGET {

inline bool adjusts_gradients(const Program& program) {
  bool penalised = false;
  for (int t = 0; t < program.tensor_count; ++t)
    penalised |= program.tensors[t].l1 != 0.0 || program.tensors[t].l2 != 0.0;
  return penalised || program.clip_norm > 0.0 || program.global_clip_norm > 0.0 ||
         program.clip_value > 0.0 || program.decay != Decay::none || !program.clears_gradients;
}

// Whether a layer's kernel takes its step as soon as its gradient is known (`weight_descent` in layers.hpp): it is
// large, a batch passes at once, and nothing else is to be done with the gradient.
inline bool descends_at_once(const Program& program, int l) {
  const Layer& layer = program.layers[l];
  if (l == 0 || !is_large(layer.inputs, layer.units) || program.batch_size > kAlong) return false;
  if (program.root_of_loss || adjusts_gradients(program)) return false;
  for (int t = 0; t < program.tensor_count; ++t)
    if (program.tensors[t].at == layer.kernel_at) return program.tensors[t].trainable;
  return false;
}

template <class Real, class Visit>
inline void for_trained(const Program& program, Visit visit) {
  for (int t = 0; t < program.tensor_count; ++t)
    if (program.tensors[t].trainable) visit(program.tensors[t]);
}

// Adds l1 sign w + 2 l2 w to the gradient and returns l1 sum |w| + l2 sum w^2, both times `share`
// (keras/src/regularizers/regularizers.py). The slope of |w| at 0 is 0.
template <class Real>
Vector<Real> add_penalties(const Program& program, const Vector<Real>* weights,
                           Vector<Real>* gradient, Vector<Real> share) {
  Vector<Real> loss = {};
  for_trained<Real>(program, [&](const Tensor& tensor) {
    if (tensor.l1 == 0.0 && tensor.l2 == 0.0) return;
    const Real l1 = Real(tensor.l1), l2 = Real(tensor.l2);
    Vector<Real> sum = {};
    for (std::int64_t p = tensor.at; p < tensor.at + tensor.count; ++p) {
      Vector<Real> weight = weights[p], size = absolute<Real>(weight);
      Vector<Real> sign = copy_sign<Real>(broadcast<Real>(l1), weight);
      sign = weight == Real(0) ? Vector<Real>{} : sign;
      sum += size * l1 + weight * weight * l2;
      gradient[p] += (sign + weight * (Real(2) * l2)) * share;
    }
    loss += sum * share;
  });
  return loss;
}

// Adds what the steps before have left.
template <class Real>
void add_kept(const Program& program, const Vector<Real>* kept, Vector<Real>* gradient) {
  for_trained<Real>(program, [&](const Tensor& tensor) {
    for (std::int64_t p = tensor.at; p < tensor.at + tensor.count; ++p) gradient[p] += kept[p];
  });
}

template <class Real>
Vector<Real> squared_norm(const Vector<Real>* gradient, const Tensor& tensor) {
  Vector<Real> sum = {};
  for (std::int64_t p = tensor.at; p < tensor.at + tensor.count; ++p)
    sum += gradient[p] * gradient[p];
  return sum;
}

// keras/src/optimizers/base_optimizer.py: clip_norm before global_clip_norm before clip_value, and only
// one of them; PyTorch's global norm is divided by with 1e-6 added.
template <class Real>
void clip(const Program& program, Vector<Real>* gradient) {
  if (program.clip_norm > 0.0) {
    const Vector<Real> most = broadcast<Real>(Real(program.clip_norm));
    for_trained<Real>(program, [&](const Tensor& tensor) {
      Vector<Real> norm = square_root<Real>(squared_norm<Real>(gradient, tensor));
      Vector<Real> divisor = maximum(most, norm);
      for (std::int64_t p = tensor.at; p < tensor.at + tensor.count; ++p)
        gradient[p] = gradient[p] * most / divisor;
    });
  } else if (program.global_clip_norm > 0.0) {
    const Real most = Real(program.global_clip_norm);
    Vector<Real> sum = {};
    for_trained<Real>(program, [&](const Tensor& tensor) {
      sum += squared_norm<Real>(gradient, tensor);
    });
    Vector<Real> norm = square_root<Real>(sum);
    Vector<Real> scale = program.form == Form::torch
                             ? most / (norm + Real(1e-6))
                             : most * minimum(broadcast<Real>(Real(1) / most), Real(1) / norm);
    scale = minimum(broadcast<Real>(1), scale) + (norm - norm);
    for_trained<Real>(program, [&](const Tensor& tensor) {
      for (std::int64_t p = tensor.at; p < tensor.at + tensor.count; ++p) gradient[p] *= scale;
    });
  } else if (program.clip_value > 0.0) {
    const Vector<Real> most = broadcast<Real>(Real(program.clip_value));
    for_trained<Real>(program, [&](const Tensor& tensor) {
      for (std::int64_t p = tensor.at; p < tensor.at + tensor.count; ++p)
        gradient[p] = minimum(most, maximum(-most, gradient[p]));
    });
  }
}

template <class Real>
void decay_weights(const Program& program, const Rate& rate, Vector<Real>* weights,
                   Vector<Real>* gradient) {
  const Real factor = Real(program.weight_decay);
  const Vector<Real> share = rate.times<Real>(program.weight_decay);
  for_trained<Real>(program, [&](const Tensor& tensor) {
    for (std::int64_t p = tensor.at; p < tensor.at + tensor.count; ++p) {
      if (program.decay == Decay::in_gradient)
        gradient[p] += weights[p] * factor;
      else
        weights[p] -= weights[p] * share;
    }
  });
}

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
