// Forward, loss and backward of one batch, for any chain of dense layers.
//
// A layer's sums pass through its activation either inside the layer's kernel (activations.hpp) or, where it
// is staged, in a step of its own that stores the slope beside the output. Dropout then multiplies
// both, so that the way back needs no mask. A large batch passes in slices, and their gradients are added up.
#pragma once

#include "arena.hpp"
#include "curves.hpp"
#include "dropout.hpp"
#include "gradients.hpp"
#include "layers.hpp"
#include "losses.hpp"
#include "shallow.hpp"

namespace whyfit {
namespace WHYFIT_TARGET {

template <class Real>
class Passes {
  using V = Vector<Real>;

 public:
  Passes(const Program& program, std::int64_t first_replicate)
      : program_(program),
        inputs_(program.layers[0].inputs),
        outputs_(program.layers[program.layer_count - 1].units),
        last_(program.layer_count - 1),
        reduction_(program, outputs_),
        plain_(reduction_.plain(outputs_)),
        canonical_(is_canonical(program)),
        shallow_(is_shallow(program) && program.input_dropout == 0.0 && !canonical_),
        dropout_(program.dropout_seed, first_replicate) {}

  void allocate(Arena& arena, std::int64_t batch, V* weights, V* gradient,
                const std::atomic<bool>* cancelled) {
    cancelled_ = cancelled;
    weights_ = weights;
    gradient_ = total_ = gradient;
    if (batch > kMostTogether) {
      slice_gradient_ = arena.take<V>(program_.parameters);
      batch = kMostTogether;
    }
    buffers_ = arena.take<Buffers>(program_.layer_count);
    std::int64_t widest = inputs_;
    for (int l = 0; l <= last_; ++l) {
      const Layer& layer = program_.layers[l];
      std::int64_t count = batch * layer.units;
      Buffers buffers;
      buffers.output = arena.take<V>(count);
      if (is_staged(layer)) buffers.slope = arena.take<V>(count);
      if (layer.slopes) buffers.negative = arena.take<V>(count);
      if (has_activity(layer)) buffers.activity = arena.take<V>(count);
      buffers.descends = descends_at_once(program_, l);
      if (buffers_) buffers_[l] = buffers;
      if (layer.units > widest) widest = layer.units;
    }
    delta_ = arena.take<V>(batch * widest);
    next_delta_ = arena.take<V>(batch * widest);
    if (program_.input_dropout > 0.0) dropped_x_ = arena.take<V>(batch * inputs_);
  }

  // How kernels that descend at once do so, from the next batch on; the state is that of all parameters. What the
  // gradient then holds of them is of no use.
  void descend_by(const Descent<Real>* descent) { descent_ = descent; }

  // Fills the gradient and returns the loss of the batch times samples times outputs. `weights` are
  // those of the samples, or null; `total_weight` their sum in each lane, or the number of samples. `beside` is a
  // shuffle that may go on meanwhile, or null.
  template <class Rows>
  V gradients(const Rows& x, const Rows& y, const V* sample_weights, V total_weight, int samples,
              std::int64_t step, Shuffle<Pair<Real>>* beside = nullptr) {
    step_ = step;
    beside_ = beside;
    batch_ = samples;
    total_weight_ = total_weight;
    penalty_ = V{};
    const V loss =
        samples <= kMostTogether ? slice(x, y, sample_weights, samples) : slices(x, y, sample_weights, samples);
    if (program_.root_of_loss) return descend_root(loss, total_weight, samples);
    if (plain_ && !sample_weights) return loss + penalty_ * Real(samples * outputs_);
    const V share = loss_share(total_weight, samples);
    return (loss * share + penalty_) * Real(samples * outputs_);
  }

  // The network's outputs, (samples, outputs), as it predicts: without dropout. No more samples than a batch, nor
  // kMostTogether.
  template <class Rows>
  const V* predict(const Rows& x, int samples) {
    forward_all(x, samples, false);
    return buffers_[last_].output;
  }

  // The sum of the losses of predictions, over samples and outputs.
  template <class Rows>
  V loss_of(const V* prediction, const Rows& y, int samples) {
    return loss_slopes(y, nullptr, broadcast<Real>(Real(1)), samples, prediction, delta_);
  }

