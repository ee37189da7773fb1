// The instruction sets the kernels are compiled for, and the choice among them at run time.
#pragma once

#include <cstddef>

#include "program.hpp"

namespace whyfit {

// Elementary functions, as the tests ask for them.
enum class Function : int {
  exponential, hyperbolic_tangent, logistic, error_function, logarithm, sine, cosine, soft_plus,
  tangent_of_unit, logistic_of_unit
};

struct Target {
  int float_lanes;
  int double_lanes;
  // Tasks of one group, `count` of them.
  bool (*run_float)(const Program&, const Task<float>* tasks, int count, Control&);
  bool (*run_double)(const Program&, const Task<double>* tasks, int count, Control&);
  std::size_t (*memory_float)(const Program&, const Task<float>&);
  std::size_t (*memory_double)(const Program&, const Task<double>&);
  void (*evaluate_float)(Function, const float*, float*, std::size_t);
  void (*evaluate_double)(Function, const double*, double*, std::size_t);
  // Operations of `rounds` rounds of multiply-adds in registers alone: what this core could do at most.
  std::int64_t (*multiply_add)(std::int64_t rounds, float* out);
};

namespace baseline {
extern const Target target;
}
#if defined(WHYFIT_HAS_AVX2)
namespace avx2 {
extern const Target target;
}
namespace avx512 {
extern const Target target;
}
#endif

}  // namespace whyfit
