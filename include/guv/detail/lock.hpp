#pragma once

#include "guv/guv.h"

namespace guv {
inline namespace v1 {
namespace detail {

/// For a handful of instructions on data that several threads share, also on the hub; see guv_lock_acquire. Nothing may
/// wait while it is held. Works with std::lock_guard and its kin.
class Lock {
 public:
  Lock() = default;
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  void lock() { guv_lock_acquire(&lock_); }
  void unlock() { guv_lock_release(&lock_); }
  guv_lock* handle() { return &lock_; }

 private:
  guv_lock lock_{};
};

}  // namespace detail
}  // namespace v1
}  // namespace guv