  // The loss that has this sum over so many samples.
  double loss_of_sum(double sum, std::int64_t samples) const {
    const double loss = sum * reduction_.share_of_value(double(samples));
    const double factor = program_.loss_factor;
    return program_.root_of_loss ? factor * __builtin_sqrt(loss / factor) : loss;
  }

 private:
  // With factor c and loss c L so far: c sqrt(L), whose gradient is that of c L over 2 sqrt(L).
  V descend_root(V sum, V total_weight, int samples) {
    const V factor = broadcast<Real>(Real(program_.loss_factor));
    const V root = square_root<Real>(sum * loss_share(total_weight, samples) / factor);
    const V scale = Real(0.5) / root;
    for (std::int64_t p = 0; p < program_.parameters; ++p) total_[p] *= scale;
    return root * factor * Real(samples * outputs_);
  }

  // A batch of more samples than pass together.
  template <class Rows>
  [[gnu::noinline]] V slices(const Rows& x, const Rows& y, const V* sample_weights, int samples) {
    V loss = {};
    for (int left = (samples + kMostTogether - 1) / kMostTogether, first = 0; left > 0; --left) {
      const int together = (samples - first + left - 1) / left;
      first_ = first;
      gradient_ = first == 0 ? total_ : slice_gradient_;
      loss += slice(x.from(first, 0), y.from(first, 0), sample_weights ? sample_weights + first : nullptr, together);
      if (first > 0)
        for (std::int64_t p = 0; p < program_.parameters; ++p) total_[p] += slice_gradient_[p];
      if (cancelled_->load(std::memory_order_relaxed)) break;
      first += together;
    }
    first_ = 0;
    gradient_ = total_;
    return loss;
  }

  // A slice of the batch: fills the gradient and returns the sum of its losses.
  template <class Rows>
  V slice(const Rows& x, const Rows& y, const V* sample_weights, int samples) {
    if (shallow_)
      return inputs_ == 1 ? shallow<1>(x, y, sample_weights, samples) : shallow<2>(x, y, sample_weights, samples);
    if (!dropped_x_) return through(x, y, sample_weights, samples);
    drop_inputs(x, samples);
    return through(LaneRows<Real>{dropped_x_, inputs_}, y, sample_weights, samples);
  }

  struct Buffers {
    V* output = nullptr;    // (samples, units), after activation and dropout
    V* slope = nullptr;     // of staged layers
    V* negative = nullptr;  // prelu: min(z, 0)
    V* activity = nullptr;  // slope of the penalty on outputs
    bool descends = false;
  };

  static bool has_activity(const Layer& layer) {
    return layer.activity_l1 != 0.0 || layer.activity_l2 != 0.0;
  }

  // scikit-learn's classifiers descend the cross-entropy through the logits, whatever rounding made of
  // the probabilities.
  static bool is_canonical(const Program& program) {
    Activation last = program.layers[program.layer_count - 1].activation;
    return program.form == Form::sklearn && program.from_logits &&
           (last == Activation::sigmoid || last == Activation::softmax);
  }

  Weights<Real> layer_view(V* values, int l) const {
    const Layer& layer = program_.layers[l];
    return {values + layer.kernel_at, layer.has_bias ? values + layer.bias_at : nullptr,
            layer.inputs, layer.units, cancelled_};
  }

  // ---- forward ----

  template <class Rows>
  void forward_all(const Rows& x, int samples, bool training) {
    for (int l = 0; l <= last_; ++l) {
      const Layer& layer = program_.layers[l];
      V* out = buffers_[l].output;
      bool bare = is_staged(layer) || (training && canonical_ && l == last_);
      auto into = [&](const auto& f) {
        if (l == 0)
          forward<Real>(f, x, layer_view(weights_, l), samples, out);
        else
          forward<Real>(f, LaneRows<Real>{buffers_[l - 1].output, layer.inputs},
                        layer_view(weights_, l), samples, out);
      };
      if (bare)
        into(Linear<Real>(layer));
      else
        with_activation<Real>(layer, into);
      if (is_staged(layer) && !(training && canonical_ && l == last_)) stage(l, samples, training);
    }
  }

