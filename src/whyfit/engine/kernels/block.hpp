// The training loop: blocks of up to a register of replicates, from start weights to end.
//
// The loop is the framework's own: for each epoch an order, for each batch forward, loss, backward,
// one optimizer step; the last batch is short where the batch size does not divide the samples.
#pragma once

#include <deque>
#include <utility>
#include <vector>

#include "order.hpp"
#include "passes.hpp"
#include "watch.hpp"

namespace whyfit {
namespace WHYFIT_TARGET {

// Weights times samples between two reports of progress: some milliseconds.
constexpr std::int64_t kReportedWork = 1 << 22;

template <class Real>
class Block {
  using V = Vector<Real>;
  using M = Mask<Real>;
  static constexpr int kLanes = Lanes<Real>::count;

 public:
  Block(const Program& program, const Task<Real>& task, GroupOrder<Real>& group_order)
      : program_(program),
        task_(task),
        group_order_(group_order),
        inputs_(program.layers[0].inputs),
        outputs_(program.layers[program.layer_count - 1].units),
        batch_(int(task.samples < program.batch_size ? task.samples : program.batch_size)),
        together_(batch_ < kMostTogether ? batch_ : kMostTogether),
        samples_used_(program.drop_last ? task.samples / batch_ * batch_ : task.samples),
        adjusts_(adjusts_gradients(program)),
        report_every_(1 + kReportedWork / (batch_ * program.parameters)),
        passes_(program, task.first_replicate),
        watcher_(program) {
    for_trained<Real>(program, [&](const Tensor& tensor) {
      for (int l = 0; l < program.layer_count; ++l)
        if (program.layers[l].kernel_at == tensor.at && descends_at_once(program, l)) {
          descends_ = true;
          return;
        }
      if (trained_.empty() || trained_.back().second != tensor.at)
        trained_.push_back({tensor.at, tensor.at});
      trained_.back().second += tensor.count;
    });
  }

  // Without cancellation to heed: to count what is needed.
  void allocate(Arena& arena) { allocate(arena, nullptr); }

  void start(Arena& arena, Control& control) {
    allocate(arena, &control.cancelled);
    load_start();
  }

  bool goes_on() const { return stopped_count_ < task_.replicates; }

  // False if the caller cancelled.
  bool train_epoch(int epoch, Control& control) {
    const std::int32_t* order = epoch_order(epoch);
    V epoch_loss = {};
    for (std::int64_t first = 0; first < samples_used_; first += batch_) {
      if (control.cancelled.load(std::memory_order_relaxed)) return false;
      std::int64_t left = samples_used_ - first;
      int samples = int(left < batch_ ? left : batch_);
      V loss = train_on(order, first, samples, epoch);
      ++step_;
      epoch_loss += loss;
      // x - x is 0 for finite x alone; masks are 0 or -1, so subtracting one counts.
      healthy_ &= (loss - loss == Real(0));
      healthy_steps_ -= healthy_;
      if (step_ - reported_ >= report_every_) report(control);
    }
    report(control);
    end_epoch(epoch, epoch_loss);
    return true;
  }

  void finish() {
    M was_stopped = {};
    for (int lane = 0; lane < task_.replicates; ++lane) {
      was_stopped[lane] = stopped_[lane] ? -1 : 0;
      if (stopped_[lane]) continue;
      task_.epochs_done[lane] = program_.epochs;
      task_.diverged_at[lane] = diverged_at(lane);
    }
    if (final_)
      for (std::int64_t p = 0; p < program_.parameters; ++p)
        weights_[p] = was_stopped ? final_[p] : (best_ ? best_[p] : weights_[p]);
    store(weights_, task_.end, 1, 0);
    measure_error();
  }

 private:
  void report(Control& control) {
    control.steps_done.fetch_add(step_ - reported_, std::memory_order_relaxed);
    reported_ = step_;
  }

  // The first step with a loss that is no number, or -1.
  std::int64_t diverged_at(int lane) const {
    return healthy_steps_[lane] == step_ ? -1 : healthy_steps_[lane];
  }

  void allocate(Arena& arena, const std::atomic<bool>* cancelled) {
    const std::int64_t parameters = program_.parameters;
    weights_ = arena.take<V>(parameters);
    gradient_ = arena.take<V>(parameters);
    state_ = arena.take<V>(kMostStates * parameters);
    passes_.allocate(arena, batch_, weights_, gradient_, cancelled);
    if (!program_.clears_gradients) kept_ = arena.take<V>(parameters);
    if (program_.stop_restores) best_ = arena.take<V>(parameters);
    if (watcher_.watches()) final_ = arena.take<V>(parameters);
    if (task_.sample_weight) batch_weight_ = arena.take<V>(batch_);
    if (task_.order_kind == Order::each_replicate) {
      lane_x_ = arena.take<V>(std::int64_t(batch_) * inputs_);
      lane_y_ = arena.take<V>(std::int64_t(batch_) * outputs_);
      order_ = arena.take<std::int32_t>(task_.samples * kLanes);
    } else if (!group_order_.in_pairs()) {
      batch_x_ = arena.take<Real>(std::int64_t(batch_) * inputs_);
      batch_y_ = arena.take<Real>(std::int64_t(batch_) * outputs_);
    }
  }

