// Dense layers in lanes: out = f(in W + b) and its two gradients, as register tiles.
//
// A tile keeps a few sums of a small block (samples x units, inputs x units or samples x inputs)
// in registers while it runs along the third axis; with S x U sums each step needs S + U loads for
// S U multiply-adds, so that the arithmetic units, not memory, set the pace. Tiles follow each other in an
// order in which what they share stays in the nearest cache (Goto and van de Geijn 2008): the rows of a tile
// while the units pass, and no more than kAlong steps at a time, between which the sums wait in memory.
// The order in which a sum adds its terms does not depend on any of this.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <type_traits>

#include "activations.hpp"

namespace whyfit {
namespace WHYFIT_TARGET {

// 24 sums and their operands fit the 32 registers of AVX-512 and NEON; 12 fit the 16 of AVX2 and SSE. Eight or
// more hide the four cycles that each waits for itself, on two units a core; the more there are, the fewer
// values each of them has to wait for.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr bool kManyRegisters = true;
#else
constexpr bool kManyRegisters = false;
#endif
constexpr int kTileRows = 6, kTileUnits = kManyRegisters ? 4 : 2;

constexpr int kMostStates = 3;  // of a weight, that an optimizer keeps

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

// A part of a matrix that is needed soon, brought nearer a few lines at a time while others are computed with.
template <class Real>
class Ahead {
 public:
  Ahead() = default;
  // `units` is how far rows are apart. Each of so many calls of `fetch` brings a share.
  Ahead(const Vector<Real>* corner, std::ptrdiff_t units, int rows, int columns, int calls)
      : line_(corner), units_(units), columns_(columns), left_(rows * columns), each_((left_ + calls - 1) / calls) {}
  void fetch() {
    for (int now = left_ < each_ ? left_ : each_; now > 0; --now, --left_) {
      __builtin_prefetch(line_ + column_, 0, 2);
      if (++column_ == columns_) {
        column_ = 0;
        line_ += units_;
      }
    }
  }

 private:
  const Vector<Real>* line_ = nullptr;
  std::ptrdiff_t units_ = 0;
  int columns_ = 0, left_ = 0, each_ = 0, column_ = 0;
};

// Weights of a kernel beyond which it comes from memory at every pass: 4 MB with AVX-512.
constexpr std::int64_t kLargeKernel = 1 << 16;

inline bool is_large(int inputs, int units) { return std::int64_t(inputs) * units > kLargeKernel; }

// Calls work(size, width, row, column) for the tiles of a matrix of `rows` times `across`, block after block.
// `weights_at(first, calls)` are those of the block whose columns begin there, to be fetched by so many calls; beyond
// the last column they are of what comes next.
template <class Real, class WeightsAt, class Work>
[[gnu::always_inline]] inline void in_blocks(const Weights<Real>& layer, int rows, int across,
                                             const WeightsAt& weights_at, const Work& work) {
  const bool fetches = is_large(layer.inputs, layer.units);
  for (int first = 0; first < across; first += kAcross) {
    const int columns = across - first < kAcross ? across - first : kAcross;
    Ahead<Real> ahead;
    if (fetches) ahead = weights_at(first + kAcross, (rows / kTileRows + 1) * (columns / kTileUnits));
    in_tiles<kTileRows>(rows, [&](auto size, int row) {
      if (layer.goes_on())
        in_tiles<kTileUnits>(columns, [&](auto width, int column) {
          if (fetches) ahead.fetch();
          work(size, width, row, first + column);
        });
    });
  }
}

// The part of a kernel from an input and a unit on, of no more inputs and units than there are.
template <class Real>
inline Ahead<Real> part_of(const Weights<Real>& layer, int input, int unit, int inputs, int units, int calls) {
  inputs = std::min(inputs, layer.inputs - input);
  units = std::min(units, layer.units - unit);
  if (inputs <= 0 || units <= 0 || calls <= 0) return {};
  return {layer.kernel + std::ptrdiff_t(input) * layer.units + unit, layer.units, inputs, units, calls};
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
