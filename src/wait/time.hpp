#pragma once

#include "wait/blocking.hpp"

namespace guv {

/// Waits for nothing but the clock (and signals).
class TimeWait : public PlainWait {
 public:
  explicit TimeWait(Deadline until) : until_(until) {}

  bool would_block(long result) const { return result == -EAGAIN; }
  Deadline deadline() const { return until_; }
  long give_up(int reason) const { return reason == ETIMEDOUT ? 0 : -reason; }
  Arm arm(GreenThread*) const { return Arm::park; }

  static constexpr OnHandler on_handler = OnHandler::end;

 private:
  Deadline until_;
};

}  // namespace guv