  // Every index below `count`, unless the training is cancelled meanwhile.
  template <class Work>
  [[gnu::always_inline]] void for_each_index(int count, const Work& work) const {
    constexpr int kStretch = 1 << 16;
    for (int first = 0; first < count; first += kStretch) {
      if (cancelled_->load(std::memory_order_relaxed)) return;
      const int last = count - first < kStretch ? count : first + kStretch;
      for (int i = first; i < last; ++i) work(i);
    }
  }

  // Turns the sums of a staged layer into outputs and slopes.
  void stage(int l, int samples, bool training) {
    const Layer& layer = program_.layers[l];
    const Buffers& buffers = buffers_[l];
    const int count = samples * layer.units;
    if (layer.activation == Activation::prelu)
      prelu(l, samples);
    else if (layer.activation == Activation::softmax)
      softmax(buffers.output, samples);
    else
      with_curve<Real>(layer, [&](const auto& curve) {
        for_each_index(count, [&](int i) {
          V value, slope;
          curve.both(buffers.output[i], value, slope);
          buffers.output[i] = value;
          buffers.slope[i] = slope;
        });
      });
    if (!training) return;
    if (buffers.activity) penalise_activity(l, samples);
    if (layer.dropout > 0.0) {
      V* const masked[] = {buffers.output, buffers.slope, buffers.negative};
      dropout_.apply(layer.dropout, step_, l + 1, std::int64_t(first_) * layer.units, count, masked);
    }
  }

  // z above zero, a trained slope times z below (He and others 2015).
  void prelu(int l, int samples) {
    const Layer& layer = program_.layers[l];
    const Buffers& buffers = buffers_[l];
    for (int s = 0; s < samples; ++s)
      for (int u = 0; u < layer.units; ++u) {
        int at = s * layer.units + u;
        V z = buffers.output[at];
        V below = weights_[layer.slopes_at + (layer.slopes == 1 ? 0 : u)];
        V at_zero = layer.own_slope_at_zero ? below : broadcast<Real>(Real(layer.slope_at_zero));
        buffers.negative[at] = minimum(V{}, z);
        buffers.output[at] = z > Real(0) ? z : z * below;
        V left = z < Real(0) ? below : at_zero;
        buffers.slope[at] = z > Real(0) ? broadcast<Real>(1) : left;
      }
  }

  // e^(z - max) / sum
  void softmax(V* rows, int samples) const {
    for (int s = 0; s < samples; ++s) {
      V* row = rows + s * outputs_;
      V most = row[0], total = {};
      for (int o = 1; o < outputs_; ++o) most = maximum(most, row[o]);
      for (int o = 0; o < outputs_; ++o) {
        row[o] = exponential(row[o] - most);
        total += row[o];
      }
      for (int o = 0; o < outputs_; ++o) row[o] = row[o] / total;
    }
  }

  // l1 sum |a| + l2 sum a^2, divided by the samples (keras/src/layers/layer.py, __call__).
  void penalise_activity(int l, int samples) {
    const Layer& layer = program_.layers[l];
    const Buffers& buffers = buffers_[l];
    const Real share = Real(1) / Real(batch_);
    const Real l1 = Real(layer.activity_l1), l2 = Real(layer.activity_l2);
    V sum = {};
    for (int i = 0; i < samples * layer.units; ++i) {
      V value = buffers.output[i];
      V sign = copy_sign<Real>(broadcast<Real>(l1), value);
      sign = value == Real(0) ? V{} : sign;
      sum += absolute<Real>(value) * l1 + value * value * l2;
      buffers.activity[i] = (sign + value * (Real(2) * l2)) * buffers.slope[i] * share;
    }
    penalty_ += sum * share;
  }

  template <class Rows>
  void drop_inputs(const Rows& x, int samples) {
    for (int s = 0; s < samples; ++s)
      for (int i = 0; i < inputs_; ++i) dropped_x_[s * inputs_ + i] = x.at(s, i) + V{};
    V* const masked[] = {dropped_x_};
    dropout_.apply(program_.input_dropout, step_, 0, std::int64_t(first_) * inputs_, samples * inputs_, masked);
  }

  // ---- loss ----

