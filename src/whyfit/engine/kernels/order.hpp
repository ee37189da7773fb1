// Data order: a uniform random permutation for each (seed, owner, epoch), from a counter alone.
#pragma once

#include <cstdint>

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
// samples, far below what any study could see.
inline void permutation(std::uint64_t key, std::int64_t samples, std::int32_t* order) {
  for (std::int64_t i = 0; i < samples; ++i) order[i] = std::int32_t(i);
  auto swap_below = [order](std::int64_t i, std::uint64_t random) {
    std::int64_t j = std::int64_t((random * std::uint64_t(i + 1)) >> 32);
    std::int32_t kept = order[i];
    order[i] = order[j];
    order[j] = kept;
  };
  std::int64_t i = samples - 1;
  for (; i > 1; i -= 2) {
    std::uint64_t random = mix(key + std::uint64_t(i));
    swap_below(i, random >> 32);
    swap_below(i - 1, random & 0xFFFFFFFFu);
  }
  if (i == 1) swap_below(1, mix(key) >> 32);
}

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
