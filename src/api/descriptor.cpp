// Descriptors with deadlines, green whatever the families are.
#include <poll.h>

#include <algorithm>

#include "api/api.hpp"
#include "guv/guv.h"
#include "wait/attempt.hpp"
#include "wait/fd.hpp"
#include "wait/poll.hpp"

using namespace guv;

namespace {

/// Waits whatever O_NONBLOCK says, and not longer than until a deadline.
class DescriptorWait : public FdWait {
 public:
  DescriptorWait(int fd, Direction direction, Timeout timeout, int64_t until)
      : FdWait(fd, direction, 0, timeout), until_(Deadline::at(until)) {}

  bool would_block(long result) {
    if (result != -EAGAIN) return false;
    may_wait();
    return true;
  }
  Deadline deadline() { return std::min(FdWait::deadline(), until_); }
  long give_up(int reason) const { return -reason; }

 private:
  Deadline until_;
};

/// Waits for `events` (GUV_READ, GUV_WRITE); which there are, or -ETIMEDOUT, -EBADF.
long wait_until_ready(int fd, int events, Deadline until) {
  if (api::on_the_loop()) return -EDEADLK;
  short asked = 0;
  if (events & GUV_READ) asked |= POLLIN | POLLRDHUP;
  if (events & GUV_WRITE) asked |= POLLOUT;
  pollfd descriptor{fd, asked, 0};
  const timespec left = to_timespec(until.is_never() ? 0 : until.left());
  const timespec* limit = until.is_never() ? nullptr : &left;
  const auto waiting = [=](auto add) { add_events(fd, asked, add); };
  const long result = blocking(PollWait::Of(limit, 2, waiting), [&](Mode mode) {
    timespec now{0, 0};
    const timespec* at_most = mode == Mode::native ? limit : &now;
    return sys::call(SYS_ppoll, &descriptor, 1, at_most, nullptr, sys::signal_set_size);
  });
  if (result == -EINTR) return wait_until_ready(fd, events, until);
  if (result < 0) return result;
  if (result == 0) return -ETIMEDOUT;
  if (descriptor.revents & POLLNVAL) return -EBADF;
  // Errors and hang-ups are for the call that follows to find.
  const bool both = descriptor.revents & (POLLERR | POLLHUP);
  const int readable = both || (descriptor.revents & (POLLIN | POLLRDHUP)) ? GUV_READ : 0;
  const int writable = both || (descriptor.revents & POLLOUT) ? GUV_WRITE : 0;
  return (readable | writable) & events;
}

/// `attempt` does not block. On a kernel thread poll(2) does the waiting.
template <class Attempt>
long on_descriptor(int fd, Direction direction, FdWait::Timeout timeout, int64_t until, Attempt attempt) {
  if (self()) return blocking(DescriptorWait(fd, direction, timeout, until), [&](Mode) { return attempt(); });
  for (;;) {
    const long result = attempt();
    if (result != -EAGAIN) return result;
    const long ready = wait_until_ready(fd, direction == reading ? GUV_READ : GUV_WRITE, Deadline::at(until));
    if (ready < 0) return ready;
  }
}

}  // namespace

extern "C" {

ssize_t guv_recv(int fd, void* buffer, size_t size, int flags, int64_t deadline) {
  return on_descriptor(fd, reading, FdWait::Timeout::receive, deadline, [=] {
    const auto receive = [=] {
      return sys::call(SYS_recvfrom, fd, buffer, size, flags | MSG_DONTWAIT, nullptr, nullptr);
    };
    return self() && flags == 0 ? try_receive(fd, size, receive) : receive();
  });
}

ssize_t guv_send(int fd, const void* data, size_t size, int flags, int64_t deadline) {
  return on_descriptor(fd, writing, FdWait::Timeout::send, deadline,
                       [=] { return sys::call(SYS_sendto, fd, data, size, flags | MSG_DONTWAIT, nullptr, 0); });
}

ssize_t guv_sendv(int fd, const iovec* pieces, int count, int flags, int64_t deadline) {
  const msghdr message{nullptr, 0, const_cast<iovec*>(pieces), static_cast<size_t>(count), nullptr, 0, 0};
  return on_descriptor(fd, writing, FdWait::Timeout::send, deadline,
                       [&] { return sys::call(SYS_sendmsg, fd, &message, flags | MSG_DONTWAIT); });
}

int guv_accept(int fd, sockaddr* address, socklen_t* size, int flags, int64_t deadline) {
  const long accepted = on_descriptor(fd, reading, FdWait::Timeout::receive, deadline,
                                      [=] { return try_accept(fd, address, size, flags); });
  if (!sys::failed(accepted)) fd_table::born(static_cast<int>(accepted), fd_table::kind(fd));
  return static_cast<int>(accepted);
}

int guv_trampoline(int fd, int events, int64_t deadline) {
  return static_cast<int>(wait_until_ready(fd, events, Deadline::at(deadline)));
}

int guv_connect(int fd, const sockaddr* address, socklen_t size, int64_t deadline) {
  long result = try_connect(fd, address, size);
  // unix(7): the backlog is full, and nothing tells when it no longer is.
  while (result == -EAGAIN) {
    if (Deadline::at(deadline).passed()) return -ETIMEDOUT;
    constexpr int64_t patience = 1'000'000;
    if (const int error = guv_sleep_until(std::min(deadline, now() + patience))) return error;
    result = try_connect(fd, address, size);
  }
  if (result != -EINPROGRESS && result != -EALREADY) return static_cast<int>(result);
  const long ready = wait_until_ready(fd, GUV_WRITE, Deadline::at(deadline));
  if (ready < 0) return static_cast<int>(ready);
  int error = 0;
  socklen_t error_size = sizeof error;
  sys::call(SYS_getsockopt, fd, SOL_SOCKET, SO_ERROR, &error, &error_size);
  return -error;
}

}  // extern "C"
