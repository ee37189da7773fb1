// One allocation, cut into aligned pieces. An arena without memory only counts, so that the same code says how
// much is needed and takes it.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace whyfit {
namespace WHYFIT_TARGET {

class Arena {
 public:
  Arena() = default;
  explicit Arena(std::size_t bytes)
      : memory_(static_cast<char*>(std::aligned_alloc(64, padded(bytes + 1)))) {
    if (memory_) std::memset(memory_, 0, bytes);
  }
  ~Arena() { std::free(memory_); }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  bool failed() const { return memory_ == nullptr; }
  std::size_t used() const { return used_; }

  template <class T>
  T* take(std::size_t count) {
    T* piece = memory_ ? reinterpret_cast<T*>(memory_ + used_) : nullptr;
    used_ += padded(count * sizeof(T));
    return piece;
  }

 private:
  static std::size_t padded(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

  char* memory_ = nullptr;
  std::size_t used_ = 0;
};

}  // namespace WHYFIT_TARGET
}  // namespace whyfit
