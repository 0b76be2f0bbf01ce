#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/sys.hpp"
#include "hub/hub.hpp"
#include "wait/blocking.hpp"

namespace guv {

/// What all who wait for one descriptor to become ready have in common.
class ReadinessWait {
 public:
  ReadinessWait(int fd, Direction direction) {
    waiter_.fd = fd;
    waiter_.direction = direction;
  }

  Arm arm(GreenThread* me) {
    waiter_.thread = me;
    Critical critical;
    // EPERM: a kind of file that epoll does not take, and that therefore never waits for another party.
    return me->hub->poller().watch(waiter_) == 0 ? Arm::park : Arm::offload;
  }
  void disarm() {
    Critical critical;
    waiter_.unlink();
  }
  /// Only one of several waiters is woken for an event, as by the kernel; it passes on what it leaves.
  void succeeded() {
    if (!waiter_.woken) return;
    Critical critical;
    waiter_.thread->hub->poller().pass_on(waiter_);
  }
  void abandoned() { succeeded(); }

 protected:
  FdWaiter waiter_;
};

/// Waits for a descriptor, unless the program asked not to wait: by O_NONBLOCK or by MSG_DONTWAIT.
class FdWait : public ReadinessWait {
 public:
  static constexpr bool for_kernel_threads = false;
  enum class Timeout : uint8_t { none, receive, send };  // whose socket option limits the wait

  /// `by_helper`: what is waited for does not make the descriptor ready.
  FdWait(int fd, Direction direction, int flags, Timeout timeout, bool by_helper = false)
      : ReadinessWait(fd, direction),
        dont_wait_(flags & (MSG_DONTWAIT | MSG_ERRQUEUE)),
        by_helper_(by_helper),
        timeout_(timeout) {}

  bool would_block(long result) { return result == -EAGAIN && may_wait(); }

  /// Once for all parts of a call: SO_SNDTIMEO limits the whole write.
  Deadline deadline() {
    if (!until_known_) {
      until_ = ask_deadline();
      until_known_ = true;
      if (until_.is_never() && known_blocking_) note_plain();
    }
    return until_;
  }

  long give_up(int reason) const { return reason == ETIMEDOUT ? -EAGAIN : -reason; }

  Arm arm(GreenThread* me) { return by_helper_ ? Arm::offload : ReadinessWait::arm(me); }
  bool closed() const { return waiter_.closed; }

  OnHandler on_handler = OnHandler::restart_if_asked;
  static constexpr bool cancellation_point = true;

 protected:
  bool may_wait() {
    if (dont_wait_) return false;
    if (known_blocking_) return true;
    if (self()->hub->poller().plain(waiter_.fd, waiter_.direction)) {
      known_blocking_ = until_known_ = true;
      return true;
    }
    // The flag lives in the kernel, with the description; it is asked for only here.
    const long flags = sys::call(SYS_fcntl, waiter_.fd, F_GETFL);
    known_blocking_ = !sys::failed(flags) && !(flags & O_NONBLOCK);
    return known_blocking_;
  }

  void wait_on_helper() { by_helper_ = true; }

 private:
  Deadline ask_deadline() {
    if (timeout_ == Timeout::none) return Deadline::never();
    timeval limit{};
    socklen_t size = sizeof limit;
    const int option = timeout_ == Timeout::receive ? SO_RCVTIMEO : SO_SNDTIMEO;
    const long result = sys::call(SYS_getsockopt, waiter_.fd, SOL_SOCKET, option, &limit, &size);
    if (sys::failed(result) || (limit.tv_sec == 0 && limit.tv_usec == 0)) return Deadline::never();
    on_handler = OnHandler::end;  // signal(7): with a timeout set, socket calls are never restarted
    return Deadline::in(timespec{limit.tv_sec, limit.tv_usec * 1000});
  }

  int option(int name) const {
    int value = -1;
    socklen_t size = sizeof value;
    sys::call(SYS_getsockopt, waiter_.fd, SOL_SOCKET, name, &value, &size);
    return value;
  }

  void note_plain() const {
    const int fd = waiter_.fd;
    if (!fd_table::exclusive(fd) || (timeout_ == Timeout::none && fd_table::is_socket(fd_table::kind(fd)))) return;
    bool tcp = false;
    if (timeout_ == Timeout::receive) {
      const int domain = option(SO_DOMAIN);
      tcp = (domain == AF_INET || domain == AF_INET6) && option(SO_PROTOCOL) == IPPROTO_TCP && option(SO_RCVLOWAT) <= 1;
    }
    self()->hub->poller().note_plain(fd, waiter_.direction, tcp);
  }

  bool dont_wait_;
  bool known_blocking_ = false;
  bool by_helper_;
  bool until_known_ = false;
  Deadline until_;
  Timeout timeout_;
};

inline FdWait receivable(int fd, int flags) {
  // tcp(7): urgent data is never waited for.
  if (flags & MSG_OOB) flags |= MSG_DONTWAIT;
  return {fd, reading, flags, FdWait::Timeout::receive};
}
inline FdWait sendable(int fd, int flags) { return {fd, writing, flags, FdWait::Timeout::send}; }
inline FdWait readable(int fd) { return {fd, reading, 0, FdWait::Timeout::none}; }
inline FdWait writable(int fd) { return {fd, writing, 0, FdWait::Timeout::none}; }

}  // namespace guv
