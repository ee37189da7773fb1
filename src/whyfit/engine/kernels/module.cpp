// The Python door of the kernels: takes arrays, shares blocks of replicates among threads, answers
// progress and Ctrl-C while they work. All checks of sizes are made in lanes.py.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "targets.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace whyfit {
namespace {

struct NamedTarget {
  const char* name;
  const Target* target;
};

// Best first. The machine's abilities are asked at run time, so that one binary serves all.
std::vector<NamedTarget> available_targets() {
  std::vector<NamedTarget> found;
#if defined(WHYFIT_HAS_AVX2)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
    found.push_back({"avx512", &avx512::target});
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    found.push_back({"avx2", &avx2::target});
#endif
  found.push_back({"baseline", &baseline::target});
  return found;
}

const Target& target_named(const std::string& name) {
  for (const NamedTarget& each : available_targets())
    if (name == each.name) return *each.target;
  throw std::invalid_argument("this machine has no instruction set called " + name);
}

template <class Real>
using Rows = nb::ndarray<const Real, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class Real>
using Out2 = nb::ndarray<Real, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class Real>
using Out3 = nb::ndarray<Real, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
template <class T>
using Out1 = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using OrderRows = nb::ndarray<const std::int32_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

template <class Real>
int lanes_of(const Target& target) {
  return sizeof(Real) == 4 ? target.float_lanes : target.double_lanes;
}

template <class Real>
auto run_of(const Target& target) {
  if constexpr (sizeof(Real) == 4)
    return target.run_float;
  else
    return target.run_double;
}

// Tasks that train in turns: those of one group, which share the order of their data.
struct Turns {
  std::size_t first;
  int count;
};

// A network so small that putting the data into order is a good part of its work, and batches that need
// little memory beside it.
constexpr std::int64_t kFewParameters = 1024, kFewSamples = 4096;

// Larger networks are trained a task at a time, which needs less memory, and so are groups too few to
// go round.
template <class Real>
std::vector<Turns> take_turns(const Program& program, const std::vector<Task<Real>>& tasks, int threads) {
  std::vector<Turns> alone, together;
  for (std::size_t index = 0; index < tasks.size(); ++index) {
    alone.push_back({index, 1});
    const std::int64_t group = tasks[index].first_replicate / kGroup;
    if (index && group == tasks[index - 1].first_replicate / kGroup)
      ++together.back().count;
    else
      together.push_back({index, 1});
  }
  const bool shares = !tasks.empty() && tasks[0].order_kind == Order::group &&
                      program.parameters <= kFewParameters && program.batch_size <= kFewSamples;
  // Groups that do not go round leave threads idle at the end.
  const int groups = int(together.size());
  const bool go_round = groups >= threads && (groups % threads == 0 || groups >= 4 * threads);
  return shares && go_round ? together : alone;
}

// Runs every task on `threads` threads; the calling thread only watches, so that Python's signal
// handlers and the progress callback get their turn ten times a second.
template <class Real>
bool run_tasks(const Target& target, const Program& program, const std::vector<Task<Real>>& tasks,
               int threads, const nb::object& progress) {
  Control control;
  const std::vector<Turns> turns = take_turns(program, tasks, threads);
  std::atomic<std::size_t> next{0};
  std::atomic<bool> complete{true};
  std::mutex mutex;
  std::condition_variable finished;
  int running = std::max(1, std::min<int>(threads, int(turns.size())));

  auto work = [&] {
    for (std::size_t index; (index = next.fetch_add(1)) < turns.size();)
      if (!run_of<Real>(target)(program, &tasks[turns[index].first], turns[index].count, control)) {
        complete = false;
        break;
      }
    std::lock_guard<std::mutex> lock(mutex);
    --running;
    finished.notify_one();
  };

  bool interrupted = false;
  {
    nb::gil_scoped_release released;
    std::vector<std::thread> pool;
    const int workers = running;
    for (int i = 0; i < workers; ++i) pool.emplace_back(work);
    std::unique_lock<std::mutex> lock(mutex);
    while (!finished.wait_for(lock, std::chrono::milliseconds(100), [&] { return running == 0; })) {
      lock.unlock();
      {
        nb::gil_scoped_acquire acquired;
        if (PyErr_CheckSignals() != 0) interrupted = true;
        if (!interrupted && !progress.is_none()) {
          try {
            progress(control.steps_done.load());
          } catch (nb::python_error& error) {
            error.restore();
            interrupted = true;
          }
        }
      }
      if (interrupted) control.cancelled = true;
      lock.lock();
    }
    lock.unlock();
    for (std::thread& thread : pool) thread.join();
  }
  if (interrupted) throw nb::python_error();
  return complete;
}

template <class Real>
bool train(const std::string& target_name, Program program, const std::vector<Layer>& layers,
           const std::vector<Tensor>& tensors, std::optional<Out1<const double>> rates,
           Rows<Real> x, Rows<Real> y, std::optional<Out1<const Real>> sample_weight,
           std::optional<Rows<Real>> held_out_x, std::optional<Rows<Real>> held_out_y,
           std::optional<Out1<const double>> held_out_share,
           Rows<Real> start, Order order_kind,
           std::optional<OrderRows> order, std::uint64_t order_seed, std::int64_t first_replicate,
           Out2<Real> end, Out1<double> squared_error, Out1<std::int64_t> diverged_at,
           Out1<std::int64_t> epochs_done,
           std::optional<Out2<double>> history, std::optional<Out3<Real>> snapshots,
           int snapshot_every, int threads, nb::object progress) {
  const Target& target = target_named(target_name);
  program.layers = layers.data();
  program.layer_count = int(layers.size());
  program.tensors = tensors.data();
  program.tensor_count = int(tensors.size());
  program.rates = rates ? rates->data() : nullptr;
  const std::int64_t replicates = std::int64_t(start.shape(0));
  const int lanes = lanes_of<Real>(target);
  std::vector<Task<Real>> tasks;
  for (std::int64_t first = 0; first < replicates; first += lanes) {
    Task<Real> task;
    task.x = x.data();
    task.y = y.data();
    task.sample_weight = sample_weight ? sample_weight->data() : nullptr;
    task.samples = std::int64_t(x.shape(0));
    if (held_out_x && held_out_y) {
      task.held_out_x = held_out_x->data();
      task.held_out_y = held_out_y->data();
      task.held_out_share = held_out_share ? held_out_share->data() : nullptr;
      task.held_out = std::int64_t(held_out_x->shape(0));
    }
    task.order_kind = order_kind;
    task.order = order ? order->data() : nullptr;
    task.order_seed = order_seed;
    task.first_replicate = first_replicate + first;
    task.replicates = int(std::min<std::int64_t>(lanes, replicates - first));
    task.start = start.data() + first * program.parameters;
    task.end = end.data() + first * program.parameters;
    task.squared_error = squared_error.data() + first;
    task.diverged_at = diverged_at.data() + first;
    task.epochs_done = epochs_done.data() + first;
    if (history) task.history = history->data() + first * program.epochs;
    if (snapshots) {
      task.snapshots =
          snapshots->data() + first * (program.epochs / snapshot_every) * program.parameters;
      task.snapshot_every = snapshot_every;
    }
    tasks.push_back(task);
  }
  return run_tasks<Real>(target, program, tasks, threads, progress);
}

// Bytes that one thread needs while it trains a block, beside what goes in and out.
template <class Real>
std::size_t block_memory(const std::string& target_name, Program program,
                         const std::vector<Layer>& layers, const std::vector<Tensor>& tensors,
                         std::int64_t samples, Order order_kind, bool weighted) {
  program.layers = layers.data();
  program.layer_count = int(layers.size());
  program.tensors = tensors.data();
  program.tensor_count = int(tensors.size());
  Task<Real> task;
  Real any_weight = 1;
  task.samples = samples;
  task.order_kind = order_kind;
  task.sample_weight = weighted ? &any_weight : nullptr;
  const Target& target = target_named(target_name);
  if constexpr (sizeof(Real) == 4)
    return target.memory_float(program, task);
  else
    return target.memory_double(program, task);
}

template <class Real>
void define_memory(nb::module_& m, const char* name) {
  m.def(name, &block_memory<Real>, "target"_a, "program"_a, "layers"_a, "tensors"_a, "samples"_a,
        "order_kind"_a, "weighted"_a);
}

// Seconds of work without the GIL, for the benchmark and the calibration.
std::int64_t multiply_add(const std::string& target_name, std::int64_t rounds) {
  nb::gil_scoped_release released;
  float out = 0;
  return target_named(target_name).multiply_add(rounds, &out);
}

template <class Real>
void define_train(nb::module_& m, const char* name) {
  m.def(name, &train<Real>, "target"_a, "program"_a, "layers"_a, "tensors"_a,
        "rates"_a.none(), "x"_a.noconvert(), "y"_a.noconvert(), "sample_weight"_a.none(),
        "held_out_x"_a.none(), "held_out_y"_a.none(), "held_out_share"_a.none(),
        "start"_a.noconvert(), "order_kind"_a, "order"_a.none(),
        "order_seed"_a, "first_replicate"_a, "end"_a.noconvert(), "squared_error"_a.noconvert(),
        "diverged_at"_a.noconvert(), "epochs_done"_a.noconvert(), "history"_a.none(), "snapshots"_a.none(), "snapshot_every"_a,
        "threads"_a, "progress"_a.none());
}

template <class Real>
void evaluate(const std::string& target_name, Function function, Out1<const Real> x, Out1<Real> out) {
  const Target& target = target_named(target_name);
  if constexpr (sizeof(Real) == 4)
    target.evaluate_float(function, x.data(), out.data(), x.shape(0));
  else
    target.evaluate_double(function, x.data(), out.data(), x.shape(0));
}

}  // namespace
}  // namespace whyfit