  V slope_share() const {
    if (plain_) return broadcast<Real>(Real(1) / Real(batch_ * outputs_));
    V share;
    for (int lane = 0; lane < Lanes<Real>::count; ++lane)
      share[lane] = Real(reduction_.share_of_slope(
          reduction_.by_weights ? double(total_weight_[lane]) : double(batch_)));
    return share;
  }

  V loss_share(V total_weight, int samples) const {
    V share;
    for (int lane = 0; lane < Lanes<Real>::count; ++lane)
      share[lane] = Real(reduction_.share_of_value(
          reduction_.by_weights ? double(total_weight[lane]) : double(samples)));
    return share;
  }

  // Fills delta with the slopes of the batch's loss at the predictions; the two may be the same.
  // Returns the sum over samples and outputs; `delta_sum` receives that of the slopes, if not null.
  template <class Rows>
  V loss_slopes(const Rows& y, const V* sample_weights, V share, int samples, const V* prediction,
                V* delta, V* delta_sum = nullptr) const {
    V sum = {}, slopes = {};
    if (program_.loss == Loss::categorical_crossentropy) {
      for (int s = 0; s < samples; ++s) {
        V* row = delta + s * outputs_;
        if (row != prediction + s * outputs_)
          std::memcpy(row, prediction + s * outputs_, outputs_ * sizeof(V));
        V value = categorical_crossentropy<Real>(program_, row, outputs_,
                                                 [&](int o) { return y.at(s, o); });
        V factor = sample_weights ? share * sample_weights[s] : share;
        sum += sample_weights ? value * sample_weights[s] : value;
        for (int o = 0; o < outputs_; ++o) {
          row[o] *= factor;
          slopes += row[o];
        }
      }
      if (delta_sum) *delta_sum = slopes;
      return sum;
    }
    const int outputs = outputs_;
    with_loss<Real>(program_, [&](const auto& loss) {
      V loss_sum = {}, slope_sum = {};
      auto add = [&](int at, V target, const V* weight) {
        V value, slope;
        loss.both(prediction[at], target, value, slope);
        if (weight) {
          value *= *weight;
          slope *= *weight;
        }
        loss_sum += value;
        slope_sum += slope;
        delta[at] = slope * share;
      };
      if (outputs == 1 && !sample_weights)
        for (int s = 0; s < samples; ++s) add(s, y.at(s, 0) - V{}, nullptr);
      else
        for (int s = 0; s < samples; ++s)
          for (int o = 0; o < outputs; ++o)
            add(s * outputs + o, y.at(s, o) - V{}, sample_weights ? sample_weights + s : nullptr);
      sum = loss_sum;
      // Signs that cancel must give 0, which optimizers that divide by the gradient's size would make much of.
      slopes = slope_sum * share;
    });
    if (delta_sum) *delta_sum = slopes;
    return sum;
  }

  // ---- backward ----

  template <class X, class Y>
  V through(const X& x, const Y& y, const V* sample_weights, int samples) {
    forward_all(x, samples, true);
    V loss = loss_slopes(y, sample_weights, slope_share(), samples, buffers_[last_].output, delta_);
    if (!canonical_) through_activation_of_last(samples);
    for (int l = last_; l >= 0; --l) {
      Weights<Real> gradient = layer_view(gradient_, l);
      if (l == 0) {
        weight_gradient<Real>(x, delta_, samples, gradient);
        break;
      }
      const Layer& below = program_.layers[l - 1];
      const V* input = buffers_[l - 1].output;
      const Weights<Real> weights = layer_view(weights_, l);
      auto back = [&](const auto& f) {
        input_delta<Real>(f, delta_, weights, input, samples, next_delta_);
      };
      if (is_staged(below))
        back(Linear<Real>(below));
      else
        with_activation<Real>(below, back);
      const LaneRows<Real> rows{input, gradient.inputs};
      if (buffers_[l].descends) {
        Descent<Real> descent = *descent_;
        descent.state += program_.layers[l].kernel_at;
        if (gradient.bias) bias_gradient<Real>(delta_, samples, gradient);
        weight_descent<Real>(rows, delta_, samples, weights, descent, gradient.kernel);
      } else {
        weight_gradient<Real>(rows, delta_, samples, gradient);
      }
      V* spare = delta_;
      delta_ = next_delta_;
      next_delta_ = spare;
      if (is_staged(below)) through_stage(l - 1, samples);
    }
    return loss;
  }

