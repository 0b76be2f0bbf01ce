#pragma once

#include "hub/hub.hpp"
#include "wait/blocking.hpp"

namespace guv {

/// There is nothing to wait for that the hub could see: a call that cannot be made at once (its attempt says `busy`) is
/// made on a helper thread. Disks, file locks, full backlogs.
class PoolWait : public PlainWait {
 public:
  explicit PoolWait(int busy = EAGAIN, OnHandler rule = OnHandler::restart_if_asked) : on_handler(rule), busy_(-busy) {}

  bool would_block(long result) const { return result == busy_; }
  Deadline deadline() const { return Deadline::never(); }
  long give_up(int reason) const { return -reason; }
  Arm arm(GreenThread*) const { return Arm::offload; }

  OnHandler on_handler;
  bool cancellation_point = true;

 private:
  long busy_;
};

/// A system call that never waits for another party, but is a cancellation point all the same.
template <class Call>
long at_once(Call call) {
  if (!self()) return native_call(call);
  test_cancel(*self());
  self()->hub->count_call();
  return call();
}

/// A system call that may take long and offers no way of trying.
template <class Call>
long on_helper(Call call, OnHandler rule = OnHandler::restart_if_asked, bool cancellation_point = true) {
  PoolWait wait(EAGAIN, rule);
  wait.cancellation_point = cancellation_point;
  return blocking(wait, [&](Mode mode) { return mode == Mode::native ? call() : -EAGAIN; });
}

/// The kernel thread has been changed by the calling thread: what is its own is to hold on helpers, too.
inline void kernel_thread_changed() {
  if (self()) runtime().offload().renew();
}

}  // namespace guv
