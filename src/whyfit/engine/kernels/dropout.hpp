// Dropout: which outputs are set to zero, as a function of (seed, replicate, step, layer, place) alone, so
// that a replicate's masks do not depend on what is trained beside it.
//
// Outputs that stay are divided by the share that stays (keras/src/backend/jax/random.py, dropout; the
// same in PyTorch).
#pragma once

#include <type_traits>

#include "order.hpp"
#include "vector.hpp"

namespace whyfit {
namespace WHYFIT_TARGET {

template <class Real>
class Dropout {
  using Bits = typename std::conditional<sizeof(Real) == 4, std::uint32_t, std::uint64_t>::type;
  typedef Bits Words __attribute__((vector_size(WHYFIT_VECTOR_BYTES)));

 public:
  Dropout(std::uint64_t seed, std::int64_t first_replicate) {
    for (int lane = 0; lane < Lanes<Real>::count; ++lane)
      owner_[lane] = Bits(std::uint32_t(mix(mix(seed) ^ std::uint64_t(first_replicate + lane))));
  }

  // Multiplies every array, of `count` vectors, by the mask of this step and layer from its place `first` on.
  template <int N>
  void apply(double rate, std::int64_t step, int layer, std::int64_t first, int count,
             Vector<Real>* const (&arrays)[N]) const {
    std::uint64_t place = mix((std::uint64_t(step) << 16) ^ std::uint64_t(layer));
    Words key = scrambled(owner_ ^ Bits(std::uint32_t(place)));
    key = low(key + Bits(std::uint32_t(place >> 32)));
    const Real keep = Real((1.0 - rate) * 16777216.0);
    const Vector<Real> kept = broadcast<Real>(Real(1.0 / (1.0 - rate)));
    for (int i = 0; i < count; ++i) {
      Words bits = scrambled(low(key + Bits(std::uint32_t(first + i) * 0x9E3779B9u))) >> 8;
      Vector<Real> number = __builtin_convertvector(as<Mask<Real>>(bits), Vector<Real>);
      Vector<Real> factor = number < keep ? kept : Vector<Real>{};
      for (int n = 0; n < N; ++n)
        if (arrays[n]) arrays[n][i] *= factor;
    }
  }

 private:
  static Words low(Words value) { return value & Bits(0xFFFFFFFFu); }
  // The finalizer of MurmurHash3 (Appleby 2011), on the low 32 bits of each lane.
  static Words scrambled(Words value) {
    value = low((value ^ (value >> 16)) * Bits(0x85EBCA6Bu));
    value = low((value ^ (value >> 13)) * Bits(0xC2B2AE35u));
    return value ^ (value >> 16);
  }

  Words owner_;
};

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
