// Data order: a uniform random permutation for each (seed, owner, epoch), from a counter alone.
#pragma once

#include <cstdint>
#include <utility>

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

// Fisher-Yates, from the last item down, two places for each 64-bit number. The whole number below n is the high
// word of a 32-bit product (Lemire 2019); its bias, n / 2^32, is one in four hundred thousand for ten thousand
// samples, far below what any study could see.
template <class Item>
class Shuffle {
 public:
  Shuffle() = default;
  Shuffle(std::uint64_t key, std::int64_t count, Item* items) : key_(key), items_(items), left_(count - 1) {}

  bool done() const { return left_ <= 0; }

  // One exchange, or nothing at the end. Beside arithmetic, between whose instructions it must stand, it takes next to no
  // time: whole numbers, loads and stores use nothing that it uses.
  [[gnu::always_inline]] void step() {
    if (done()) return;
    if (draws_) random_ = mix(key_ + (left_ > 1 ? std::uint64_t(left_) : 0));
    exchange(left_, std::int64_t(((random_ >> 32) * std::uint64_t(left_ + 1)) >> 32));
    random_ <<= 32;
    draws_ = !draws_;
    --left_;
  }

  // All that are left. The places are computed some at a time, in vectors where the machine multiplies 64 bits in them.
  void finish() {
    constexpr int kPairs = WHYFIT_VECTOR_BYTES > 16 ? 32 : 1;
    if (!draws_) step();
    for (; left_ >= 2 * kPairs; left_ -= 2 * kPairs) {
      std::uint64_t upper[kPairs], lower[kPairs];
      for (int pair = 0; pair < kPairs; ++pair) {
        std::uint64_t place = std::uint64_t(left_) - 2 * std::uint64_t(pair);
        std::uint64_t random = mix(key_ + place);
        upper[pair] = ((random >> 32) * (place + 1)) >> 32;
        lower[pair] = ((random & 0xFFFFFFFFu) * place) >> 32;
      }
      for (int pair = 0; pair < kPairs; ++pair) {
        exchange(left_ - 2 * pair, std::int64_t(upper[pair]));
        exchange(left_ - 2 * pair - 1, std::int64_t(lower[pair]));
      }
    }
    while (!done()) step();
  }

 private:
  [[gnu::always_inline]] void exchange(std::int64_t i, std::int64_t j) {
    const Item kept = items_[i];
    items_[i] = items_[j];
    items_[j] = kept;
  }

  std::uint64_t key_ = 0, random_ = 0;
  Item* items_ = nullptr;
  std::int64_t left_ = 0;  // exchanges, and so the item that the next one moves
  bool draws_ = true;      // a number at the next exchange; the lower half of the last is left otherwise
};

inline void permutation(std::uint64_t key, std::int64_t samples, std::int32_t* order) {
  for (std::int64_t i = 0; i < samples; ++i) order[i] = std::int32_t(i);
  Shuffle<std::int32_t>(key, samples, order).finish();
}

// A sample's x and y, where they are one number each and nothing else belongs to it: side by side, so
// that they can be shuffled themselves, as the permutation would be, and the passes read them one after
// the other.
template <class Real>
struct Pair {
  Real x, y;
};

// The data in the order of the epoch, made once for all blocks of a group, which share it. Pairs are put into the
// order of the next epoch while those of this one are trained on.
template <class Real>
class GroupOrder {
 public:
  GroupOrder(const Program& program, const Task<Real>& task)
      : task_(task),
        epochs_(program.epochs),
        in_pairs_(program.layers[0].inputs == 1 && !task.sample_weight &&
                  program.layers[program.layer_count - 1].units == 1) {}

  bool shuffles() const { return task_.order_kind == Order::group; }
  bool in_pairs() const { return shuffles() && in_pairs_; }

  void allocate(Arena& arena) {
    if (in_pairs()) {
      pairs_ = arena.take<Pair<Real>>(task_.samples);
      next_pairs_ = arena.take<Pair<Real>>(task_.samples);
    } else if (shuffles()) {
      places_ = arena.take<std::int32_t>(task_.samples);
    }
  }

  void begin(int epoch) {
    if (!shuffles()) return;
    if (!in_pairs_) return permutation(key_of(epoch), task_.samples, places_);
    if (epoch == 0) begin_pairs(0);
    next_.finish();
    std::swap(pairs_, next_pairs_);
    if (epoch + 1 < epochs_) begin_pairs(epoch + 1);
  }

  // The next epoch's shuffle, which can go on beside other work; null where nothing is left of it.
  Shuffle<Pair<Real>>* next() { return next_.done() ? nullptr : &next_; }

  const std::int32_t* places() const { return places_; }
  const Pair<Real>* pairs() const { return pairs_; }

 private:
  std::uint64_t key_of(int epoch) const {
    return order_key(task_.order_seed, task_.first_replicate / kGroup, epoch);
  }

  void begin_pairs(int epoch) {
    for (std::int64_t s = 0; s < task_.samples; ++s) next_pairs_[s] = {task_.x[s], task_.y[s]};
    next_ = {key_of(epoch), task_.samples, next_pairs_};
  }

  const Task<Real>& task_;
  const int epochs_;
  const bool in_pairs_;
  Shuffle<Pair<Real>> next_;
  std::int32_t* places_ = nullptr;
  Pair<Real> *pairs_ = nullptr, *next_pairs_ = nullptr;
};

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
