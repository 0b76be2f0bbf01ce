// Calls that never wait, but hand out descriptors: what was known of the number is void from then on.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "descriptor.hpp"
#include "interpose.hpp"

using namespace guv;

GUV_INTERPOSE(int, pipe2, (int ends[2], int flags)) {
  const long result = sys::call(SYS_pipe2, ends, flags);
  if (!sys::failed(result)) {
    fd_table::born(ends[0], Kind::fifo);
    fd_table::born(ends[1], Kind::fifo);
  }
  return static_cast<int>(sys::result(result));
}

GUV_INTERPOSE(int, pipe, (int ends[2])) { return guv_wrap_pipe2(ends, 0); }

GUV_INTERPOSE(int, eventfd, (unsigned initial, int flags)) {
  return newborn(sys::call(SYS_eventfd2, initial, flags), Kind::other);
}

GUV_INTERPOSE(int, timerfd_create, (clockid_t clock, int flags)) {
  return newborn(sys::call(SYS_timerfd_create, clock, flags), Kind::other);
}

GUV_INTERPOSE(int, inotify_init, ()) { return newborn(sys::call(SYS_inotify_init1, 0), Kind::other); }
GUV_INTERPOSE(int, inotify_init1, (int flags)) { return newborn(sys::call(SYS_inotify_init1, flags), Kind::other); }

GUV_INTERPOSE(int, memfd_create, (const char* name, unsigned flags)) {
  return newborn(sys::call(SYS_memfd_create, name, flags), Kind::regular);
}

GUV_INTERPOSE(int, epoll_create, (int size)) {
  return newborn(size > 0 ? sys::call(SYS_epoll_create1, 0) : -EINVAL, Kind::other);
}
GUV_INTERPOSE(int, epoll_create1, (int flags)) { return newborn(sys::call(SYS_epoll_create1, flags), Kind::other); }
