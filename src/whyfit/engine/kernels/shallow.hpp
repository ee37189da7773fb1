// One hidden layer and one linear output, the network people draw first: forward, loss and backward in
// one pass, with nothing but the sums of the outputs stored.
//
// The general layers write every unit's output and delta to memory and read them back three times,
// and for so small a network that traffic, not arithmetic, is the cost. Here a tile of hidden units
// keeps weights and gradients in registers while the samples stream by. A unit's output is
// computed again on the way back where that is cheaper than storing it (ReLU), and stored otherwise.
#pragma once

#include "layers.hpp"
#include "losses.hpp"
#include "order.hpp"

namespace whyfit {
namespace WHYFIT_TARGET {

// Two inputs still fit the registers; wider ones gain nothing over the general layers.
constexpr int kMostShallowInputs = 2;

inline bool is_shallow(const Program& program) {
  return program.layer_count == 2 && program.layers[1].units == 1 &&
         program.layers[1].activation == Activation::linear &&
         program.layers[0].inputs <= kMostShallowInputs && program.layers[0].has_bias &&
         program.layers[1].has_bias && !is_staged(program.layers[0]) &&
         !is_staged(program.layers[1]);
}

// Four units pass together with 16 registers too: their weights are then operands in memory, which
// multiply-adds read at no cost.
constexpr int kShallowUnits = 4;

template <class Real>
struct Shallow {
  Weights<Real> hidden, output;                    // of the network
  Weights<Real> hidden_gradient, output_gradient;  // out
  // Of many tiles: where f is stored, tile after tile of units, (tiles, samples, U); and the predictions, (samples), which
  // on the way back are their deltas.
  Vector<Real> *unit_output, *prediction;
  Shuffle<Pair<Real>>* beside;  // of one tile: goes on a step a sample, or null
};

// The weights of one hidden unit, or sums of their gradients.
template <class Real, int I>
struct Unit {
  Vector<Real> kernel[I] = {};
  Vector<Real> bias = {};
  Vector<Real> out = {};  // the weight from the unit to the output
};

template <class Real, int I>
inline Unit<Real, I> load_unit(const Shallow<Real>& net, int unit) {
  Unit<Real, I> loaded;
  #pragma GCC unroll 8
  for (int i = 0; i < I; ++i) loaded.kernel[i] = net.hidden.kernel[i * net.hidden.units + unit];
  loaded.bias = net.hidden.bias[unit];
  loaded.out = net.output.kernel[unit];
  return loaded;
}

// The same as `unit_values` wants it. Where f might make a number of a sum that is none, the output is none because its
// weight is: w - w is 0 for all finite w.
template <class Real, class F, int I>
inline Unit<Real, I> load_unit_to_weigh(const Shallow<Real>& net, int unit) {
  Unit<Real, I> loaded = load_unit<Real, I>(net, unit);
  auto take = [&](Vector<Real>& weight) {
    if constexpr (UnderWay<F, 1>::kLosesNaN) loaded.out += weight - weight;
    if constexpr (kScale<F> != 1.0f) weight *= kScale<F>;
  };
  #pragma GCC unroll 8
  for (int i = 0; i < I; ++i) take(loaded.kernel[i]);
  take(loaded.bias);
  return loaded;
}

template <class Real, int I>
inline void store_gradient(const Shallow<Real>& net, int unit, const Unit<Real, I>& sum) {
  #pragma GCC unroll 8
  for (int i = 0; i < I; ++i)
    net.hidden_gradient.kernel[i * net.hidden.units + unit] = sum.kernel[i];
  net.hidden_gradient.bias[unit] = sum.bias;
  net.output_gradient.kernel[unit] = sum.out;
}

template <class Real, int I>
inline Unit<Real, I> shared(Unit<Real, I> sum, Real share) {
  #pragma GCC unroll 8
  for (int i = 0; i < I; ++i) sum.kernel[i] *= share;
  sum.bias *= share;
  sum.out *= share;
  return sum;
}

template <class Real, int I, class Rows>
[[gnu::always_inline]] inline Vector<Real> unit_sum(const Unit<Real, I>& unit, const Rows& x,
                                                    int sample) {
  Vector<Real> z = unit.bias;
  #pragma GCC unroll 8
  for (int i = 0; i < I; ++i) z += x.at(sample, i) * unit.kernel[i];
  return z;
}

// Calls use(sample, values) with f of the units' sums, of kTogether samples at once or of one beside the next one's.
template <class Real, class F, int I, int U, int kTogether, class Rows, class Use>
[[gnu::always_inline]] inline void unit_values(const F& f, const Unit<Real, I> (&unit)[U], const Rows& x,
                                               int samples, const Use& use) {
  if constexpr (UnderWay<F, U>::kOverlaps) {
    UnderWay<F, U> under_way;
    alignas(64) typename UnderWay<F, U>::Table table;
    std::memcpy(table, UnderWay<F, U>::kTable, sizeof table);
    Vector<Real> value[U];
    // Without the attribute GCC may call it, and every register goes through memory.
    auto pass = [&](int sample) __attribute__((always_inline)) {
      Vector<Real> z[U];
      #pragma GCC unroll 8
      for (int u = 0; u < U; ++u) z[u] = unit_sum<Real, I>(unit[u], x, sample);
      under_way.pass(table, z, value);
    };
    pass(0);
    for (int s = 0; s + 1 < samples; ++s) {
      pass(s + 1);
      use(s, value);
    }
    pass(0);  // of which nothing is used
    use(samples - 1, value);
  } else {
    auto some = [&](auto together, int sample) {
      Vector<Real> value[together * U];
      for (int s = 0; s < together; ++s)
        #pragma GCC unroll 8
        for (int u = 0; u < U; ++u) value[s * U + u] = unit_sum<Real, I>(unit[u], x, sample + s);
      apply_scaled(f, value);
      for (int s = 0; s < together; ++s) use(sample + s, value + s * U);
    };
    int s = 0;
    for (; s + kTogether <= samples; s += kTogether) some(std::integral_constant<int, kTogether>{}, s);
    for (; s < samples; ++s) some(std::integral_constant<int, 1>{}, s);
  }
}

// What one sample adds to a unit's gradient, delta being the sample's.
template <class Real, class F, int I, class Rows>
[[gnu::always_inline]] inline void add_gradient(const F& f, Unit<Real, I>& sum, const Rows& x,
                                                int sample, Vector<Real> value,
                                                Vector<Real> delta) {
  Vector<Real> product = delta * value;
  Vector<Real> slope = f.times_slope(value, delta, product);
  sum.out += product;
  #pragma GCC unroll 8
  for (int i = 0; i < I; ++i) sum.kernel[i] += x.at(sample, i) * slope;
  sum.bias += slope;
}

// The same for a homogeneous f: only the sums of f' delta and f' delta x are kept while the samples
// stream by, a third of the work. From them follow, at the end, the gradients (see `finish_gradient`).
template <class Real, class Slope, int I>
[[gnu::always_inline]] inline void add_cheap_gradient(const Slope& slope, Unit<Real, I>& sum,
                                                      const Vector<Real> (&delta_x)[I],
                                                      Vector<Real> delta) {
  slope.add(sum.bias, delta);
  #pragma GCC unroll 8
  for (int i = 0; i < I; ++i) slope.add(sum.kernel[i], delta_x[i]);
}

// With f(z) = f'(z) z and z = w x + b: the sum of delta f(z) is w times the sum of f' delta x plus b
// times the sum of f' delta, and the unit's own deltas are f' delta v.
template <class Real, class F, int I>
inline Unit<Real, I> finish_gradient(const Unit<Real, I>& sum, const Unit<Real, I>& unit) {
  Unit<Real, I> gradient;
  gradient.out = F::kCheap ? unit.bias * sum.bias : sum.out;
  #pragma GCC unroll 8
  for (int i = 0; i < I; ++i) {
    if constexpr (F::kCheap) gradient.out += unit.kernel[i] * sum.kernel[i];
    gradient.kernel[i] = unit.out * sum.kernel[i];
  }
  gradient.bias = unit.out * sum.bias;
  return gradient;
}

// All hidden units fit one tile: a single pass over the samples. Sums are divided by the number of samples of the
// batch at the end.
template <class Real, class F, class L, int I, int U, class Rows>
[[gnu::noinline]] Vector<Real> one_tile(const F& f, const Shallow<Real>& net, const Rows& x, const Rows& y,
                                        int samples, int batch) {
  Unit<Real, I> unit[U], sum[U];
  #pragma GCC unroll 8
  for (int u = 0; u < U; ++u) unit[u] = load_unit_to_weigh<Real, F, I>(net, u);
  const Vector<Real> output_bias = net.output.bias[0];
  Vector<Real> loss = {}, bias_sum = {};
  Shuffle<Pair<Real>> beside;  // on the stack, where no store of a gradient can change it
  if (net.beside) beside = *net.beside;
  if constexpr (F::kCheap && kManyRegisters) {
    // What waits longest, from a sample's z to its error, goes on beside the sums of the sample before,
    // which wait for nothing.
    typename F::Slope slope[U];
    Vector<Real> z[U], error;
    auto weigh = [&](int s) __attribute__((always_inline)) {
      #pragma GCC unroll 8
      for (int u = 0; u < U; ++u) z[u] = unit_sum<Real, I>(unit[u], x, s);
    };
    auto predict = [&](int s) __attribute__((always_inline)) {
      error = output_bias - y.at(s, 0);
      #pragma GCC unroll 8
      for (int u = 0; u < U; ++u) error += f.value(z[u]) * unit[u].out;
    };
    weigh(0);
    #pragma GCC unroll 8
    for (int u = 0; u < U; ++u) slope[u] = f.slope_at(z[u]);
    predict(0);
    auto back = [&](int s, auto last) __attribute__((always_inline)) {
      const Vector<Real> delta = L::slope_without_factor(error);
      Vector<Real> delta_x[I];
      if constexpr (!last) weigh(s + 1);
      #pragma GCC unroll 8
      for (int i = 0; i < I; ++i) delta_x[i] = delta * x.at(s, i);
      loss += L::value(error);
      bias_sum += delta;
      #pragma GCC unroll 8
      for (int u = 0; u < U; ++u) {
        add_cheap_gradient<Real>(slope[u], sum[u], delta_x, delta);
        if constexpr (!last) slope[u] = f.slope_at(z[u]);
      }
      if constexpr (!last) predict(s + 1);
      beside.step();
    };
    for (int s = 0; s + 1 < samples; ++s) back(s, std::false_type{});
    back(samples - 1, std::true_type{});
  } else if constexpr (F::kCheap) {
    for (int s = 0; s < samples; ++s) {
      Vector<Real> z[U], delta_x[I], error = output_bias - y.at(s, 0);
      #pragma GCC unroll 8
      for (int u = 0; u < U; ++u) {
        z[u] = unit_sum<Real, I>(unit[u], x, s);
        error += f.value(z[u]) * unit[u].out;
      }
      const Vector<Real> delta = L::slope_without_factor(error);
      #pragma GCC unroll 8
      for (int i = 0; i < I; ++i) delta_x[i] = delta * x.at(s, i);
      loss += L::value(error);
      bias_sum += delta;
      #pragma GCC unroll 8
      for (int u = 0; u < U; ++u) add_cheap_gradient<Real>(f.slope_at(z[u]), sum[u], delta_x, delta);
      beside.step();
    }
  } else {
    // Two loops: in one, the sums and what f computes with would push each other out of the registers; that of the
    // deltas is in the one that has room for it. What passes between the loops lies on the stack, beside what they
    // spill (see TangentsUnderWay).
    Vector<Real> unit_output[kMostTogether * U], sample_delta[kMostTogether];
    unit_values<Real, F, I, U, 1>(f, unit, x, samples, [&](int s, const Vector<Real>* value) {
      Vector<Real> error = output_bias - y.at(s, 0);
      #pragma GCC unroll 8
      for (int u = 0; u < U; ++u) {
        unit_output[s * U + u] = value[u];
        error += value[u] * unit[u].out;
      }
      loss += L::value(error);
      const Vector<Real> delta = L::slope_without_factor(error);
      sample_delta[s] = delta;
      if constexpr (!kManyRegisters) bias_sum += delta;
      beside.step();
    });
    for (int s = 0; s < samples; ++s) {
      const Vector<Real> delta = sample_delta[s];
      if constexpr (kManyRegisters) bias_sum += delta;
      #pragma GCC unroll 8
      for (int u = 0; u < U; ++u)
        add_gradient<Real, F, I>(f, sum[u], x, s, unit_output[s * U + u], delta);
    }
  }
  if (net.beside) *net.beside = beside;
  const Real share = Real(L::kSlopeFactor) / Real(batch);
  #pragma GCC unroll 8
  for (int u = 0; u < U; ++u)
    store_gradient<Real, I>(
        net, u, finish_gradient<Real, F, I>(shared<Real, I>(sum[u], share), unit[u]));
  net.output_gradient.bias[0] = bias_sum * share;
  return loss;
}

template <class Real, class F, int I, int U, class Rows>
inline void forward_units(const F& f, const Shallow<Real>& net, const Rows& x, int samples, int first) {
  Unit<Real, I> unit[U];
  #pragma GCC unroll 8
  for (int u = 0; u < U; ++u) unit[u] = load_unit_to_weigh<Real, F, I>(net, first + u);
  unit_values<Real, F, I, U, F::kSamplesTogether>(f, unit, x, samples, [&](int s, const Vector<Real>* value) {
    Vector<Real> prediction = net.prediction[s];
    #pragma GCC unroll 8
    for (int u = 0; u < U; ++u) {
      if constexpr (!F::kCheap) net.unit_output[first * samples + s * U + u] = value[u];
      prediction += value[u] * unit[u].out;
    }
    net.prediction[s] = prediction;
  });
}

template <class Real, class F, int I, int U, class Rows>
inline void backward_units(const F& f, const Shallow<Real>& net, const Rows& x, int samples, int first) {
  Unit<Real, I> unit[U], sum[U];
  #pragma GCC unroll 8
  for (int u = 0; u < U; ++u) unit[u] = load_unit<Real, I>(net, first + u);
  for (int s = 0; s < samples; ++s) {
    const Vector<Real> delta = net.prediction[s];
    Vector<Real> delta_x[I];
    #pragma GCC unroll 8
    for (int i = 0; i < I; ++i) delta_x[i] = delta * x.at(s, i);
    #pragma GCC unroll 8
    for (int u = 0; u < U; ++u) {
      if constexpr (F::kCheap)
        add_cheap_gradient<Real>(f.slope_at(unit_sum<Real, I>(unit[u], x, s)), sum[u], delta_x, delta);
      else
        add_gradient<Real, F, I>(f, sum[u], x, s,
                                 held<Real>(net.unit_output[first * samples + s * U + u]), delta);
    }
  }
  #pragma GCC unroll 8
  for (int u = 0; u < U; ++u)
    store_gradient<Real, I>(net, first + u, finish_gradient<Real, F, I>(sum[u], unit[u]));
}

// `loss_slopes` turns the predictions into their deltas in place, gives the sum of these, and returns
// that of the losses.
template <class Real, int I, class F, class Rows, class LossSlopes>
[[gnu::noinline]] Vector<Real> many_tiles(const F& f, const Shallow<Real>& net, const Rows& x, int samples,
                                          const LossSlopes& loss_slopes) {
  const int units = net.hidden.units;
  for (int s = 0; s < samples; ++s) net.prediction[s] = net.output.bias[0];
  int u = 0;
  for (; u + kShallowUnits <= units && net.hidden.goes_on(); u += kShallowUnits)
    forward_units<Real, F, I, kShallowUnits>(f, net, x, samples, u);
  for (; u < units; ++u) forward_units<Real, F, I, 1>(f, net, x, samples, u);

  Vector<Real> bias_sum;
  Vector<Real> loss = loss_slopes(net.prediction, &bias_sum);
  net.output_gradient.bias[0] = bias_sum;

  for (u = 0; u + kShallowUnits <= units && net.hidden.goes_on(); u += kShallowUnits)
    backward_units<Real, F, I, kShallowUnits>(f, net, x, samples, u);
  for (; u < units; ++u) backward_units<Real, F, I, 1>(f, net, x, samples, u);
  return loss;
}

// With the loss L of single errors inside the one pass, where the units fit one tile.
template <class Real, class L, int I, class F, class Rows, class LossSlopes>
Vector<Real> shallow_gradients(const F& f, const Shallow<Real>& net, const Rows& x, const Rows& y,
                               int samples, int batch, const LossSlopes& loss_slopes) {
  if (net.hidden.units == kShallowUnits)
    return one_tile<Real, F, L, I, kShallowUnits>(f, net, x, y, samples, batch);
  return many_tiles<Real, I>(f, net, x, samples, loss_slopes);
}

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
