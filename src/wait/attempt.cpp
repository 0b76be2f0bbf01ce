#include "wait/attempt.hpp"

#include <fcntl.h>

#include "runtime.hpp"
#include "wait/blocking.hpp"

namespace guv {

namespace {

bool nonblocking(int fd) {
  const long flags = sys::call(SYS_fcntl, fd, F_GETFL);
  return sys::failed(flags) || (flags & O_NONBLOCK);
}

bool listening(int fd) {
  int value = 0;
  socklen_t size = sizeof value;
  return !sys::failed(sys::call(SYS_getsockopt, fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size)) && value;
}

/// O_NONBLOCK for one system call on a description that nobody else has.
class NonblockingFor {
 public:
  NonblockingFor(int fd, long flags) : fd_(fd), flags_(flags) { sys::call(SYS_fcntl, fd, F_SETFL, flags | O_NONBLOCK); }
  ~NonblockingFor() { sys::call(SYS_fcntl, fd_, F_SETFL, flags_); }
  NonblockingFor(const NonblockingFor&) = delete;
  NonblockingFor& operator=(const NonblockingFor&) = delete;

 private:
  int fd_;
  long flags_;
};

}  // namespace

long try_accept(int listener, sockaddr* address, socklen_t* length, int flags) {
  const auto call = [=] { return sys::call(SYS_accept4, listener, address, length, flags); };
  // What is no listener has an error to tell.
  if (!ready(listener, POLLIN)) return listening(listener) ? -EAGAIN : call();
  // Another process may be quicker, and then the call waits for the next connection.
  if (!fd_table::exclusive(listener) && !nonblocking(listener)) {
    const long fd = runtime().offload().run(call, interruptions());
    return fd == -EINTR ? -EAGAIN : fd;
  }
  return call();
}

long try_connect(int fd, const sockaddr* address, socklen_t length) {
  const auto call = [=] { return sys::call(SYS_connect, fd, address, length); };
  const long flags = sys::call(SYS_fcntl, fd, F_GETFL);
  if (sys::failed(flags) || (flags & O_NONBLOCK)) return call();
  if (!fd_table::exclusive(fd)) {
    const long result = runtime().offload().run(call, interruptions());
    return result == -EINTR ? -EALREADY : result;  // it goes on, and the socket will be writable
  }
  const NonblockingFor now(fd, flags);
  return call();
}

}  // namespace guv
