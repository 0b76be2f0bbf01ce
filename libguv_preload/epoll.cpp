// epoll_wait(2): the program's own epoll instance is itself a descriptor that becomes readable.
#include <sys/epoll.h>

#include "interpose.hpp"
#include "wait/poll.hpp"

namespace guv {

namespace {

class EpollWait : public PollWait, public ReadinessWait {
 public:
  EpollWait(int epoll, const timespec* timeout) : PollWait(timeout), ReadinessWait(epoll, reading) {}

  using ReadinessWait::abandoned, ReadinessWait::arm, ReadinessWait::disarm, ReadinessWait::succeeded;
};

/// `native(left)` is the call as the program made it, with what is left of its time-out; null for ever.
template <class Native>
int wait(int epoll, epoll_event* events, int most, const timespec* timeout, const sigset_t* mask, Native native) {
  if (timeout && (timeout->tv_sec < 0 || !valid(*timeout))) return static_cast<int>(sys::result(-EINVAL));
  signals::MaskDuringCall during(self(), mask);
  EpollWait on(epoll, timeout);
  return static_cast<int>(sys::result(blocking(on, [&](Mode mode) {
    return mode == Mode::native ? native(on.left())
                                : sys::call(SYS_epoll_pwait, epoll, events, most, 0, nullptr, sys::signal_set_size);
  })));
}

// Rounded up: the wait must not end early.
int to_milliseconds(const timespec& time) {
  return static_cast<int>(time.tv_sec * 1000 + (time.tv_nsec + 999'999) / 1'000'000);
}

int wait_for(int epoll, epoll_event* events, int most, int milliseconds, const sigset_t* mask) {
  const timespec limit = to_timespec(int64_t{milliseconds} * 1'000'000);
  return wait(epoll, events, most, milliseconds < 0 ? nullptr : &limit, mask, [=](const timespec* left) {
    return sys::call(SYS_epoll_pwait, epoll, events, most, left ? to_milliseconds(*left) : -1, mask,
                     sys::signal_set_size);
  });
}

}  // namespace

}  // namespace guv

using namespace guv;

GUV_INTERPOSE(int, epoll_wait, (int epoll, epoll_event* events, int most, int milliseconds)) {
  return wait_for(epoll, events, most, milliseconds, nullptr);
}

GUV_INTERPOSE(int, epoll_pwait, (int epoll, epoll_event* events, int most, int milliseconds, const sigset_t* mask)) {
  return wait_for(epoll, events, most, milliseconds, mask);
}

GUV_INTERPOSE(int, epoll_pwait2,
              (int epoll, epoll_event* events, int most, const timespec* timeout, const sigset_t* mask)) {
  return wait(epoll, events, most, timeout, mask,
              [=](const timespec* left) {
                return sys::call(SYS_epoll_pwait2, epoll, events, most, left, mask, sys::signal_set_size);
              });
}
