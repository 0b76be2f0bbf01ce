#pragma once

#include "hub/signals.hpp"
#include "wait/blocking.hpp"

namespace guv {

/// Waits for a signal of `set`, which the thread blocks, or, with an empty set, for any handler to run.
class SignalWait : public PlainWait {
 public:
  explicit SignalWait(uint64_t set, Deadline until = Deadline::never()) : set_(set), until_(until) {}

  bool would_block(long result) const { return result == -EAGAIN; }
  Deadline deadline() const { return until_; }
  long give_up(int reason) const { return reason == ETIMEDOUT ? -EAGAIN : -reason; }
  Arm arm(GreenThread* me) {
    thread_ = me;
    signals::await(*me, set_);
    return set_ ? Arm::look_again : Arm::park;
  }
  void disarm() const { signals::await(*thread_, 0); }

  static constexpr OnHandler on_handler = OnHandler::end;

 private:
  uint64_t set_;
  Deadline until_;
  GreenThread* thread_ = nullptr;
};

}  // namespace guv