  void load_start() {
    for (std::int64_t p = 0; p < program_.parameters; ++p)
      for (int lane = 0; lane < kLanes; ++lane) {
        // Idle lanes repeat the first one, which costs nothing and cannot trap.
        int source = lane < task_.replicates ? lane : 0;
        weights_[p][lane] = task_.start[source * program_.parameters + p];
      }
    if (program_.optimizer == Optimizer::adagrad)
      for (std::int64_t p = 0; p < program_.parameters; ++p)
        state_[p] = broadcast<Real>(Real(program_.initial_accumulator));
    if (best_) std::memcpy(best_, weights_, program_.parameters * sizeof(V));
  }

  void store(const V* weights, Real* rows, std::int64_t row_count, std::int64_t row) const {
    for (int lane = 0; lane < task_.replicates; ++lane) {
      if (stopped_[lane] && rows != task_.end) continue;
      for (std::int64_t p = 0; p < program_.parameters; ++p)
        rows[(lane * row_count + row) * program_.parameters + p] = weights[p][lane];
    }
  }

  // Null: as the data lie.
  const std::int32_t* epoch_order(int epoch) {
    switch (task_.order_kind) {
      case Order::given:
        return task_.order ? task_.order + std::int64_t(epoch) * task_.samples : nullptr;
      case Order::group:
        return group_order_.places();
      case Order::each_replicate:
        for (int lane = 0; lane < kLanes; ++lane)
          permutation(order_key(task_.order_seed, task_.first_replicate + lane, epoch),
                      task_.samples, order_ + lane * task_.samples);
        return order_;
    }
    return nullptr;
  }

  // One batch: forward, backward, update. Returns the sum of the losses of its samples.
  V train_on(const std::int32_t* order, std::int64_t first, int samples, int epoch) {
    if (descends_) return descend_on(order, first, samples, epoch);
    V total_weight, loss = pass(order, first, samples, total_weight);
    const Rate rate = next_rate(epoch);
    if (adjusts_) loss += adjust(rate, total_weight, samples);
    with_optimizer<Real>(program_, clock_, rate, [&](const auto& rule) { update(rule); });
    return loss;
  }

  // The same where large kernels descend within the pass, of whose gradient nothing else is made.
  [[gnu::noinline]] V descend_on(const std::int32_t* order, std::int64_t first, int samples, int epoch) {
    V total_weight, loss;
    with_optimizer<Real>(program_, clock_, next_rate(epoch), [&](const auto& rule) {
      using Rule = std::decay_t<decltype(rule)>;
      const Descent<Real> descent{&step_by<Rule>, &rule, Rule::kStates, state_, program_.parameters};
      passes_.descend_by(&descent);
      loss = pass_apart(order, first, samples, total_weight);
      update(rule);
    });
    return loss;
  }

  template <class Rule>
  void update(const Rule& rule) {
    for (const auto& range : trained_)
      update_all<Real>(rule, weights_, gradient_, state_, program_.parameters, range.first, range.second);
  }

  template <class Rule>
  static void step_by(const void* rule, V* weights, const V* gradient, V* state, std::int64_t stride,
                      std::int64_t count) {
    update_all<Real>(*static_cast<const Rule*>(rule), weights, gradient, state, stride, 0, count);
  }

  Rate next_rate(int epoch) {
    clock_.tick(program_, Real{});
    Rate rate{program_.learning_rate};
    if (program_.rates) rate.shared = program_.rates[program_.rates_per_step ? step_ : epoch];
    if (watcher_.watches_rate()) rate.of_lanes = watcher_.rates();
    return rate;
  }

  // Once, not in the code of each rule.
  [[gnu::noinline]] V pass_apart(const std::int32_t* order, std::int64_t first, int samples, V& total_weight) {
    return pass(order, first, samples, total_weight);
  }

