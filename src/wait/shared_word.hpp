#pragma once

#include <linux/futex.h>
#include <time.h>

#include <atomic>

#include "wait/pool.hpp"

namespace guv {

/// Waits for an object that other processes know too. They wake by FUTEX_WAKE, which only a thread asleep in the kernel hears:
/// so the green thread goes to a helper, sleeps at the object's word, and comes back to try again.
class SharedWordWait : public PoolWait {
 public:
  /// `until` as `clock` shows it; null: for ever.
  SharedWordWait(uint32_t* word, int busy, OnHandler rule, clockid_t clock, const timespec* until)
      : PoolWait(busy, rule), word_(word), clock_(clock), until_(until) {}

  /// On the helper: until somebody wakes, if the word is `value`. -EINTR says try again.
  long sleep(uint32_t value) const {
    if (until_ && until_->tv_sec < 0) return -ETIMEDOUT;  // an error to the kernel
    const int operation = FUTEX_WAIT_BITSET | (clock_ == CLOCK_REALTIME ? FUTEX_CLOCK_REALTIME : 0);
    const long result = sys::call(SYS_futex, word_, operation, value, until_, nullptr, FUTEX_BITSET_MATCH_ANY);
    return result == -ETIMEDOUT ? result : -EINTR;
  }

  void abandoned() const { sys::call(SYS_futex, word_, FUTEX_WAKE, 1); }

 private:
  uint32_t* word_;
  clockid_t clock_;
  const timespec* until_;
};

}  // namespace guv
