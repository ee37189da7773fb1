// The training loop of one block: up to a register of replicates, from start weights to end.
//
// The loop is the framework's own: for each epoch an order, for each batch forward, loss, backward,
// one optimizer step; the last batch is short where the batch size does not divide the samples.
#pragma once

#include <cstdlib>

#include "layers.hpp"
#include "losses.hpp"
#include "optimizers.hpp"
#include "order.hpp"
#include "shallow.hpp"

namespace whyfit {
namespace WHYFIT_TARGET {

constexpr int kMostStates = 3;

// One allocation, cut into aligned pieces; freed with the object.
class Arena {
 public:
  explicit Arena(std::size_t bytes) : memory_(static_cast<char*>(std::aligned_alloc(64, bytes))) {
    if (memory_) std::memset(memory_, 0, bytes);
  }
  ~Arena() { std::free(memory_); }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  bool failed() const { return memory_ == nullptr; }

  template <class T>
  T* take(std::size_t count) {
    T* piece = reinterpret_cast<T*>(memory_ + used_);
    used_ += padded(count * sizeof(T));
    return piece;
  }

  static std::size_t padded(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

 private:
  char* memory_;
  std::size_t used_ = 0;
};

template <class Real>
class Block {
  using V = Vector<Real>;
  using M = Mask<Real>;
  static constexpr int kLanes = Lanes<Real>::count;

 public:
  Block(const Program& program, const Task<Real>& task)
      : program_(program),
        task_(task),
        inputs_(program.layers[0].inputs),
        outputs_(program.layers[program.layer_count - 1].units),
        batch_(int(task.samples < program.batch_size ? task.samples : program.batch_size)),
        arena_(bytes_needed(program, task)) {
    if (arena_.failed()) return;
    weights_ = arena_.take<V>(program.parameters);
    gradient_ = arena_.take<V>(program.parameters);
    state_ = arena_.take<V>(kMostStates * program.parameters);
    layer_output_ = arena_.take<V*>(program.layer_count);
    int widest = inputs_;
    for (int l = 0; l < program.layer_count; ++l) {
      layer_output_[l] = arena_.take<V>(std::size_t(batch_) * program.layers[l].units);
      if (program.layers[l].units > widest) widest = program.layers[l].units;
    }
    delta_ = arena_.take<V>(std::size_t(batch_) * widest);
    next_delta_ = arena_.take<V>(std::size_t(batch_) * widest);
    if (task.order_kind == Order::each_replicate) {
      lane_x_ = arena_.take<V>(std::size_t(batch_) * inputs_);
      lane_y_ = arena_.take<V>(std::size_t(batch_) * outputs_);
      order_ = arena_.take<std::int32_t>(std::size_t(task.samples) * kLanes);
    } else {
      batch_x_ = arena_.take<Real>(std::size_t(batch_) * inputs_);
      batch_y_ = arena_.take<Real>(std::size_t(batch_) * outputs_);
      order_ = arena_.take<std::int32_t>(std::size_t(task.samples));
    }
  }

  static std::size_t bytes_needed(const Program& program, const Task<Real>& task) {
    std::size_t batch =
        std::size_t(task.samples < program.batch_size ? task.samples : program.batch_size);
    std::size_t inputs = program.layers[0].inputs;
    std::size_t outputs = program.layers[program.layer_count - 1].units;
    std::size_t vectors = (2 + kMostStates) * program.parameters;
    std::size_t widest = inputs;
    for (int l = 0; l < program.layer_count; ++l) {
      std::size_t units = program.layers[l].units;
      vectors += batch * units;
      if (units > widest) widest = units;
    }
    vectors += 2 * batch * widest + batch * (inputs + outputs);
    std::size_t order = Arena::padded(4 * std::size_t(task.samples)) * kLanes;
    std::size_t pieces = 10 + program.layer_count;
    return vectors * sizeof(V) + order + pieces * 64 +
           Arena::padded(sizeof(V*) * program.layer_count);
  }

