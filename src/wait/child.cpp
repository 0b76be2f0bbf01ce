#include "wait/child.hpp"

#include "base/sys.hpp"
#include "hub/hub.hpp"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

namespace guv {

ChildWait::~ChildWait() {
  if (watch_) runtime().children().leave(*watch_);
  if (descriptor_.fd < 0) return;
  private_fd::forget(descriptor_.fd);
  sys::call(SYS_close, descriptor_.fd);
}

// A pidfd becomes readable when the process has ended, and for nothing else.
bool ChildWait::watch_descriptor(GreenThread& me) {
  if (question_.type != P_PID || (question_.options & (WEXITED | WSTOPPED | WCONTINUED)) != WEXITED) return false;
  if (descriptor_.fd < 0) {
    const long fd = sys::call(SYS_pidfd_open, question_.id, 0);
    if (sys::failed(fd)) return false;
    descriptor_.fd = private_fd::hide(static_cast<int>(fd));
    descriptor_.consumes = false;
  }
  descriptor_.thread = &me;
  Critical critical;
  return me.hub->poller().watch(descriptor_) == 0;
}

Arm ChildWait::arm(GreenThread* me) {
  if (watch_descriptor(*me)) return Arm::look_again;
  if (!watch_ && !(watch_ = runtime().children().join(question_))) return Arm::offload;
  waiter_.address = watch_;
  waiter_.thread = me;
  runtime().lot().enqueue(waiter_);
  return runtime().children().ask(*watch_) ? Arm::look_again : Arm::offload;
}

void ChildWait::disarm() {
  if (waiter_.thread) runtime().lot().dequeue(waiter_);
  Critical critical;
  descriptor_.unlink();
}

}  // namespace guv
