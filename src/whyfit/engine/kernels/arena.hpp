// One allocation, cut into aligned pieces. An arena without memory only counts, so that the same code says how
// much is needed and takes it.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace whyfit {
namespace WHYFIT_TARGET {

class Arena {
 public:
  Arena() = default;
  explicit Arena(std::size_t bytes) {
    const std::size_t unit = bytes >= 2 * kHugePage ? kHugePage : kLine;
    memory_ = static_cast<char*>(std::aligned_alloc(unit, padded(bytes + 1, unit)));
    if (!memory_) return;
#if defined(MADV_HUGEPAGE)
    // Wide networks walk their kernels in steps of a page or more; a fifth of their time went into
    // looking up small pages.
    if (unit == kHugePage) madvise(memory_, bytes, MADV_HUGEPAGE);
#endif
    std::memset(memory_, 0, bytes);
  }
  ~Arena() { std::free(memory_); }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  bool failed() const { return memory_ == nullptr; }
  std::size_t used() const { return used_; }

  template <class T>
  T* take(std::size_t count) {
    T* piece = memory_ ? reinterpret_cast<T*>(memory_ + used_) : nullptr;
    used_ += padded(count * sizeof(T), kLine);
    return piece;
  }

 private:
  static constexpr std::size_t kLine = 64, kHugePage = std::size_t(1) << 21;
  static std::size_t padded(std::size_t bytes, std::size_t unit) {
    return (bytes + unit - 1) / unit * unit;
  }

  char* memory_ = nullptr;
  std::size_t used_ = 0;
};

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
