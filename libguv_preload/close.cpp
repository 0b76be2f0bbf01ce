// Giving descriptors up: close(2), dup2(2), close_range(2). guv's own descriptors are none of the program's business.
#include <linux/close_range.h>
#include <sys/socket.h>
#include <unistd.h>

#include "descriptor.hpp"
#include "interpose.hpp"
#include "wait/disk.hpp"

namespace guv {

namespace {

// Whether the program ever asked for SO_LINGER, without which close does not wait. Set by any thread.
std::atomic<bool> lingering{false};

/// socket(7): such a close waits until what was sent has arrived.
bool close_waits(int fd) {
  linger option{};
  socklen_t size = sizeof option;
  if (!lingering.load(std::memory_order_relaxed) || !self() || !is_socket(kind_of(fd))) return false;
  const long result = sys::call(SYS_getsockopt, fd, SOL_SOCKET, SO_LINGER, &option, &size);
  return !sys::failed(result) && option.l_onoff && option.l_linger > 0;
}

long close_one(int fd) {
  if (private_fd::owns(fd)) return -EBADF;
  const bool waits = close_waits(fd);
  const Kind kind = fd_table::kind(fd);
  const bool may_be_file = kind == Kind::regular || kind == Kind::unknown;
  const auto call = [=] { return sys::call(SYS_close, fd); };
  if (self()) test_cancel(*self());
  retire(fd);
  if (waits) return runtime().offload().run(call, {OnSignal::end});  // a signal ends the wait, and it has closed all the same
  // nfs(5): what was written goes to the server; and the last name of a large file may be gone.
  return may_be_file && self() ? on_disk(call, fd) : native_call(call);
}

int replace(int from, int to, int flags) {
  // Out of the allowed range, as far as the program can see.
  if (private_fd::owns(from) || private_fd::owns(to)) return static_cast<int>(sys::result(-EBADF));
  const long result = sys::call(SYS_dup3, from, to, flags);
  if (!sys::failed(result)) {
    retire(to);
    fd_table::duplicated(from, to);
  }
  return static_cast<int>(sys::result(result));
}

// Around the descriptors of our own.
long close_from_to(unsigned first, unsigned last, unsigned flags) {
  if (!(flags & CLOSE_RANGE_CLOEXEC)) retire(first, last);
  const int kept = private_fd::lowest_in(first, last);
  if (kept < 0) return sys::call(SYS_close_range, first, last, flags);
  const auto here = static_cast<unsigned>(kept);
  const long result = here > first ? sys::call(SYS_close_range, first, here - 1, flags) : 0;
  if (sys::failed(result) || here == last) return result;
  return close_from_to(here + 1, last, flags);
}

}  // namespace

}  // namespace guv

using namespace guv;

GUV_INTERPOSE(int, close, (int fd)) { return static_cast<int>(sys::result(close_one(fd))); }

GUV_INTERPOSE_UNDECLARED(int, __close_nocancel, (int fd)) {
  const WithoutCancellation scope;
  return static_cast<int>(sys::result(close_one(fd)));
}

GUV_INTERPOSE(int, dup2, (int from, int to)) {
  if (from != to) return replace(from, to, 0);
  const long result = sys::call(SYS_fcntl, from, F_GETFD);
  return sys::failed(result) || private_fd::owns(from) ? static_cast<int>(sys::result(-EBADF)) : to;
}

GUV_INTERPOSE(int, dup3, (int from, int to, int flags)) { return replace(from, to, flags); }

GUV_INTERPOSE(int, close_range, (unsigned first, unsigned last, int flags)) {
  if (first > last) return static_cast<int>(sys::result(-EINVAL));
  return static_cast<int>(sys::result(close_from_to(first, last, static_cast<unsigned>(flags))));
}

GUV_INTERPOSE(void, closefrom, (int first)) { close_from_to(first < 0 ? 0 : static_cast<unsigned>(first), ~0u, 0); }

GUV_INTERPOSE(int, setsockopt, (int fd, int level, int name, const void* value, socklen_t size)) {
  if (level == SOL_SOCKET && name == SO_LINGER) lingering.store(true, std::memory_order_relaxed);
  const long result = sys::call(SYS_setsockopt, fd, level, name, value, size);
  // SO_RCVTIMEO, SO_SNDTIMEO, SO_RCVLOWAT, by old and new numbers.
  if (level == SOL_SOCKET) fd_table::options_changed();
  return static_cast<int>(sys::result(result));
}