  // Forward and backward: fills the gradient and returns the batch's loss.
  [[gnu::always_inline]] V pass(const std::int32_t* order, std::int64_t first, int samples, V& total_weight) {
    total_weight = broadcast<Real>(Real(samples));
    if (batch_weight_) total_weight = gather_weights(order, first, samples);
    if (task_.order_kind == Order::each_replicate) {
      gather_lanes(order, first, samples);
      return passes_.gradients(LaneRows<Real>{lane_x_, inputs_}, LaneRows<Real>{lane_y_, outputs_},
                               batch_weight_, total_weight, samples, step_);
    }
    if (group_order_.in_pairs()) {
      const auto* pairs = group_order_.pairs() + first;
      return passes_.gradients(SharedRows<Real>{&pairs->x, 2}, SharedRows<Real>{&pairs->y, 2},
                               batch_weight_, total_weight, samples, step_, group_order_.next());
    }
    return passes_.gradients(shared_rows(task_.x, batch_x_, inputs_, order, first, samples),
                             shared_rows(task_.y, batch_y_, outputs_, order, first, samples),
                             batch_weight_, total_weight, samples, step_);
  }

  // Returns what the penalties add to the summed loss.
  V adjust(const Rate& rate, V total_weight, int samples) {
    V share = broadcast<Real>(Real(1));
    if (program_.penalty_per_sample)
      share /= program_.divide_by_weights ? total_weight : broadcast<Real>(Real(samples));
    V penalty = add_penalties<Real>(program_, weights_, gradient_, share);
    if (kept_) add_kept<Real>(program_, kept_, gradient_);
    clip<Real>(program_, gradient_);
    if (kept_) std::memcpy(kept_, gradient_, program_.parameters * sizeof(V));
    if (program_.decay != Decay::none) decay_weights<Real>(program_, rate, weights_, gradient_);
    return penalty * Real(samples * outputs_);
  }