  // False if memory ran out before the start or the caller cancelled.
  bool run(Control& control) {
    if (arena_.failed()) return false;
    load_start();
    M healthy = ~M{};
    M healthy_steps = {};
    std::int64_t step = 0;
    for (int epoch = 0; epoch < program_.epochs; ++epoch) {
      const std::int32_t* order = epoch_order(epoch);
      V epoch_loss = {};
      for (std::int64_t first = 0; first < task_.samples; first += batch_) {
        if (control.cancelled.load(std::memory_order_relaxed)) return false;
        std::int64_t left = task_.samples - first;
        int samples = int(left < batch_ ? left : batch_);
        V loss = train_on(order, first, samples);
        ++step;
        epoch_loss += loss;
        // x - x is 0 for finite x alone; masks are 0 or -1, so subtracting one counts.
        healthy &= (loss - loss == Real(0));
        healthy_steps -= healthy;
      }
      control.steps_done.fetch_add((task_.samples + batch_ - 1) / batch_,
                                   std::memory_order_relaxed);
      if (task_.history)
        for (int lane = 0; lane < task_.replicates; ++lane)
          task_.history[std::int64_t(lane) * program_.epochs + epoch] =
              double(epoch_loss[lane]) / (double(task_.samples) * outputs_);
      if (task_.snapshots && (epoch + 1) % task_.snapshot_every == 0)
        store(task_.snapshots, program_.epochs / task_.snapshot_every,
              (epoch + 1) / task_.snapshot_every - 1);
    }
    store(task_.end, 1, 0);
    for (int lane = 0; lane < task_.replicates; ++lane)
      task_.diverged_at[lane] = healthy_steps[lane] == step ? -1 : healthy_steps[lane];
    measure_error();
    return true;
  }

 private:
  void load_start() {
    for (std::int64_t p = 0; p < program_.parameters; ++p)
      for (int lane = 0; lane < kLanes; ++lane) {
        // Idle lanes repeat the first one, which costs nothing and cannot trap.
        int source = lane < task_.replicates ? lane : 0;
        weights_[p][lane] = task_.start[source * program_.parameters + p];
      }
  }

  void store(Real* rows, std::int64_t row_count, std::int64_t row) const {
    for (int lane = 0; lane < task_.replicates; ++lane)
      for (std::int64_t p = 0; p < program_.parameters; ++p)
        rows[(lane * row_count + row) * program_.parameters + p] = weights_[p][lane];
  }

  Weights<Real> layer_view(V* values, int l) const {
    const Layer& layer = program_.layers[l];
    return {values + layer.kernel_at, layer.has_bias ? values + layer.bias_at : nullptr,
            layer.inputs, layer.units};
  }

  // Null: as the data lie.
  const std::int32_t* epoch_order(int epoch) {
    switch (task_.order_kind) {
      case Order::given:
        return task_.order ? task_.order + std::int64_t(epoch) * task_.samples : nullptr;
      case Order::group:
        permutation(order_key(task_.order_seed, task_.first_replicate / kGroup, epoch),
                    task_.samples, order_);
        return order_;
      case Order::each_replicate:
        for (int lane = 0; lane < kLanes; ++lane)
          permutation(order_key(task_.order_seed, task_.first_replicate + lane, epoch),
                      task_.samples, order_ + lane * task_.samples);
        return order_;
    }
    return nullptr;
  }

  // One batch: forward, backward, update. Returns the sum of the losses of its samples.
  V train_on(const std::int32_t* order, std::int64_t first, int samples) {
    V loss;
    if (task_.order_kind == Order::each_replicate) {
      gather_lanes(order, first, samples);
      loss = gradients(LaneRows<Real>{lane_x_, inputs_}, LaneRows<Real>{lane_y_, outputs_},
                       samples);
    } else {
      loss = gradients(shared_rows(task_.x, batch_x_, inputs_, order, first, samples),
                       shared_rows(task_.y, batch_y_, outputs_, order, first, samples), samples);
    }
    clock_.tick(program_, Real{});
    with_optimizer<Real>(program_, clock_, [&](const auto& rule) {
      update_all<Real>(rule, weights_, gradient_, state_, program_.parameters);
    });
    return loss;
  }

  SharedRows<Real> shared_rows(const Real* data, Real* buffer, int width,
                               const std::int32_t* order, std::int64_t first, int samples) const {
    if (!order) return {data + first * width, width};
    for (int s = 0; s < samples; ++s) {
      const Real* row = data + std::int64_t(order[first + s]) * width;
      for (int column = 0; column < width; ++column) buffer[s * width + column] = row[column];
    }
    return {buffer, width};
  }

  void gather_lanes(const std::int32_t* order, std::int64_t first, int samples) {
    for (int lane = 0; lane < kLanes; ++lane)
      for (int s = 0; s < samples; ++s) {
        std::int64_t row = order[lane * task_.samples + first + s];
        for (int i = 0; i < inputs_; ++i)
          lane_x_[s * inputs_ + i][lane] = task_.x[row * inputs_ + i];
        for (int o = 0; o < outputs_; ++o)
          lane_y_[s * outputs_ + o][lane] = task_.y[row * outputs_ + o];
      }
  }

