// Dense layers in lanes: out = f(in W + b) and its two gradients, as register tiles.
//
// A tile keeps a few sums of a small block (samples x units, inputs x units or samples x inputs)
// in registers while it runs along the third axis; with S x U sums each step needs S + U loads for
// S U multiply-adds, so that the arithmetic units, not memory, set the pace. Tiles follow each other in an
// order in which what they share stays in the nearest cache (Goto and van de Geijn 2008): the rows of a tile
// while the units pass, and no more than kAlong steps at a time, between which the sums wait in memory.
// The order in which a sum adds its terms does not depend on any of this.
#pragma once

#include <atomic>
#include <cstddef>
#include <type_traits>

#include "activations.hpp"

namespace whyfit {
namespace WHYFIT_TARGET {

// 16 sums and their operands fit the 32 registers of AVX-512 and NEON; 12 fit the 16 of AVX2 and SSE. Eight or
// more hide the four cycles that each waits for itself, on two units a core.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr bool kManyRegisters = true;
#else
constexpr bool kManyRegisters = false;
#endif
constexpr int kTileRows = kManyRegisters ? 4 : 6, kTileUnits = kManyRegisters ? 4 : 2;

// Steps along the third axis, and units or inputs across, of a block of tiles: 6 rows of 64 registers take 12 KB
// with AVX2, the block's weights 64 KB.
constexpr int kAlong = 64, kAcross = 32;

// Calls work(std::integral_constant<int, size>, at) for `count` things in tiles of 6, 4, 2 and 1, at most kMost.
// Small tiles leave the arithmetic units waiting: 8 is 4 + 4, and 9 with one more.
template <int kMost, class Work>
[[gnu::always_inline]] inline void in_tiles(int count, const Work& work) {
  static_assert(kMost <= 6);
  int at = 0;
  if constexpr (kMost == 6)
    for (; count - at >= 6 && count - at != 8 && count - at != 9; at += 6) work(std::integral_constant<int, 6>{}, at);
  if constexpr (kMost >= 4)
    for (; count - at >= 4; at += 4) work(std::integral_constant<int, 4>{}, at);
  for (; count - at >= 2; at += 2) work(std::integral_constant<int, 2>{}, at);
  if (at < count) work(std::integral_constant<int, 1>{}, at);
}

// A value that several multiply-adds use. GCC would read it from memory in each of them, and a core has
// two loads a cycle at best.
template <class Real>
[[gnu::always_inline]] inline Vector<Real> held(Vector<Real> value) {
#if defined(__x86_64__)
  asm("" : "+v"(value));
#endif
  return value;
}

// The data of a batch where all replicates see the same samples: one number serves all lanes. `width` is
// how far rows are apart.
template <class Real>
struct SharedRows {
  const Real* data;
  std::ptrdiff_t width;
  Real at(std::ptrdiff_t sample, std::ptrdiff_t column) const { return data[sample * width + column]; }
  Real held_at(std::ptrdiff_t sample, std::ptrdiff_t column) const { return at(sample, column); }
  SharedRows from(std::ptrdiff_t sample, std::ptrdiff_t column) const {
    return {data + sample * width + column, width};
  }
};

// A hidden layer's output, or the data where each replicate sees samples of its own.
template <class Real>
struct LaneRows {
  const Vector<Real>* data;
  std::ptrdiff_t width;
  Vector<Real> at(std::ptrdiff_t sample, std::ptrdiff_t column) const {
    return data[sample * width + column];
  }
  Vector<Real> held_at(std::ptrdiff_t sample, std::ptrdiff_t column) const {
    return held<Real>(at(sample, column));
  }
  LaneRows from(std::ptrdiff_t sample, std::ptrdiff_t column) const {
    return {data + sample * width + column, width};
  }
};

template <class Real>
struct Weights {
  Vector<Real>* kernel;  // (inputs, units)
  Vector<Real>* bias;    // (units) or null
  int inputs;
  int units;
  // Set by the caller of the training when it is to end: a batch of many samples is given up between two
  // tiles, and what has been computed of it is used no more.
  const std::atomic<bool>* cancelled;

