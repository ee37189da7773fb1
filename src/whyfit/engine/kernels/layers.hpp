// Dense layers in lanes, in register tiles (tiles.hpp): out = f(in W + b) and its two gradients, and the
// optimizer's step where the gradient is not kept.
#pragma once

#include "activations.hpp"
#include "tiles.hpp"

namespace whyfit {
namespace WHYFIT_TARGET {

// ---- forward: out[s][u] = f(sum_i in[s][i] W[i][u] + b[u]) ----

template <class Real, class F, int S, int U, class Rows>
inline void forward_tile(const F& f, const Rows& rows, const Weights<Real>& layer, const Terms& terms, int unit,
                         Vector<Real>* out) {
  const std::ptrdiff_t units = layer.units;
  const Vector<Real>* kernel = layer.kernel + terms.from * units + unit;
  Vector<Real> sum[S][U];
  #pragma GCC unroll 8
  for (int s = 0; s < S; ++s)
    #pragma GCC unroll 8
    for (int u = 0; u < U; ++u)
      sum[s][u] = !terms.first ? out[s * units + u] : layer.bias ? layer.bias[unit + u] : Vector<Real>{};
  for (int i = terms.from; i < terms.from + terms.steps; ++i, kernel += units) {
    Vector<Real> weight[U];
    #pragma GCC unroll 8
    for (int u = 0; u < U; ++u) weight[u] = kernel[u];
    #pragma GCC unroll 8
    for (int s = 0; s < S; ++s) {
      auto value = rows.held_at(s, i);
      #pragma GCC unroll 8
      for (int u = 0; u < U; ++u) sum[s][u] += value * weight[u];
    }
  }
  #pragma GCC unroll 8
  for (int s = 0; s < S; ++s) {
    if (terms.last) apply(f, sum[s]);
    #pragma GCC unroll 8
    for (int u = 0; u < U; ++u) out[s * units + u] = sum[s][u];
  }
}

template <class Real, class F, class Rows>
void forward(const F& f, const Rows& rows, const Weights<Real>& layer, int samples, Vector<Real>* out) {
  for (int from = 0; from < layer.inputs; from += kAlong) {
    const Terms terms(from, layer.inputs);
    auto weights_at = [&](int unit, int calls) {
      return unit < layer.units ? part_of(layer, from, unit, kAlong, kAcross, calls)
                                : part_of(layer, from + kAlong, 0, kAlong, kAcross, calls);
    };
    in_blocks(layer, samples, layer.units, weights_at, [&](auto size, auto width, int sample, int unit) {
      forward_tile<Real, F, size, width>(
          f, rows.from(sample, 0), layer, terms, unit, out + sample * layer.units + unit);
    });
  }
}

// ---- gradient of the weights: dW[i][u] = sum_s in[s][i] delta[s][u], db[u] = sum_s delta[s][u] ----

// `units` is how far rows of delta are apart, `across` rows of the result.
template <class Real, int I, int U, class Rows>
inline void gradient_tile(const Rows& rows, const Vector<Real>* delta, std::ptrdiff_t units, const Terms& terms,
                          Vector<Real>* out, std::ptrdiff_t across) {
  delta += terms.from * units;
  Vector<Real> sum[I][U];
  #pragma GCC unroll 8
  for (int i = 0; i < I; ++i)
    #pragma GCC unroll 8
    for (int u = 0; u < U; ++u) sum[i][u] = terms.first ? Vector<Real>{} : out[i * across + u];
  for (int s = 0; s < terms.steps; ++s, delta += units) {
    Vector<Real> of_unit[U];
    #pragma GCC unroll 8
    for (int u = 0; u < U; ++u) of_unit[u] = delta[u];
    #pragma GCC unroll 8
    for (int i = 0; i < I; ++i) {
      auto value = rows.held_at(s, i);
      #pragma GCC unroll 8
      for (int u = 0; u < U; ++u) sum[i][u] += value * of_unit[u];
    }
  }
  #pragma GCC unroll 8
  for (int i = 0; i < I; ++i)
    #pragma GCC unroll 8
    for (int u = 0; u < U; ++u) out[i * across + u] = sum[i][u];
}

// The sums of U columns next to each other.
template <class Real, int U>
inline void column_sums(const Vector<Real>* rows, int samples, std::ptrdiff_t units, Vector<Real>* out) {
  Vector<Real> sum[U] = {};
  for (int s = 0; s < samples; ++s, rows += units)
    #pragma GCC unroll 8
    for (int u = 0; u < U; ++u) sum[u] += rows[u];
  #pragma GCC unroll 8
  for (int u = 0; u < U; ++u) out[u] = sum[u];
}

template <class Real>
void bias_gradient(const Vector<Real>* delta, int samples, const Weights<Real>& gradient) {
  int u = 0;
  for (; u + 8 <= gradient.units; u += 8)
    column_sums<Real, 8>(delta + u, samples, gradient.units, gradient.bias + u);
  in_tiles<4>(gradient.units - u, [&](auto width, int column) {
    column_sums<Real, width>(delta + u + column, samples, gradient.units, gradient.bias + u + column);
  });
}

// Columns of the input side by side: rows a power of two apart share a few places of the cache.
template <int I, class Real>
[[gnu::always_inline]] inline LaneRows<Real> side_by_side(const LaneRows<Real>& rows, int samples,
                                                          Vector<Real>* packed) {
  for (int s = 0; s < samples; ++s)
    #pragma GCC unroll 8
    for (int i = 0; i < I; ++i) packed[s * I + i] = rows.at(s, i);
  return {packed, I};
}

template <class Real, class Rows>
void weight_gradient(const Rows& rows, const Vector<Real>* delta, int samples,
                     const Weights<Real>& gradient) {
  if (gradient.bias) bias_gradient<Real>(delta, samples, gradient);
  const std::ptrdiff_t units = gradient.units;
  Vector<Real> packed[kAlong * kTileRows];
  for (int from = 0; from < samples; from += kAlong) {
    const Terms terms(from, samples);
    in_tiles<kTileRows>(gradient.inputs, [&](auto size, int input) {
      auto columns = [&](const auto& rows_of_tile) {
        in_tiles<kTileUnits>(gradient.units, [&](auto width, int unit) {
          gradient_tile<Real, size, width>(
              rows_of_tile, delta + unit, units, terms, gradient.kernel + input * units + unit, units);
        });
      };
      if (!gradient.goes_on()) return;
      const Rows there = rows.from(from, input);
      if constexpr (std::is_same_v<Rows, LaneRows<Real>>)
        if (gradient.units >= kAcross) return columns(side_by_side<size>(there, terms.steps, packed));
      columns(there);
    });
  }
}

constexpr int kMostStates = 3;  // of a weight, that an optimizer keeps

// What an optimizer makes of a weight's gradient, for `count` weights side by side.
template <class Real>
struct Descent {
  void (*step)(const void* rule, Vector<Real>* weights, const Vector<Real>* gradient, Vector<Real>* state,
               std::int64_t stride, std::int64_t count);
  const void* rule;
  int states;
  Vector<Real>* state;  // of the layer's kernel
  std::int64_t stride;  // between two states of one weight
};

// Units of a part that is stepped at once: with those of kTileRows inputs, gradient, weights and two states take
// 400 KB of the second cache.
constexpr int kStepped = 256;

// A kernel's gradient, and at once the optimizer's step by it, part after part: a gradient as large as the weights
// need not go to memory and back, and the weights and states of a part come while its gradient is computed.
// `room` has place for one part; no more than kAlong samples.
template <class Real>
void weight_descent(const LaneRows<Real>& rows, const Vector<Real>* delta, int samples, const Weights<Real>& layer,
                    const Descent<Real>& descent, Vector<Real>* room) {
  const Terms terms(0, samples);
  const std::ptrdiff_t units = layer.units;
  Vector<Real> packed[kAlong * kTileRows];
  in_tiles<kTileRows>(layer.inputs, [&](auto size, int input) {
    if (!layer.goes_on()) return;
    const LaneRows<Real> there = side_by_side<size>(rows.from(0, input), samples, packed);
    for (int first = 0; first < units; first += kStepped) {
      const int columns = units - first < kStepped ? int(units - first) : kStepped;
      const int calls = (columns + kTileUnits - 1) / kTileUnits;
      const std::ptrdiff_t corner = input * units + first;
      Ahead<Real> ahead[1 + kMostStates] = {{layer.kernel + corner, units, size, columns, calls}};
      for (int k = 0; k < descent.states; ++k)
        ahead[1 + k] = {descent.state + k * descent.stride + corner, units, size, columns, calls};
      in_tiles<kTileUnits>(columns, [&](auto width, int unit) {
        for (int k = 0; k <= descent.states; ++k) ahead[k].fetch();
        gradient_tile<Real, size, width>(there, delta + first + unit, units, terms, room + unit, columns);
      });
      for (int i = 0; i < size; ++i) {
        const std::ptrdiff_t at = corner + i * units;
        descent.step(descent.rule, layer.kernel + at, room + i * columns, descent.state + at, descent.stride,
                     columns);
      }
    }
  });
}

// ---- gradient of the layer's input: out[s][i] = f'(in[s][i]) sum_u delta[s][u] W[i][u] ----

template <class Real, class F, int S, int I>
inline void delta_tile(const F& f, const Vector<Real>* delta, const Weights<Real>& layer, const Terms& terms,
                       const Vector<Real>* input, int column, Vector<Real>* out) {
  const std::ptrdiff_t units = layer.units, inputs = layer.inputs;
  const Vector<Real>* kernel = layer.kernel + column * units;
  Vector<Real> sum[S][I];
  #pragma GCC unroll 8
  for (int s = 0; s < S; ++s)
    #pragma GCC unroll 8
    for (int i = 0; i < I; ++i) sum[s][i] = terms.first ? Vector<Real>{} : out[s * inputs + i];
  for (int u = terms.from; u < terms.from + terms.steps; ++u) {
    Vector<Real> weight[I];
    #pragma GCC unroll 8
    for (int i = 0; i < I; ++i) weight[i] = kernel[i * units + u];
    #pragma GCC unroll 8
    for (int s = 0; s < S; ++s) {
      Vector<Real> value = held<Real>(delta[s * units + u]);
      #pragma GCC unroll 8
      for (int i = 0; i < I; ++i) sum[s][i] += value * weight[i];
    }
  }
  #pragma GCC unroll 8
  for (int s = 0; s < S; ++s)
    #pragma GCC unroll 8
    for (int i = 0; i < I; ++i) {
      const int at = s * inputs + i;
      out[at] = terms.last ? f.times_slope(input[at], sum[s][i]) : sum[s][i];
    }
}

// Below a single unit there is nothing to sum.
template <class Real, class F>
void delta_below_one_unit(const F& f, const Vector<Real>* delta, const Weights<Real>& layer,
                          const Vector<Real>* input, int samples, Vector<Real>* out) {
  const int inputs = layer.inputs;
  in_tiles<kTileRows>(inputs, [&](auto width, int column) {
    if (!layer.goes_on()) return;
    Vector<Real> weight[width];
    #pragma GCC unroll 8
    for (int i = 0; i < width; ++i) weight[i] = layer.kernel[column + i];
    for (int s = 0, at = column; s < samples; ++s, at += inputs)
      #pragma GCC unroll 8
      for (int i = 0; i < width; ++i) out[at + i] = f.times_slope(input[at + i], delta[s] * weight[i]);
  });
}

template <class Real, class F>
void input_delta(const F& f, const Vector<Real>* delta, const Weights<Real>& layer, const Vector<Real>* input,
                 int samples, Vector<Real>* out) {
  if (layer.units == 1) return delta_below_one_unit(f, delta, layer, input, samples, out);
  for (int from = 0; from < layer.units; from += kAlong) {
    const Terms terms(from, layer.units);
    auto weights_at = [&](int input, int calls) {
      return input < layer.inputs ? part_of(layer, input, from, kAcross, kAlong, calls)
                                  : part_of(layer, 0, from + kAlong, kAcross, kAlong, calls);
    };
    in_blocks(layer, samples, layer.inputs, weights_at, [&](auto size, auto width, int sample, int column) {
      const int at = sample * layer.inputs + column;
      delta_tile<Real, F, size, width>(
          f, delta + sample * layer.units, layer, terms, input + at, column, out + at);
    });
  }
}

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
