#include "descriptor.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "hub/hub.hpp"

namespace guv {

namespace {

Kind kind_of_socket(int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  if (sys::failed(sys::call(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &size))) return Kind::unknown;
  return type == SOCK_STREAM ? Kind::stream : type == SOCK_SEQPACKET ? Kind::packets : Kind::datagrams;
}

// Linux's Documentation/admin-guide/devices.txt.
Kind kind_of_device(dev_t device) {
  const unsigned number = major(device);
  if (number == 5 && minor(device) == 2) return Kind::master;
  return number == 4 || number == 5 || (number >= 136 && number <= 143) ? Kind::terminal : Kind::other;
}

Kind ask_kind(int fd) {
  struct stat status;
  if (sys::failed(sys::call(SYS_fstat, fd, &status))) return Kind::unknown;
  switch (status.st_mode & S_IFMT) {
    case S_IFSOCK: return kind_of_socket(fd);
    case S_IFREG:
    case S_IFDIR:
    case S_IFBLK: return Kind::regular;
    case S_IFIFO: return Kind::fifo;
    case S_IFCHR: return kind_of_device(status.st_rdev);
    default: return Kind::other;
  }
}

}  // namespace

Kind kind_of(int fd) {
  Kind kind = fd_table::kind(fd);
  if (kind == Kind::unknown) [[unlikely]] {
    kind = ask_kind(fd);
    if (kind != Kind::unknown) fd_table::set_kind(fd, kind);
  }
  return kind;
}

int newborn(long fd, Kind kind) {
  if (!sys::failed(fd)) fd_table::born(static_cast<int>(fd), kind);
  return static_cast<int>(sys::result(fd));
}

// On other kernel threads the waiters are out of reach: they wait for the file that they had, as natively.
void retire(int fd) {
  fd_table::gone(fd);
  if (!self()) return;
  Critical critical;
  self()->hub->poller().closing(fd);
}

void retire(unsigned first, unsigned last) {
  fd_table::gone(first, last);
  if (!self()) return;
  Critical critical;
  self()->hub->poller().closing(first, last);
}

}  // namespace guv
