#pragma once

#include "guv/deadline.hpp"
#include "guv/error.hpp"
#include "guv/guv.h"

/// Waiting for descriptors by hand, for libraries that have a hook for it. The Python guv's hubs.switch and const.
namespace guv {
inline namespace v1 {

/// What to wait for: libuv's UV_READABLE and UV_WRITABLE.
constexpr int READ = GUV_READ;
constexpr int WRITE = GUV_WRITE;

/// Suspends the calling thread until the descriptor is ready for reading (READ), writing (WRITE) or either (READ |
/// WRITE), as poll(2) would say; returns for which. Throws TimedOut at the deadline; std::system_error with EBADF, also
/// when the descriptor is closed meanwhile.
inline int trampoline(int fd, int events, Deadline deadline = {}) {
  return detail::check(guv_trampoline(fd, events, deadline.nanoseconds()));
}

/// As above, throwing `exception` at the deadline.
template <class Exception>
int trampoline(int fd, int events, Deadline deadline, Exception exception) {
  const int ready = guv_trampoline(fd, events, deadline.nanoseconds());
  if (ready == -ETIMEDOUT) throw exception;
  return detail::check(ready);
}

}  // namespace v1
}  // namespace guv
