// What to train, as plain numbers: the contract between Python and the kernels.
//
// Nothing here depends on the instruction set. Sizes are counts, rates are per step, all
// pointers are owned by the caller and live as long as the call.
#pragma once

#include <atomic>
#include <cstdint>

namespace whyfit {

// A replicate's data order belongs to its group: replicates 16 g .. 16 g + 15 share one
// permutation an epoch, whatever the width of the machine's registers.
constexpr int kGroup = 16;

enum class Activation : int {
  linear, relu, leaky_relu, elu, tanh, sigmoid,  // of these the slope follows from the output
  bounded_relu, prelu, selu, gelu, gelu_tanh, silu, mish, softplus, softsign,
  hard_sigmoid, hard_tanh, exponential, sine,
  softmax  // of the last layer
};
enum class Loss : int {
  mean_squared_error, mean_absolute_error, huber, log_cosh, mean_absolute_percentage_error,
  mean_squared_logarithmic_error, binary_crossentropy, categorical_crossentropy,
  half_squared_error
};
enum class Optimizer : int { sgd, rmsprop, adam, adamax, nadam, adagrad, adadelta };

// Whose formulas, where the frameworks differ. scikit-learn's own are few.
enum class Form : int { keras, torch, sklearn };

// Weights lie in one row per replicate: for each layer its kernel (inputs, units) in row-major
// order, then its bias (units), then the slopes of prelu (units, or one for all).
struct Layer {
  int inputs = 0;
  int units = 0;
  Activation activation = Activation::linear;
  double constant = 0.0;       // leaky_relu, bounded_relu: slope below; elu: alpha
  double most = 0.0;           // bounded_relu: largest output
  double threshold = 0.0;      // bounded_relu: output is 0, or begins to fall, below it
  double slope_at_zero = 0.0;  // leaky_relu, bounded_relu; prelu: of units at z = 0, or
  bool own_slope_at_zero = false;  // prelu: the slope of the left side
  bool has_bias = true;
  std::int64_t kernel_at = 0;  // offset of the kernel in the row of weights
  std::int64_t bias_at = 0;    // offset of the bias; meaningless without one
  int slopes = 0;              // prelu: trained slopes, one for each unit or one for all
  std::int64_t slopes_at = 0;
  double dropout = 0.0;
  double activity_l1 = 0.0;
  double activity_l2 = 0.0;
};

// A kernel, a bias or slopes: what is clipped, penalised and frozen as one.
struct Tensor {
  std::int64_t at = 0;
  std::int64_t count = 0;
  double l1 = 0.0;
  double l2 = 0.0;
  bool trainable = true;
};

enum class Decay : int {
  none,
  of_weights,   // w -= rate decay w before the update
  in_gradient,  // g += decay w
};

enum class Watch : int { none, plateau_of_keras, plateau_of_torch, adaptive };
enum class Stop : int { none, keras, sklearn };

struct Program {
  const Layer* layers = nullptr;
  int layer_count = 0;
  const Tensor* tensors = nullptr;
  int tensor_count = 0;
  std::int64_t parameters = 0;
  Form form = Form::keras;

  Loss loss = Loss::mean_squared_error;
  bool root_of_loss = false;   // of the batch: not its loss is descended but the root of that
  double loss_constant = 1.0;  // huber: delta
  bool from_logits = false;
  double label_smoothing = 0.0;
  double loss_factor = 1.0;
  bool sum_reduction = false;
  bool divide_by_weights = false;
  bool penalty_per_sample = false;
  bool clears_gradients = true;  // or each step's gradient is added to what the last one left

  Optimizer optimizer = Optimizer::sgd;
  double learning_rate = 0.01;
  double momentum = 0.0;  // SGD, RMSprop
  double dampening = 0.0;  // SGD of torch
  bool nesterov = false;  // SGD
  double rho = 0.9;       // RMSprop, Adadelta
  bool centered = false;  // RMSprop
  double beta_1 = 0.9;    // Adam and its kin
  double beta_2 = 0.999;  // Adam and its kin
  double epsilon = 1e-7;  // all but SGD
  bool amsgrad = false;   // Adam
  double initial_accumulator = 0.1;  // Adagrad
  double rate_decay = 0.0;           // Adagrad of torch
  double momentum_decay = 0.004;     // NAdam of torch
  double weight_decay = 0.0;
  Decay decay = Decay::none;
  double clip_norm = 0.0;         // of each tensor; 0: none, here and below
  double global_clip_norm = 0.0;  // of all together
  double clip_value = 0.0;

  const double* rates = nullptr;  // learning rates known beforehand, or null
  bool rates_per_step = false;    // otherwise one an epoch
  Watch watch = Watch::none;
  double watch_factor = 1.0, watch_least = 0.0, watch_threshold = 0.0, watch_smallest = 0.0;
  bool watch_relative = false;
  int watch_patience = 0, watch_cooldown = 0;
  Stop stop = Stop::none;
  int stop_patience = 0, stop_from_epoch = 0;
  double stop_threshold = 0.0;
  bool stop_restores = false;
  bool stop_has_baseline = false;
  double stop_baseline = 0.0;
  bool watch_held_out = false, stop_held_out = false;  // the loss of held-out samples is looked at
  bool held_out_score = false;  // or rather minus the mean R^2 of the outputs there

  double input_dropout = 0.0;
  std::uint64_t dropout_seed = 0;
  int batch_size = 32;
  bool drop_last = false;
  int epochs = 1;
};

enum class Order : int {
  given,          // Task::order, the same for all replicates; without one, as the data lie
  group,          // a fresh permutation an epoch for each group
  each_replicate  // a fresh permutation an epoch for each replicate
};

// The part of the work that one thread does alone: up to one register of lanes of one group.
template <class Real>
struct Task {
  const Real* x = nullptr;  // (samples, inputs)
  const Real* y = nullptr;  // (samples, outputs)
  const Real* sample_weight = nullptr;  // (samples) or null
  std::int64_t samples = 0;
  const Real* held_out_x = nullptr;  // (held_out, inputs) or null
  const Real* held_out_y = nullptr;  // (held_out, outputs)
  const double* held_out_share = nullptr;  // (outputs) factor of the squared errors, for the score
  std::int64_t held_out = 0;

  Order order_kind = Order::given;
  const std::int32_t* order = nullptr;  // (epochs, samples) or null
  std::uint64_t order_seed = 0;
  std::int64_t first_replicate = 0;  // of the lanes of this task
  int replicates = 0;                // lanes in use; the others idle

  const Real* start = nullptr;           // (replicates, parameters)
  Real* end = nullptr;                   // (replicates, parameters)
  double* history = nullptr;             // (replicates, epochs) mean training loss, or null
  Real* snapshots = nullptr;             // (replicates, epochs / snapshot_every, parameters) or null
  int snapshot_every = 1;                // epochs
  std::int64_t* diverged_at = nullptr;   // (replicates) first step with a non-finite loss, or -1
  double* squared_error = nullptr;       // (replicates) weighted mean over samples and outputs
  std::int64_t* epochs_done = nullptr;   // (replicates)
};

// Shared by the caller and all threads of a call.
struct Control {
  std::atomic<bool> cancelled{false};
  std::atomic<std::int64_t> steps_done{0};
};

}  // namespace whyfit
