// Dense layers in lanes: out = f(in W + b) and its two gradients, as register tiles.
//
// A tile keeps a few sums of a small block (samples x units, inputs x units or samples x inputs)
// in registers while it runs along the third axis; with T x T sums each step needs 2 T loads for
// T^2 multiply-adds, so that the arithmetic units, not memory, set the pace.
#pragma once

#include <atomic>

#include "activations.hpp"

namespace whyfit {
namespace WHYFIT_TARGET {

// 16 sums and their operands fit the 32 registers of AVX-512 and NEON; 8 fit the 16 of AVX2 and SSE.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr bool kManyRegisters = true;
#else
constexpr bool kManyRegisters = false;
#endif
constexpr int kTileRows = 4, kTileUnits = kManyRegisters ? 4 : 2;

// The data of a batch where all replicates see the same samples: one number serves all lanes. `width` is
// how far rows are apart.
template <class Real>
struct SharedRows {
  const Real* data;
  int width;
  Real at(int sample, int column) const { return data[sample * width + column]; }
  SharedRows from(int sample) const { return {data + sample * width, width}; }
};

// A hidden layer's output, or the data where each replicate sees samples of its own.
template <class Real>
struct LaneRows {
  const Vector<Real>* data;
  int width;
  Vector<Real> at(int sample, int column) const { return data[sample * width + column]; }
  LaneRows from(int sample) const { return {data + sample * width, width}; }
};

template <class Real>
struct Weights {
  Vector<Real>* kernel;  // (inputs, units)
  Vector<Real>* bias;    // (units) or null
  int inputs;
  int units;
  // Set by the caller of the training when it is to end: a batch of many samples is given up between two
  // columns of tiles, and what has been computed of it is used no more.
  const std::atomic<bool>* cancelled;

