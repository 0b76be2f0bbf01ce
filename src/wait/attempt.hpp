#pragma once

#include <poll.h>
#include <sys/socket.h>

#include "base/sys.hpp"
#include "hub/hub.hpp"

/// Attempts of calls that have no flag of their own for it.
namespace guv {

/// Whether `fd` has one of `events` now, an error or a hang-up.
inline bool ready(int fd, short events) {
  pollfd asked{fd, events, 0};
  const timespec at_once{0, 0};
  return sys::call(SYS_ppoll, &asked, 1, &at_once, nullptr, sys::signal_set_size) != 0;
}

/// A receive into a buffer of `size` bytes by the calling green thread, unless it is known to find nothing (see Poller).
template <class Try>
long try_receive(int fd, size_t size, Try receive) {
  Poller& poller = self()->hub->poller();
  if (poller.drained(fd)) return -EAGAIN;
  const long result = receive();
  if (result > 0 && static_cast<size_t>(result) < size) poller.note_drained(fd);
  return result;
}

/// accept4(2): -EAGAIN when nobody has come.
long try_accept(int listener, sockaddr* address, socklen_t* length, int flags);

/// connect(2): -EINPROGRESS or -EALREADY when it takes its time, -EAGAIN when a backlog is full (unix(7)).
long try_connect(int fd, const sockaddr* address, socklen_t length);

}  // namespace guv