  bool goes_on() const { return !cancelled->load(std::memory_order_relaxed); }
};

// Which terms of its sums a tile adds: the first begin at zero or the bias, others at what has been
// stored, and after the last the activation is applied.
struct Terms {
  int from, steps;
  bool first, last;
  Terms(int at, int all)
      : from(at), steps(all - at < kAlong ? all - at : kAlong), first(at == 0), last(at + steps == all) {}
};

// Calls work(size, width, row, column) for the tiles of a matrix of `rows` times `across`, block after block.
template <class Real, class Work>
[[gnu::always_inline]] inline void in_blocks(const Weights<Real>& layer, int rows, int across, const Work& work) {
  for (int first = 0; first < across; first += kAcross) {
    const int columns = across - first < kAcross ? across - first : kAcross;
    in_tiles<kTileRows>(rows, [&](auto size, int row) {
      if (layer.goes_on())
        in_tiles<kTileUnits>(columns, [&](auto width, int column) { work(size, width, row, first + column); });
    });
  }
}

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
    in_blocks(layer, samples, layer.units, [&](auto size, auto width, int sample, int unit) {
      forward_tile<Real, F, size, width>(
          f, rows.from(sample, 0), layer, terms, unit, out + sample * layer.units + unit);
    });
  }
}

// ---- gradient of the weights: dW[i][u] = sum_s in[s][i] delta[s][u], db[u] = sum_s delta[s][u] ----

template <class Real, int I, int U, class Rows>
inline void gradient_tile(const Rows& rows, const Vector<Real>* delta, const Terms& terms,
                          const Weights<Real>& gradient, int input, int unit) {
  const std::ptrdiff_t units = gradient.units;
  Vector<Real>* out = gradient.kernel + input * units + unit;
  delta += terms.from * units + unit;
  Vector<Real> sum[I][U];
  #pragma GCC unroll 8
  for (int i = 0; i < I; ++i)
    #pragma GCC unroll 8
    for (int u = 0; u < U; ++u) sum[i][u] = terms.first ? Vector<Real>{} : out[i * units + u];
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
    for (int u = 0; u < U; ++u) out[i * units + u] = sum[i][u];
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

template <class Real, class Rows>
void weight_gradient(const Rows& rows, const Vector<Real>* delta, int samples,
                     const Weights<Real>& gradient) {
  if (gradient.bias) bias_gradient<Real>(delta, samples, gradient);
  Vector<Real> packed[kAlong * kTileRows];
  for (int from = 0; from < samples; from += kAlong) {
    const Terms terms(from, samples);
    in_tiles<kTileRows>(gradient.inputs, [&](auto size, int input) {
      auto columns = [&](const auto& rows_of_tile) {
        in_tiles<kTileUnits>(gradient.units, [&](auto width, int unit) {
          gradient_tile<Real, size, width>(rows_of_tile, delta, terms, gradient, input, unit);
        });
      };
      if (!gradient.goes_on()) return;
      const Rows there = rows.from(from, input);
      if constexpr (std::is_same_v<Rows, LaneRows<Real>>) {
        // For many units the tile's columns are put side by side: rows a power of two apart share a few places
        // of the cache.
        if (gradient.units >= kAcross) {
          for (int s = 0; s < terms.steps; ++s)
            #pragma GCC unroll 8
            for (int i = 0; i < size; ++i) packed[s * size + i] = there.at(s, i);
          return columns(LaneRows<Real>{packed, size});
        }
      }
      columns(there);
    });
  }
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
    in_blocks(layer, samples, layer.inputs, [&](auto size, auto width, int sample, int column) {
      const int at = sample * layer.inputs + column;
      delta_tile<Real, F, size, width>(
          f, delta + sample * layer.units, layer, terms, input + at, column, out + at);
    });
  }
}

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
