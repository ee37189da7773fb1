// What follows from a lane's loss at the end of an epoch, on the data or on held-out samples: a lower
// learning rate, the best weights so far, the end of training.
//
// Formulas: keras/src/callbacks/{reduce_lr_on_plateau,early_stopping,monitor_callback}.py;
// torch/optim/lr_scheduler.py, ReduceLROnPlateau; sklearn/neural_network/_multilayer_perceptron.py,
// _fit_stochastic, and _stochastic_optimizers.py, trigger_stopping. Losses that are not numbers never
// count as better, since every comparison with them is false.
#pragma once

#include "program.hpp"

namespace whyfit {
namespace WHYFIT_TARGET {

class Watcher {
 public:
  struct Verdict {
    bool best_so_far = false, stop = false;
  };

  Watcher(const Program& program) : program_(program) {
    for (Lane& lane : lanes_) lane.rate = program.learning_rate;
    for (double& rate : rates_) rate = program.learning_rate;
  }

  bool watches_rate() const { return program_.watch != Watch::none; }
  bool watches() const { return watches_rate() || program_.stop != Stop::none; }
  bool watches_held_out() const { return program_.watch_held_out || program_.stop_held_out; }
  const double* rates() const { return rates_; }

  Verdict note(int number, int epoch, double loss, double held_out) {
    Lane& lane = lanes_[number];
    const double of_rate = program_.watch_held_out ? held_out : loss;
    const double of_stop = program_.stop_held_out ? held_out : loss;
    switch (program_.watch) {
      case Watch::plateau_of_keras: plateau_of_keras(lane, of_rate); break;
      case Watch::plateau_of_torch: plateau_of_torch(lane, of_rate); break;
      default: break;
    }
    Verdict verdict;
    if (program_.watch == Watch::adaptive || program_.stop == Stop::sklearn)
      verdict = of_sklearn(lane, of_stop);
    else if (program_.stop == Stop::keras)
      verdict = of_keras(lane, epoch, of_stop);
    rates_[number] = lane.rate;
    return verdict;
  }

 private:
  struct Lane {
    double rate = 0.0;
    bool has_best = false, stop_has_best = false;
    double best = 0.0, stop_best = 0.0;
    int wait = 0, cooldown = 0, stop_wait = 0;
  };

  void plateau_of_keras(Lane& lane, double loss) const {
    if (lane.cooldown > 0) {
      --lane.cooldown;
      lane.wait = 0;
    }
    if (!lane.has_best || loss + program_.watch_threshold < lane.best) {
      lane.best = loss;
      lane.has_best = true;
      lane.wait = 0;
    } else if (lane.cooldown == 0 && ++lane.wait >= program_.watch_patience &&
               lane.rate > program_.watch_least) {
      double rate = lane.rate * program_.watch_factor;
      lane.rate = rate > program_.watch_least ? rate : program_.watch_least;
      lane.cooldown = program_.watch_cooldown;
      lane.wait = 0;
    }
  }

  void plateau_of_torch(Lane& lane, double loss) const {
    double wanted = program_.watch_relative ? lane.best * (1.0 - program_.watch_threshold)
                                            : lane.best - program_.watch_threshold;
    bool finite_number = loss == loss;
    if ((!lane.has_best && finite_number) || loss < wanted) {
      lane.best = loss;
      lane.has_best = true;
      lane.wait = 0;
    } else {
      ++lane.wait;
    }
    if (lane.cooldown > 0) {
      --lane.cooldown;
      lane.wait = 0;
    }
    if (lane.wait <= program_.watch_patience) return;
    double rate = lane.rate * program_.watch_factor;
    if (rate < program_.watch_least) rate = program_.watch_least;
    if (lane.rate - rate > program_.watch_smallest) lane.rate = rate;
    lane.cooldown = program_.watch_cooldown;
    lane.wait = 0;
  }

  Verdict of_keras(Lane& lane, int epoch, double loss) const {
    if (epoch < program_.stop_from_epoch) return {};
    ++lane.stop_wait;
    if (!lane.stop_has_best || loss + program_.stop_threshold < lane.stop_best) {
      lane.stop_best = loss;
      lane.stop_has_best = true;
      if (!program_.stop_has_baseline ||
          loss + program_.stop_threshold < program_.stop_baseline)
        lane.stop_wait = 0;
      return {.best_so_far = true};
    }
    return {.stop = lane.stop_wait >= program_.stop_patience && epoch > 0};
  }

  Verdict of_sklearn(Lane& lane, double loss) const {
    bool adaptive = program_.watch == Watch::adaptive;
    double threshold = adaptive ? program_.watch_threshold : program_.stop_threshold;
    int patience = adaptive ? program_.watch_patience : program_.stop_patience;
    // The first loss is compared with infinity.
    if (lane.has_best && loss > lane.best - threshold)
      ++lane.wait;
    else
      lane.wait = 0;
    Verdict verdict{.best_so_far = !lane.has_best || loss < lane.best};
    if (verdict.best_so_far) {
      lane.best = loss;
      lane.has_best = loss == loss;
    }
    if (lane.wait <= patience) return verdict;
    verdict.stop = !adaptive || lane.rate <= 1e-6;
    if (verdict.stop) return verdict;
    lane.rate /= 5.0;
    lane.wait = 0;
    return verdict;
  }

  const Program& program_;
  Lane lanes_[kGroup];
  double rates_[kGroup];
};

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