  template <class Rows>
  void forward_all(const Rows& x, int samples) {
    for (int l = 0; l < program_.layer_count; ++l) {
      Weights<Real> layer = layer_view(weights_, l);
      with_activation<Real>(program_.layers[l], [&](const auto& f) {
        if (l == 0)
          forward<Real>(f, x, layer, samples, layer_output_[l]);
        else
          forward<Real>(f, LaneRows<Real>{layer_output_[l - 1], layer.inputs}, layer, samples,
                           layer_output_[l]);
      });
    }
  }

  template <class Rows>
  V gradients(const Rows& x, const Rows& y, int samples) {
    if (is_shallow(program_)) return inputs_ == 1 ? shallow<1>(x, y, samples)
                                                  : shallow<2>(x, y, samples);
    forward_all(x, samples);
    V loss = output_delta(y, samples);
    for (int l = program_.layer_count - 1; l >= 0; --l) {
      Weights<Real> gradient = layer_view(gradient_, l);
      if (l == 0) {
        weight_gradient<Real>(x, delta_, samples, gradient);
        break;
      }
      const V* input = layer_output_[l - 1];
      weight_gradient<Real>(LaneRows<Real>{input, gradient.inputs}, delta_, samples, gradient);
      with_activation<Real>(program_.layers[l - 1], [&](const auto& f) {
        input_delta<Real>(f, delta_, layer_view(weights_, l), input, samples,
                                                next_delta_);
      });
      V* spare = delta_;
      delta_ = next_delta_;
      next_delta_ = spare;
    }
    return loss;
  }

  template <int I, class Rows>
  V shallow(const Rows& x, const Rows& y, int samples) {
    Shallow<Real> net{layer_view(weights_, 0),  layer_view(weights_, 1),
                      layer_view(gradient_, 0), layer_view(gradient_, 1),
                      layer_output_[0],         layer_output_[1]};
    V loss = {};
    with_activation<Real>(program_.layers[0], [&](const auto& hidden) {
      with_loss<Real>(program_.loss, [&](auto kind) {
        loss = shallow_gradients<Real, decltype(kind), I>(hidden, net, x, y, samples);
      });
    });
    return loss;
  }

  // Fills delta_ with the loss's gradient at the last layer's pre-activation.
  template <class Rows>
  V output_delta(const Rows& y, int samples) {
    const V* prediction = layer_output_[program_.layer_count - 1];
    const Real share = Real(1) / Real(samples * outputs_);
    V sum = {};
    with_activation<Real>(program_.layers[program_.layer_count - 1], [&](const auto& f) {
      with_loss<Real>(program_.loss, [&](auto loss) {
        for (int s = 0; s < samples; ++s)
          for (int o = 0; o < outputs_; ++o) {
            int at = s * outputs_ + o;
            V error = prediction[at] - y.at(s, o);
            sum += loss.value(error);
            delta_[at] = f.times_slope(prediction[at], loss.slope(error) * share);
          }
      });
    });
    return sum;
  }

  void measure_error() {
    double total[kLanes] = {};
    for (std::int64_t first = 0; first < task_.samples; first += batch_) {
      std::int64_t left = task_.samples - first;
      int samples = int(left < batch_ ? left : batch_);
      SharedRows<Real> y{task_.y + first * outputs_, outputs_};
      forward_all(SharedRows<Real>{task_.x + first * inputs_, inputs_}, samples);
      V sum = {};
      for (int s = 0; s < samples; ++s)
        for (int o = 0; o < outputs_; ++o) {
          V error = layer_output_[program_.layer_count - 1][s * outputs_ + o] - y.at(s, o);
          sum += error * error;
        }
      for (int lane = 0; lane < kLanes; ++lane) total[lane] += double(sum[lane]);
    }
    for (int lane = 0; lane < task_.replicates; ++lane)
      task_.squared_error[lane] = total[lane] / (double(task_.samples) * outputs_);
  }

  const Program& program_;
  const Task<Real>& task_;
  const int inputs_, outputs_, batch_;
  Arena arena_;
  V *weights_ = nullptr, *gradient_ = nullptr, *state_ = nullptr;
  V** layer_output_ = nullptr;
  V *delta_ = nullptr, *next_delta_ = nullptr;
  V *lane_x_ = nullptr, *lane_y_ = nullptr;
  Real *batch_x_ = nullptr, *batch_y_ = nullptr;
  std::int32_t* order_ = nullptr;
  Clock clock_;
};

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
