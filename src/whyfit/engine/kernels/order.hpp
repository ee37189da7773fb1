// Data order: a uniform random permutation for each (seed, owner, epoch), from a counter alone.
#pragma once

#include <cstdint>

#include "arena.hpp"
#include "program.hpp"

namespace whyfit {
namespace WHYFIT_TARGET {

// SplitMix64 (Steele, Lea, Flood 2014): a bijective mix of a counter. Having no state, the
// numbers of a shuffle do not wait for each other.
inline std::uint64_t mix(std::uint64_t value) {
  value += 0x9E3779B97F4A7C15u;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
  return value ^ (value >> 31);
}

inline std::uint64_t order_key(std::uint64_t seed, std::uint64_t owner, std::uint64_t epoch) {
  return mix(mix(mix(seed) ^ owner) ^ epoch);
}

// Fisher-Yates, two places for each 64-bit number. The whole number below n is the high word of a
// 32-bit product (Lemire 2019); its bias, n / 2^32, is one in four hundred thousand for ten thousand
// samples, far below what any study could see. The places are computed some at a time, in vectors where
// the machine multiplies 64 bits in them.
template <class Item>
inline void shuffle(std::uint64_t key, std::int64_t count, Item* items) {
  constexpr int kPairs = WHYFIT_VECTOR_BYTES > 16 ? 32 : 1;
  auto swap = [items](std::int64_t i, std::int64_t j) {
    Item kept = items[i];
    items[i] = items[j];
    items[j] = kept;
  };
  std::int64_t i = count - 1;
  for (; i >= 2 * kPairs; i -= 2 * kPairs) {
    std::uint64_t upper[kPairs], lower[kPairs];
    for (int pair = 0; pair < kPairs; ++pair) {
      std::uint64_t place = std::uint64_t(i) - 2 * std::uint64_t(pair);
      std::uint64_t random = mix(key + place);
      upper[pair] = ((random >> 32) * (place + 1)) >> 32;
      lower[pair] = ((random & 0xFFFFFFFFu) * place) >> 32;
    }
    for (int pair = 0; pair < kPairs; ++pair) {
      swap(i - 2 * pair, std::int64_t(upper[pair]));
      swap(i - 2 * pair - 1, std::int64_t(lower[pair]));
    }
  }
  for (; i > 0; i -= 2) {
    std::uint64_t random = mix(key + (i > 1 ? std::uint64_t(i) : 0));
    swap(i, std::int64_t(((random >> 32) * std::uint64_t(i + 1)) >> 32));
    if (i > 1) swap(i - 1, std::int64_t(((random & 0xFFFFFFFFu) * std::uint64_t(i)) >> 32));
  }
}

inline void permutation(std::uint64_t key, std::int64_t samples, std::int32_t* order) {
  for (std::int64_t i = 0; i < samples; ++i) order[i] = std::int32_t(i);
  shuffle(key, samples, order);
}

// The data in the order of the epoch, made once for all blocks of a group, which share it.
template <class Real>
class GroupOrder {
 public:
  // A sample's x and y, where they are one number each and nothing else belongs to it: side by side, so
  // that they can be shuffled themselves, as the permutation would be, and the passes read them one after
  // the other.
  struct Pair {
    Real x, y;
  };

  GroupOrder(const Program& program, const Task<Real>& task)
      : task_(task),
        in_pairs_(program.layers[0].inputs == 1 && !task.sample_weight &&
                  program.layers[program.layer_count - 1].units == 1) {}

  bool shuffles() const { return task_.order_kind == Order::group; }
  bool in_pairs() const { return shuffles() && in_pairs_; }

  void allocate(Arena& arena) {
    if (in_pairs())
      pairs_ = arena.take<Pair>(task_.samples);
    else if (shuffles())
      places_ = arena.take<std::int32_t>(task_.samples);
  }

  void begin(int epoch) {
    if (!shuffles()) return;
    const std::uint64_t key = order_key(task_.order_seed, task_.first_replicate / kGroup, epoch);
    if (!in_pairs_) return permutation(key, task_.samples, places_);
    for (std::int64_t s = 0; s < task_.samples; ++s) pairs_[s] = {task_.x[s], task_.y[s]};
    shuffle(key, task_.samples, pairs_);
  }

  const std::int32_t* places() const { return places_; }
  const Pair* pairs() const { return pairs_; }

 private:
  const Task<Real>& task_;
  const bool in_pairs_;
  std::int32_t* places_ = nullptr;
  Pair* pairs_ = nullptr;
};

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
