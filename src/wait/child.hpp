#pragma once

#include "hub/children.hpp"
#include "hub/parking_lot.hpp"
#include "hub/poller.hpp"
#include "wait/blocking.hpp"

namespace guv {

/// Waits for a child to change state: one child's end by a descriptor of its own, anything else as one of those who ask
/// the same (hub/children.hpp). SIGCHLD has no part in it: the program may block, ignore or handle that as it likes.
class ChildWait : public PlainWait {
 public:
  ChildWait(idtype_t type, id_t id, int options) : question_{type, id, options} {}
  ~ChildWait();
  ChildWait(const ChildWait&) = delete;
  ChildWait& operator=(const ChildWait&) = delete;

  bool would_block(long result) const { return result == -EAGAIN; }
  Deadline deadline() const { return Deadline::never(); }
  long give_up(int reason) const { return -reason; }
  Arm arm(GreenThread* me);
  void disarm();

  static constexpr OnHandler on_handler = OnHandler::restart_if_asked;

 private:
  bool watch_descriptor(GreenThread& me);

  Children::Question question_;
  FdWaiter descriptor_;  // of the child, if it has one
  Children::Watch* watch_ = nullptr;
  AddressWaiter waiter_;
};

}  // namespace guv
