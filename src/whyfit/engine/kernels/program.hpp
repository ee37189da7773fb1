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

enum class Activation : int { linear, relu, leaky_relu, elu, tanh, sigmoid };
enum class Loss : int { mean_squared_error, mean_absolute_error };
enum class Optimizer : int { sgd, rmsprop, adam };

// Weights lie in one row per replicate: for each layer its kernel (inputs, units) in row-major
// order, then its bias (units).
struct Layer {
  int inputs = 0;
  int units = 0;
  Activation activation = Activation::linear;
  double constant = 0.0;  // leaky_relu: slope below zero; elu: alpha
  bool has_bias = true;
  std::int64_t kernel_at = 0;  // offset of the kernel in the row of weights
  std::int64_t bias_at = 0;    // offset of the bias; meaningless without one
};

struct Program {
  const Layer* layers = nullptr;
  int layer_count = 0;
  std::int64_t parameters = 0;
  Loss loss = Loss::mean_squared_error;
  Optimizer optimizer = Optimizer::sgd;
  double learning_rate = 0.01;
  double momentum = 0.0;  // SGD, RMSprop
  bool nesterov = false;  // SGD
  double rho = 0.9;       // RMSprop
  bool centered = false;  // RMSprop
  double beta_1 = 0.9;    // Adam
  double beta_2 = 0.999;  // Adam
  double epsilon = 1e-7;  // RMSprop, Adam
  int batch_size = 32;
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
  std::int64_t samples = 0;

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
  double* squared_error = nullptr;       // (replicates) mean over samples and outputs, at the end
};

// Shared by the caller and all threads of a call.
struct Control {
  std::atomic<bool> cancelled{false};
  std::atomic<std::int64_t> steps_done{0};
};

}  // namespace whyfit