NB_MODULE(_lanes, m) {
  using namespace whyfit;
  m.attr("GROUP") = kGroup;
  m.attr("BUILD") = WHYFIT_BUILD;
  nb::enum_<Activation>(m, "Activation")
      .value("linear", Activation::linear)
      .value("relu", Activation::relu)
      .value("leaky_relu", Activation::leaky_relu)
      .value("elu", Activation::elu)
      .value("tanh", Activation::tanh)
      .value("sigmoid", Activation::sigmoid)
      .value("bounded_relu", Activation::bounded_relu)
      .value("prelu", Activation::prelu)
      .value("selu", Activation::selu)
      .value("gelu", Activation::gelu)
      .value("gelu_tanh", Activation::gelu_tanh)
      .value("silu", Activation::silu)
      .value("mish", Activation::mish)
      .value("softplus", Activation::softplus)
      .value("softsign", Activation::softsign)
      .value("hard_sigmoid", Activation::hard_sigmoid)
      .value("hard_tanh", Activation::hard_tanh)
      .value("exponential", Activation::exponential)
      .value("sine", Activation::sine)
      .value("softmax", Activation::softmax);
  nb::enum_<Loss>(m, "Loss")
      .value("mean_squared_error", Loss::mean_squared_error)
      .value("mean_absolute_error", Loss::mean_absolute_error)
      .value("huber", Loss::huber)
      .value("log_cosh", Loss::log_cosh)
      .value("mean_absolute_percentage_error", Loss::mean_absolute_percentage_error)
      .value("mean_squared_logarithmic_error", Loss::mean_squared_logarithmic_error)
      .value("binary_crossentropy", Loss::binary_crossentropy)
      .value("categorical_crossentropy", Loss::categorical_crossentropy)
      .value("half_squared_error", Loss::half_squared_error);
  nb::enum_<Optimizer>(m, "Optimizer")
      .value("sgd", Optimizer::sgd)
      .value("rmsprop", Optimizer::rmsprop)
      .value("adam", Optimizer::adam)
      .value("adamax", Optimizer::adamax)
      .value("nadam", Optimizer::nadam)
      .value("adagrad", Optimizer::adagrad)
      .value("adadelta", Optimizer::adadelta);
  nb::enum_<Form>(m, "Form")
      .value("keras", Form::keras)
      .value("torch", Form::torch)
      .value("sklearn", Form::sklearn);
  nb::enum_<Decay>(m, "Decay")
      .value("none", Decay::none)
      .value("of_weights", Decay::of_weights)
      .value("in_gradient", Decay::in_gradient);
  nb::enum_<Watch>(m, "Watch")
      .value("none", Watch::none)
      .value("plateau_of_keras", Watch::plateau_of_keras)
      .value("plateau_of_torch", Watch::plateau_of_torch)
      .value("adaptive", Watch::adaptive);
  nb::enum_<Stop>(m, "Stop")
      .value("none", Stop::none)
      .value("keras", Stop::keras)
      .value("sklearn", Stop::sklearn);
  nb::enum_<Function>(m, "Function")
      .value("exponential", Function::exponential)
      .value("hyperbolic_tangent", Function::hyperbolic_tangent)
      .value("logistic", Function::logistic)
      .value("error_function", Function::error_function)
      .value("logarithm", Function::logarithm)
      .value("sine", Function::sine)
      .value("cosine", Function::cosine)
      .value("soft_plus", Function::soft_plus)
      .value("tangent_of_unit", Function::tangent_of_unit)
      .value("logistic_of_unit", Function::logistic_of_unit);
  nb::enum_<Order>(m, "Order")
      .value("given", Order::given)
      .value("group", Order::group)
      .value("each_replicate", Order::each_replicate);
  nb::class_<Layer>(m, "Layer")
      .def(nb::init<>())
      .def_rw("inputs", &Layer::inputs)
      .def_rw("units", &Layer::units)
      .def_rw("activation", &Layer::activation)
      .def_rw("constant", &Layer::constant)
      .def_rw("most", &Layer::most)
      .def_rw("threshold", &Layer::threshold)
      .def_rw("slope_at_zero", &Layer::slope_at_zero)
      .def_rw("own_slope_at_zero", &Layer::own_slope_at_zero)
      .def_rw("has_bias", &Layer::has_bias)
      .def_rw("kernel_at", &Layer::kernel_at)
      .def_rw("bias_at", &Layer::bias_at)
      .def_rw("slopes", &Layer::slopes)
      .def_rw("slopes_at", &Layer::slopes_at)
      .def_rw("dropout", &Layer::dropout)
      .def_rw("activity_l1", &Layer::activity_l1)
      .def_rw("activity_l2", &Layer::activity_l2);
  nb::class_<Tensor>(m, "Tensor")
      .def(nb::init<>())
      .def_rw("at", &Tensor::at)
      .def_rw("count", &Tensor::count)
      .def_rw("l1", &Tensor::l1)
      .def_rw("l2", &Tensor::l2)
      .def_rw("trainable", &Tensor::trainable);
  nb::class_<Program>(m, "Program")
      .def(nb::init<>())
      .def_rw("parameters", &Program::parameters)
      .def_rw("form", &Program::form)
      .def_rw("loss", &Program::loss)
      .def_rw("root_of_loss", &Program::root_of_loss)
      .def_rw("loss_constant", &Program::loss_constant)
      .def_rw("from_logits", &Program::from_logits)
      .def_rw("label_smoothing", &Program::label_smoothing)
      .def_rw("loss_factor", &Program::loss_factor)
      .def_rw("sum_reduction", &Program::sum_reduction)
      .def_rw("divide_by_weights", &Program::divide_by_weights)
      .def_rw("penalty_per_sample", &Program::penalty_per_sample)
      .def_rw("clears_gradients", &Program::clears_gradients)
      .def_rw("optimizer", &Program::optimizer)
      .def_rw("learning_rate", &Program::learning_rate)
      .def_rw("momentum", &Program::momentum)
      .def_rw("dampening", &Program::dampening)
      .def_rw("nesterov", &Program::nesterov)
      .def_rw("rho", &Program::rho)
      .def_rw("centered", &Program::centered)
      .def_rw("beta_1", &Program::beta_1)
      .def_rw("beta_2", &Program::beta_2)
      .def_rw("epsilon", &Program::epsilon)
      .def_rw("amsgrad", &Program::amsgrad)
      .def_rw("initial_accumulator", &Program::initial_accumulator)
      .def_rw("rate_decay", &Program::rate_decay)
      .def_rw("momentum_decay", &Program::momentum_decay)
      .def_rw("weight_decay", &Program::weight_decay)
      .def_rw("decay", &Program::decay)
      .def_rw("clip_norm", &Program::clip_norm)
      .def_rw("global_clip_norm", &Program::global_clip_norm)
      .def_rw("clip_value", &Program::clip_value)
      .def_rw("rates_per_step", &Program::rates_per_step)
      .def_rw("watch", &Program::watch)
      .def_rw("watch_factor", &Program::watch_factor)
      .def_rw("watch_least", &Program::watch_least)
      .def_rw("watch_threshold", &Program::watch_threshold)
      .def_rw("watch_smallest", &Program::watch_smallest)
      .def_rw("watch_relative", &Program::watch_relative)
      .def_rw("watch_patience", &Program::watch_patience)
      .def_rw("watch_cooldown", &Program::watch_cooldown)
      .def_rw("stop", &Program::stop)
      .def_rw("stop_patience", &Program::stop_patience)
      .def_rw("stop_from_epoch", &Program::stop_from_epoch)
      .def_rw("stop_threshold", &Program::stop_threshold)
      .def_rw("stop_restores", &Program::stop_restores)
      .def_rw("stop_has_baseline", &Program::stop_has_baseline)
      .def_rw("stop_baseline", &Program::stop_baseline)
      .def_rw("watch_held_out", &Program::watch_held_out)
      .def_rw("stop_held_out", &Program::stop_held_out)
      .def_rw("held_out_score", &Program::held_out_score)
      .def_rw("input_dropout", &Program::input_dropout)
      .def_rw("dropout_seed", &Program::dropout_seed)
      .def_rw("batch_size", &Program::batch_size)
      .def_rw("drop_last", &Program::drop_last)
      .def_rw("epochs", &Program::epochs);
  m.def("targets", [] {
    std::vector<std::string> names;
    for (const NamedTarget& each : available_targets()) names.push_back(each.name);
    return names;
  });
  define_train<float>(m, "train_float32");
  define_train<double>(m, "train_float64");
  define_memory<float>(m, "block_memory_float32");
  define_memory<double>(m, "block_memory_float64");
  m.def("multiply_add", &multiply_add, "target"_a, "rounds"_a);
  m.def("evaluate_float32", &evaluate<float>, "target"_a, "function"_a, "x"_a.noconvert(),
        "out"_a.noconvert());
  m.def("evaluate_float64", &evaluate<double>, "target"_a, "function"_a, "x"_a.noconvert(),
        "out"_a.noconvert());
}
