// Sockets. socket(7), send(2), recv(2), accept(2), connect(2).
#include <poll.h>
#include <sys/socket.h>

#include "interpose.hpp"

using namespace guv;

GUV_INTERPOSE(ssize_t, recv, (int fd, void* buffer, size_t size, int flags)) {
  return sys::result(blocking(receivable(fd, flags), [=](Mode mode) {
    return sys::call(SYS_recvfrom, fd, buffer, size, flags | only_if(mode, MSG_DONTWAIT), nullptr, nullptr);
  }));
}

GUV_INTERPOSE(ssize_t, send, (int fd, const void* buffer, size_t size, int flags)) {
  return sys::result(blocking_all(sendable(fd, flags), size, [=](Mode mode, size_t done) {
    return sys::call(SYS_sendto, fd, static_cast<const char*>(buffer) + done, size - done,
                     flags | only_if(mode, MSG_DONTWAIT) | (done ? MSG_NOSIGNAL : 0), nullptr, 0);
  }));
}
GUV_ALSO(__send, send);
