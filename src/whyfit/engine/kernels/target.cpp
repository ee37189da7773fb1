// Compiled once for each instruction set: see CMakeLists.txt for the flags.
#include "block.hpp"
#include "targets.hpp"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace whyfit {
namespace WHYFIT_TARGET {

namespace {

// Denormal numbers carry no information a fit could show but cost up to a hundred cycles each;
// XLA flushes them too. Restored on leaving, since the thread may be the caller's.
class FlushDenormals {
#if defined(__x86_64__)
 public:
  FlushDenormals() : kept_(_mm_getcsr()) { _mm_setcsr(kept_ | 0x8040); }
  ~FlushDenormals() { _mm_setcsr(kept_); }

 private:
  unsigned kept_;
#endif
};

template <class Real>
bool run(const Program& program, const Task<Real>* tasks, int count, Control& control) {
  FlushDenormals flush;
  return Team<Real>(program, tasks, count).run(control);
}

template <class Real>
std::size_t memory(const Program& program, const Task<Real>& task) {
  return Team<Real>(program, &task, 1).bytes_needed();
}

// f as a shallow network's units have it.
template <class F, class Real>
Vector<Real> of_scaled(Vector<Real> x) {
  Vector<Real> sum[1] = {x * Real(kScale<F>)};
  apply_scaled(F(Layer{}), sum);
  return sum[0];
}

template <class Real>
Vector<Real> function_value(Function function, Vector<Real> x) {
  switch (function) {
    case Function::exponential: return exponential(x);
    case Function::hyperbolic_tangent: return hyperbolic_tangent(x);
    case Function::logistic: return logistic(x);
    case Function::error_function: return error_function(x);
    case Function::logarithm: return logarithm(x);
    case Function::sine: return sine_and_cosine(x).sine;
    case Function::cosine: return sine_and_cosine(x).cosine;
    case Function::soft_plus: return soft_plus<Real>(x);
    case Function::tangent_of_unit: return of_scaled<Tanh<Real>, Real>(x);
    case Function::logistic_of_unit: return of_scaled<Sigmoid<Real>, Real>(x);
  }
  return x;
}

template <class Real>
void evaluate(Function function, const Real* x, Real* out, std::size_t count) {
  FlushDenormals flush;
  constexpr std::size_t lanes = Lanes<Real>::count;
  for (std::size_t i = 0; i < count; i += lanes) {
    std::size_t here = count - i < lanes ? count - i : lanes;
    Vector<Real> value = {};
    std::memcpy(&value, x + i, here * sizeof(Real));
    value = function_value<Real>(function, value);
    std::memcpy(out + i, &value, here * sizeof(Real));
  }
}

// Twelve sums hide the four cycles that each waits for itself, on two units a core. None begins at 1, where
// it would stay, as compilers find out.
std::int64_t multiply_add(std::int64_t rounds, float* out) {
  constexpr int kSums = 12;
  Vector<float> sums[kSums], factor = broadcast(0.999f), term = broadcast(0.001f);
  #pragma GCC unroll 12
  for (int i = 0; i < kSums; ++i) sums[i] = broadcast(0.1f * float(i) + 0.05f);
  for (std::int64_t round = 0; round < rounds; ++round) {
    #pragma GCC unroll 12
    for (int i = 0; i < kSums; ++i) sums[i] = sums[i] * factor + term;
    asm volatile("" : "+m"(*out));  // or the compiler would find that the rounds are all alike
  }
  #pragma GCC unroll 12
  for (int i = 1; i < kSums; ++i) sums[0] += sums[i];
  *out = sums[0][0];
  return rounds * kSums * 2 * Lanes<float>::count;
}

}  // namespace

const Target target = {
    Lanes<float>::count,  Lanes<double>::count, run<float>,
    run<double>, memory<float>, memory<double>, evaluate<float>, evaluate<double>,
    multiply_add,
};

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
