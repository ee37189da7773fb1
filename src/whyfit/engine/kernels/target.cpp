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
bool run(const Program& program, const Task<Real>& task, Control& control) {
  FlushDenormals flush;
  return Block<Real>(program, task).run(control);
}

template <class Real>
std::size_t memory(const Program& program, const Task<Real>& task) {
  return Block<Real>::bytes_needed(program, task);
}

}  // namespace

const Target target = {
    Lanes<float>::count,  Lanes<double>::count, run<float>,
    run<double>, memory<float>, memory<double>,
};

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
