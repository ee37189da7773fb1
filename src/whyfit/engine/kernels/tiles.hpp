// Register tiles: how large they are, what they read, and in which order they follow each other.
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

#include "vector.hpp"

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

// Samples that pass together: what 64 units keep of them with AVX2, outputs and deltas, stays in the second cache.
constexpr int kMostTogether = 128;

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

// Kernels of more weights than this, 4 MB of them, come from memory at every pass where registers are of 64 bytes.
// With those of 32 arithmetic sets the pace still, and fetching ahead costs a tenth.
constexpr std::int64_t kLargeKernel = 1 << 16;

inline bool is_large(int inputs, int units) {
  return WHYFIT_VECTOR_BYTES == 64 && std::int64_t(inputs) * units > kLargeKernel;
}

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

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
