#pragma once

#include "wait/blocking.hpp"

namespace guv {

/// Waits for nothing but the clock (and signals).
class TimeWait {
 public:
  static constexpr bool for_kernel_threads = false;
  explicit TimeWait(Deadline until) : until_(until) {}

  bool would_block(long result) const { return result == -EAGAIN; }
  Deadline deadline() const { return until_; }
  long give_up(int reason) const { return reason == ETIMEDOUT ? 0 : -reason; }
  Arm arm(GreenThread*) const { return Arm::park; }
  void disarm() const {}
  bool closed() const { return false; }
  void succeeded() const {}
  void abandoned() const {}

  static constexpr OnHandler on_handler = OnHandler::end;
  static constexpr bool cancellation_point = true;

 private:
  Deadline until_;
};

}  // namespace guv