  bool goes_on() const { return !cancelled->load(std::memory_order_relaxed); }
};

// ---- forward: out[s][u] = f(sum_i in[s][i] W[i][u] + b[u]) ----

template <class Real, class F, int S, int U, class Rows>
inline void forward_tile(const F& f, const Rows& rows, const Weights<Real>& layer, int unit,
                         Vector<Real>* out) {
  Vector<Real> sum[S][U];
  #pragma GCC unroll 8
  for (int u = 0; u < U; ++u) {
    Vector<Real> bias = layer.bias ? layer.bias[unit + u] : Vector<Real>{};
    #pragma GCC unroll 8
    for (int s = 0; s < S; ++s) sum[s][u] = bias;
  }
  const Vector<Real>* kernel = layer.kernel + unit;
  for (int i = 0; i < layer.inputs; ++i, kernel += layer.units) {
    #pragma GCC unroll 8
    for (int s = 0; s < S; ++s) {
      auto value = rows.at(s, i);
      #pragma GCC unroll 8
      for (int u = 0; u < U; ++u) sum[s][u] += value * kernel[u];
    }
  }
  #pragma GCC unroll 8
  for (int s = 0; s < S; ++s) {
    apply(f, sum[s]);
    #pragma GCC unroll 8
    for (int u = 0; u < U; ++u) out[s * layer.units + unit + u] = sum[s][u];
  }
}

template <class Real, class F, int U, class Rows>
inline void forward_units(const F& f, const Rows& rows, const Weights<Real>& layer, int unit, int samples,
                          Vector<Real>* out) {
  int s = 0;
  for (; s + kTileRows <= samples; s += kTileRows)
    forward_tile<Real, F, kTileRows, U>(f, rows.from(s), layer, unit, out + s * layer.units);
  for (; s < samples; ++s)
    forward_tile<Real, F, 1, U>(f, rows.from(s), layer, unit, out + s * layer.units);
}

template <class Real, class F, class Rows>
void forward(const F& f, const Rows& rows, const Weights<Real>& layer, int samples, Vector<Real>* out) {
  int u = 0;
  for (; u + kTileUnits <= layer.units && layer.goes_on(); u += kTileUnits)
    forward_units<Real, F, kTileUnits>(f, rows, layer, u, samples, out);
  if (layer.units - u >= 2) {
    forward_units<Real, F, 2>(f, rows, layer, u, samples, out);
    u += 2;
  }
  if (layer.units - u == 1) forward_units<Real, F, 1>(f, rows, layer, u, samples, out);
}

// ---- gradient of the weights: dW[i][u] = sum_s in[s][i] delta[s][u], db[u] = sum_s delta[s][u] ----

template <class Real, int I, int U, bool kBias, class Rows>
inline void gradient_tile(const Rows& rows, const Vector<Real>* delta, int samples,
                          const Weights<Real>& gradient, int input, int unit) {
  Vector<Real> sum[I][U] = {};
  Vector<Real> bias[U] = {};
  for (int s = 0; s < samples; ++s) {
    const Vector<Real>* row = delta + s * gradient.units + unit;
    #pragma GCC unroll 8
    for (int i = 0; i < I; ++i) {
      auto value = rows.at(s, input + i);
      #pragma GCC unroll 8
      for (int u = 0; u < U; ++u) sum[i][u] += value * row[u];
    }
    if constexpr (kBias)
      #pragma GCC unroll 8
      for (int u = 0; u < U; ++u) bias[u] += row[u];
  }
  #pragma GCC unroll 8
  for (int i = 0; i < I; ++i)
    #pragma GCC unroll 8
    for (int u = 0; u < U; ++u)
      gradient.kernel[(input + i) * gradient.units + unit + u] = sum[i][u];
  if constexpr (kBias)
    #pragma GCC unroll 8
    for (int u = 0; u < U; ++u) gradient.bias[unit + u] = bias[u];
}

template <class Real, int U, class Rows>
inline void gradient_units(const Rows& rows, const Vector<Real>* delta, int samples,
                           const Weights<Real>& gradient, int unit) {
  // The bias rides along with the first inputs, which read the same deltas.
  int i = 0;
  if (gradient.bias && gradient.inputs >= kTileRows) {
    gradient_tile<Real, kTileRows, U, true>(rows, delta, samples, gradient, 0, unit);
    i = kTileRows;
  } else if (gradient.bias) {
    gradient_tile<Real, 1, U, true>(rows, delta, samples, gradient, 0, unit);
    i = 1;
  }
  for (; i + kTileRows <= gradient.inputs && gradient.goes_on(); i += kTileRows)
    gradient_tile<Real, kTileRows, U, false>(rows, delta, samples, gradient, i, unit);
  for (; i < gradient.inputs; ++i)
    gradient_tile<Real, 1, U, false>(rows, delta, samples, gradient, i, unit);
}

template <class Real, class Rows>
void weight_gradient(const Rows& rows, const Vector<Real>* delta, int samples,
                     const Weights<Real>& gradient) {
  int u = 0;
  for (; u + kTileUnits <= gradient.units && gradient.goes_on(); u += kTileUnits)
    gradient_units<Real, kTileUnits>(rows, delta, samples, gradient, u);
  if (gradient.units - u >= 2) {
    gradient_units<Real, 2>(rows, delta, samples, gradient, u);
    u += 2;
  }
  if (gradient.units - u == 1) gradient_units<Real, 1>(rows, delta, samples, gradient, u);
}

// ---- gradient of the layer's input: out[s][i] = f'(in[s][i]) sum_u delta[s][u] W[i][u] ----

template <class Real, class F, int S, int I>
inline void delta_tile(const F& f, const Vector<Real>* delta, const Weights<Real>& layer,
                       const Vector<Real>* input, int column, Vector<Real>* out) {
  Vector<Real> sum[S][I] = {};
  const Vector<Real>* kernel = layer.kernel + column * layer.units;
  for (int u = 0; u < layer.units; ++u)
    #pragma GCC unroll 8
    for (int i = 0; i < I; ++i) {
      Vector<Real> weight = kernel[i * layer.units + u];
      #pragma GCC unroll 8
      for (int s = 0; s < S; ++s) sum[s][i] += delta[s * layer.units + u] * weight;
    }
  #pragma GCC unroll 8
  for (int s = 0; s < S; ++s)
    #pragma GCC unroll 8
    for (int i = 0; i < I; ++i) {
      int at = s * layer.inputs + column + i;
      out[at] = f.times_slope(input[at], sum[s][i]);
    }
}

template <class Real, class F, int I>
inline void delta_columns(const F& f, const Vector<Real>* delta, const Weights<Real>& layer,
                          const Vector<Real>* input, int column, int samples, Vector<Real>* out) {
  int s = 0;
  for (; s + kTileRows <= samples; s += kTileRows)
    delta_tile<Real, F, kTileRows, I>(f, delta + s * layer.units, layer, input + s * layer.inputs,
                                      column, out + s * layer.inputs);
  for (; s < samples; ++s)
    delta_tile<Real, F, 1, I>(f, delta + s * layer.units, layer, input + s * layer.inputs, column,
                              out + s * layer.inputs);
}

template <class Real, class F>
void input_delta(const F& f, const Vector<Real>* delta, const Weights<Real>& layer, const Vector<Real>* input,
                 int samples, Vector<Real>* out) {
  int i = 0;
  for (; i + kTileUnits <= layer.inputs && layer.goes_on(); i += kTileUnits)
    delta_columns<Real, F, kTileUnits>(f, delta, layer, input, i, samples, out);
  for (; i < layer.inputs; ++i) delta_columns<Real, F, 1>(f, delta, layer, input, i, samples, out);
}

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