  SharedRows<Real> shared_rows(const Real* data, Real* buffer, int width,
                               const std::int32_t* order, std::int64_t first, int samples) const {
    if (!order) return {data + first * width, width};
    order += first;
    for (int s = 0; s < samples; ++s) {
      const Real* row = data + std::int64_t(order[s]) * width;
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

  V gather_weights(const std::int32_t* order, std::int64_t first, int samples) {
    const bool each = task_.order_kind == Order::each_replicate;
    V total = {};
    for (int s = 0; s < samples; ++s) {
      for (int lane = 0; lane < kLanes; ++lane) {
        std::int64_t place = (each ? lane * task_.samples : 0) + first + s;
        batch_weight_[s][lane] = task_.sample_weight[order ? order[place] : first + s];
      }
      total += batch_weight_[s];
    }
    return total;
  }

  // ---- the end of an epoch, and of training ----

  void end_epoch(int epoch, V epoch_loss) {
    const double terms = double(samples_used_) * outputs_;
    if (task_.history)
      for (int lane = 0; lane < task_.replicates; ++lane)
        if (!stopped_[lane])
          task_.history[std::int64_t(lane) * program_.epochs + epoch] =
              double(epoch_loss[lane]) / terms;
    if (task_.snapshots && (epoch + 1) % task_.snapshot_every == 0)
      store(weights_, task_.snapshots, program_.epochs / task_.snapshot_every,
            (epoch + 1) / task_.snapshot_every - 1);
    if (watcher_.watches()) watch(epoch, epoch_loss, terms);
  }

  void watch(int epoch, V epoch_loss, double terms) {
    M better = {}, stops = {};
    double held_out[kLanes] = {};
    if (watcher_.watches_held_out()) look_at_held_out(held_out);
    for (int lane = 0; lane < task_.replicates; ++lane) {
      if (stopped_[lane]) continue;
      const double loss = double(epoch_loss[lane]) / terms;
      Watcher::Verdict verdict = watcher_.note(lane, epoch, loss, held_out[lane]);
      better[lane] = verdict.best_so_far ? -1 : 0;
      stops[lane] = verdict.stop ? -1 : 0;
      // Where the first epochs do not count, the last of them is the best so far.
      if (epoch < program_.stop_from_epoch) better[lane] = -1;
      if (!stops[lane]) continue;
      stopped_[lane] = true;
      ++stopped_count_;
      task_.epochs_done[lane] = epoch + 1;
      task_.diverged_at[lane] = diverged_at(lane);
    }
    for (std::int64_t p = 0; p < program_.parameters; ++p) {
      if (best_) best_[p] = better ? weights_[p] : best_[p];
      final_[p] = stops ? (best_ ? best_[p] : weights_[p]) : final_[p];
    }
  }

  // The loss of each lane on the held-out samples, as `evaluate` gives it, or minus the mean R^2.
  void look_at_held_out(double* found) {
    for (std::int64_t first = 0; first < task_.held_out; first += together_) {
      std::int64_t left = task_.held_out - first;
      int samples = int(left < together_ ? left : together_);
      SharedRows<Real> x{task_.held_out_x + first * inputs_, inputs_};
      SharedRows<Real> y{task_.held_out_y + first * outputs_, outputs_};
      const V* prediction = passes_.predict(x, samples);
      if (!program_.held_out_score) {
        V sum = passes_.loss_of(prediction, y, samples);
        for (int lane = 0; lane < kLanes; ++lane) found[lane] += double(sum[lane]);
        continue;
      }
      for (int s = 0; s < samples; ++s)
        for (int o = 0; o < outputs_; ++o) {
          V error = prediction[s * outputs_ + o] - y.at(s, o);
          for (int lane = 0; lane < kLanes; ++lane)
            found[lane] += double(error[lane]) * double(error[lane]) * task_.held_out_share[o];
        }
    }
    if (program_.held_out_score) {
      for (int lane = 0; lane < kLanes; ++lane) found[lane] -= 1.0;
      return;
    }
    // The gradient serves as scratch: every step fills it anew.
    V penalty = add_penalties<Real>(program_, weights_, gradient_, broadcast<Real>(Real(1)));
    for (int lane = 0; lane < kLanes; ++lane)
      found[lane] = passes_.loss_of_sum(found[lane], task_.held_out) + double(penalty[lane]);
  }

  // The mean squared error over samples, weighted where they are, and outputs.
  void measure_error() {
    double total[kLanes] = {}, shares = 0.0;
    for (std::int64_t first = 0; first < task_.samples; first += together_) {
      std::int64_t left = task_.samples - first;
      int samples = int(left < together_ ? left : together_);
      SharedRows<Real> y{task_.y + first * outputs_, outputs_};
      const V* prediction =
          passes_.predict(SharedRows<Real>{task_.x + first * inputs_, inputs_}, samples);
      V sum = {};
      for (int s = 0; s < samples; ++s) {
        V squares = {};
        for (int o = 0; o < outputs_; ++o) {
          V error = prediction[s * outputs_ + o] - y.at(s, o);
          squares += error * error;
        }
        const Real* weight = task_.sample_weight ? task_.sample_weight + first + s : nullptr;
        sum += weight ? squares * broadcast<Real>(*weight) : squares;
        shares += weight ? double(*weight) : 1.0;
      }
      for (int lane = 0; lane < kLanes; ++lane) total[lane] += double(sum[lane]);
    }
    for (int lane = 0; lane < task_.replicates; ++lane)
      task_.squared_error[lane] = total[lane] / (shares * outputs_);
  }

  const Program& program_;
  const Task<Real>& task_;
  GroupOrder<Real>& group_order_;
  const int inputs_, outputs_, batch_, together_;
  const std::int64_t samples_used_;
  const bool adjusts_;
  const std::int64_t report_every_;  // steps
  Passes<Real> passes_;
  Watcher watcher_;
  Clock clock_;
  std::vector<std::pair<std::int64_t, std::int64_t>> trained_;  // after the pass
  bool descends_ = false;                                       // the others within it
  V *weights_ = nullptr, *gradient_ = nullptr, *state_ = nullptr;
  V *best_ = nullptr, *final_ = nullptr, *kept_ = nullptr;
  V *lane_x_ = nullptr, *lane_y_ = nullptr, *batch_weight_ = nullptr;
  Real *batch_x_ = nullptr, *batch_y_ = nullptr;
  std::int32_t* order_ = nullptr;
  M healthy_ = ~M{}, healthy_steps_ = {};
  std::int64_t step_ = 0, reported_ = 0;
  bool stopped_[kGroup] = {};
  int stopped_count_ = 0;
};

// Blocks of one group, of which each trains an epoch in turn on data that are put into order once.
template <class Real>
class Team {
 public:
  Team(const Program& program, const Task<Real>* tasks, int count)
      : program_(program), order_(program, tasks[0]) {
    for (int i = 0; i < count; ++i) blocks_.emplace_back(program, tasks[i], order_);
  }

  std::size_t bytes_needed() {
    Arena counting;
    order_.allocate(counting);
    for (Block<Real>& block : blocks_) block.allocate(counting);
    return counting.used();
  }

  // False if memory ran out before the start or the caller cancelled.
  bool run(Control& control) {
    Arena arena(bytes_needed());
    if (arena.failed()) return false;
    order_.allocate(arena);
    for (Block<Real>& block : blocks_) block.start(arena, control);
    for (int epoch = 0; epoch < program_.epochs; ++epoch) {
      bool any = false;
      for (Block<Real>& block : blocks_) {
        if (!block.goes_on()) continue;
        if (!any) order_.begin(epoch);
        any = true;
        if (!block.train_epoch(epoch, control)) return false;
      }
      if (!any) break;
    }
    for (Block<Real>& block : blocks_) block.finish();
    return !control.cancelled.load(std::memory_order_relaxed);
  }

 private:
  const Program& program_;
  GroupOrder<Real> order_;
  std::deque<Block<Real>> blocks_;  // whose places stay: a block holds what points into itself
};

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