  void through_activation_of_last(int samples) {
    const Layer& layer = program_.layers[last_];
    const V* output = buffers_[last_].output;
    if (layer.activation == Activation::softmax) return through_softmax(output, samples);
    if (is_staged(layer)) return through_stage(last_, samples);
    if (layer.activation == Activation::linear) return;
    with_activation<Real>(layer, [&](const auto& f) {
      for (int i = 0; i < samples * outputs_; ++i) delta_[i] = f.times_slope(output[i], delta_[i]);
    });
  }

  // From the delta of a staged layer's output to that of its sums.
  void through_stage(int l, int samples) {
    const Layer& layer = program_.layers[l];
    const Buffers& buffers = buffers_[l];
    if (layer.slopes) slope_gradients(layer, buffers, samples);
    const int count = samples * layer.units;
    for_each_index(count, [&](int i) { delta_[i] *= buffers.slope[i]; });
    if (buffers.activity)
      for (int i = 0; i < count; ++i) delta_[i] += buffers.activity[i];
  }

  void slope_gradients(const Layer& layer, const Buffers& buffers, int samples) {
    V* gradient = gradient_ + layer.slopes_at;
    for (int k = 0; k < layer.slopes; ++k) gradient[k] = V{};
    for (int s = 0; s < samples; ++s)
      for (int u = 0; u < layer.units; ++u) {
        int at = s * layer.units + u;
        gradient[layer.slopes == 1 ? 0 : u] += delta_[at] * buffers.negative[at];
      }
  }

  // The Jacobian of p = softmax(z) is p_i (1{i = k} - p_k).
  void through_softmax(const V* output, int samples) {
    for (int s = 0; s < samples; ++s) {
      V shared = {};
      for (int o = 0; o < outputs_; ++o) shared += delta_[s * outputs_ + o] * output[s * outputs_ + o];
      for (int o = 0; o < outputs_; ++o) {
        int at = s * outputs_ + o;
        delta_[at] = (delta_[at] - shared) * output[at];
      }
    }
  }

  template <int I, class Rows>
  V shallow(const Rows& x, const Rows& y, const V* sample_weights, int samples) {
    Shallow<Real> net{layer_view(weights_, 0),  layer_view(weights_, 1),
                      layer_view(gradient_, 0), layer_view(gradient_, 1),
                      buffers_[0].output,       buffers_[1].output,       beside_};
    auto any_loss = [&](V* prediction, V* delta_sum) {
      return loss_slopes(y, sample_weights, slope_share(), samples, prediction, prediction, delta_sum);
    };
    const bool plain = plain_ && !sample_weights;
    V loss = {};
    with_activation<Real>(program_.layers[0], [&](const auto& hidden) {
      if (plain && program_.loss == Loss::mean_squared_error)
        loss = shallow_gradients<Real, MeanSquaredError<Real>, I>(hidden, net, x, y, samples, batch_, any_loss);
      else if (plain && program_.loss == Loss::mean_absolute_error)
        loss = shallow_gradients<Real, MeanAbsoluteError<Real>, I>(hidden, net, x, y, samples, batch_, any_loss);
      else
        loss = many_tiles<Real, I>(hidden, net, x, samples, any_loss);
    });
    return loss;
  }

  const Program& program_;
  const int inputs_, outputs_, last_;
  const Reduction reduction_;
  const bool plain_, canonical_, shallow_;
  const Dropout<Real> dropout_;
  const std::atomic<bool>* cancelled_ = nullptr;
  std::int64_t step_ = 0;
  const Descent<Real>* descent_ = nullptr;
  Shuffle<Pair<Real>>* beside_ = nullptr;
  int batch_ = 0, first_ = 0;  // samples of the batch, and those before the slice that passes
  V total_weight_ = {}, penalty_ = {};
  V *weights_ = nullptr, *gradient_ = nullptr, *total_ = nullptr, *slice_gradient_ = nullptr;
  Buffers* buffers_ = nullptr;
  V *delta_ = nullptr, *next_delta_ = nullptr, *dropped_x_ = nullptr;
};

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
