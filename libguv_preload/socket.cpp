// Sockets. socket(7), send(2), recv(2), accept(2), connect(2).
#include <sys/socket.h>
#include <sys/un.h>

#include "descriptor.hpp"
#include "interpose.hpp"
#include "wait/pool.hpp"

namespace guv {

namespace {

// ---- receiving --------------------------------------------------------------------------------------------------

/// MSG_WAITALL means something for byte streams only.
bool fills(int fd, int flags) { return (flags & MSG_WAITALL) && self() && kind_of(fd) == Kind::stream; }

long receive(int fd, void* buffer, size_t size, int flags, sockaddr* address, socklen_t* length) {
  const auto attempt = [=](Mode mode, size_t done) {
    return sys::call(SYS_recvfrom, fd, static_cast<char*>(buffer) + done, size - done,
                     flags | only_if(mode, MSG_DONTWAIT), address, length);
  };
  if (flags == 0 && self()) {
    return blocking(receivable(fd, 0), [=](Mode mode) {
      return mode == Mode::native ? attempt(mode, 0) : try_receive(fd, size, [=] { return attempt(Mode::attempt, 0); });
    });
  }
  if (!fills(fd, flags)) return blocking(receivable(fd, flags), [=](Mode mode) { return attempt(mode, 0); });
  // A peek takes nothing away, so its parts cannot be put together.
  if (flags & MSG_PEEK) return on_helper([=] { return attempt(Mode::native, 0); });
  return blocking_all(receivable(fd, flags), size, attempt);
}

// Descriptors may go and come with a message.
template <class Visit>
void for_each_passed_fd(msghdr& message, Visit visit) {
  for (cmsghdr* control = CMSG_FIRSTHDR(&message); control; control = CMSG_NXTHDR(&message, control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) continue;
    const std::span fds(reinterpret_cast<const int*>(CMSG_DATA(control)),
                        (control->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    for (const int fd : fds) visit(fd);
  }
}

void note_received(msghdr& message) {
  for_each_passed_fd(message, [](int fd) { fd_table::received(fd); });
}

long receive_message(int fd, msghdr* message, int flags) {
  if (!message) return sys::call(SYS_recvmsg, fd, message, flags);  // EFAULT, or what is wrong with the descriptor
  const auto first = [=](Mode mode) {
    return sys::call(SYS_recvmsg, fd, message, flags | only_if(mode, MSG_DONTWAIT));
  };
  if (!fills(fd, flags)) return blocking(receivable(fd, flags), first);
  if (flags & MSG_PEEK) return on_helper([=] { return first(Mode::native); });
  const std::span parts(message->msg_iov, message->msg_iovlen);
  return blocking_all(receivable(fd, flags), total(parts), [=](Mode mode, size_t done) {
    if (done == 0) return first(mode);
    const Rest rest(parts, done);
    msghdr more{nullptr, 0, const_cast<iovec*>(rest.data()), rest.count(), nullptr, 0, 0};
    return sys::call(SYS_recvmsg, fd, &more, flags | only_if(mode, MSG_DONTWAIT));
  });
}

// recvmmsg(2), BUGS: the time-out is looked at after each message, not while waiting for one.
long receive_messages(int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout) {
  if (!self()) {
    return native_call([=] { return sys::call(SYS_recvmmsg, fd, messages, count, flags, timeout); });
  }
  if (timeout && (timeout->tv_sec < 0 || !valid(*timeout))) return -EINVAL;
  const Deadline until = timeout ? Deadline::in(*timeout) : Deadline::never();
  const long result = blocking_all(receivable(fd, flags), count, [=](Mode mode, size_t done) -> long {
    if (done && ((flags & MSG_WAITFORONE) || until.passed())) return 0;
    return sys::call(SYS_recvmmsg, fd, messages + done, count - done, flags | only_if(mode, MSG_DONTWAIT), nullptr);
  });
  if (timeout && !sys::failed(result)) *timeout = to_timespec(until.left());
  return result;
}

// ---- sending ----------------------------------------------------------------------------------------------------

// Its own buffer is free, the queue of the receiver is full: nothing tells an unconnected sender when it no longer is.
FdWait sendable_to(int fd, const void* address, int flags) {
  const bool by_helper = address && static_cast<const sockaddr*>(address)->sa_family == AF_UNIX;
  return {fd, writing, flags, FdWait::Timeout::send, by_helper};
}

long send_to(int fd, const void* buffer, size_t size, int flags, const sockaddr* address, socklen_t length) {
  const auto* bytes = static_cast<const char*>(buffer);
  const auto attempt = [=](Mode mode, size_t done) {
    return sys::call(SYS_sendto, fd, bytes + done, size - done,
                     flags | only_if(mode, MSG_DONTWAIT) | (done ? MSG_NOSIGNAL : 0), address, length);
  };
  // Connects too.
  if (flags & MSG_FASTOPEN) return on_helper([=] { return attempt(Mode::native, 0); });
  return blocking_all(sendable_to(fd, address, flags), size, attempt);
}

// Another process may have them from now on.
void note_sent(const msghdr& message) {
  for_each_passed_fd(const_cast<msghdr&>(message), [](int fd) { fd_table::received(fd); });
}

/// The message from `start` on. Its control data go with the first part.
long send_message(int fd, const msghdr* message, int flags, size_t start = 0) {
  if (!message) return sys::call(SYS_sendmsg, fd, message, flags);  // EFAULT, or what is wrong with the descriptor
  if (message->msg_controllen) note_sent(*message);
  const std::span parts(message->msg_iov, message->msg_iovlen);
  return blocking_all(sendable_to(fd, message->msg_name, flags), total(parts) - start, [=](Mode mode, size_t done) {
    done += start;
    if (done == 0) return sys::call(SYS_sendmsg, fd, message, flags | only_if(mode, MSG_DONTWAIT));
    const Rest rest(parts, done);
    const msghdr more{nullptr, 0, const_cast<iovec*>(rest.data()), rest.count(), nullptr, 0, 0};
    return sys::call(SYS_sendmsg, fd, &more, flags | only_if(mode, MSG_DONTWAIT) | MSG_NOSIGNAL);
  });
}

// A byte stream may have taken a message in part.
void send_rest(int fd, mmsghdr& message, int flags) {
  const size_t wanted = total({message.msg_hdr.msg_iov, message.msg_hdr.msg_iovlen});
  if (message.msg_len >= wanted) return;
  const long result = send_message(fd, &message.msg_hdr, flags, message.msg_len);
  if (!sys::failed(result)) message.msg_len += static_cast<unsigned>(result);
}

long send_messages(int fd, mmsghdr* messages, unsigned count, int flags) {
  const void* address = count ? messages->msg_hdr.msg_name : nullptr;
  return blocking_all(sendable_to(fd, address, flags), count, [=](Mode mode, size_t done) {
    const long result = sys::call(SYS_sendmmsg, fd, messages + done, count - done,
                                  flags | only_if(mode, MSG_DONTWAIT) | (done ? MSG_NOSIGNAL : 0));
    if (mode == Mode::attempt && result > 0) send_rest(fd, messages[done + static_cast<size_t>(result) - 1], flags);
    return result;
  });
}

// ---- connections ------------------------------------------------------------------------------------------------

int accept_one(int listener, sockaddr* address, socklen_t* length, int flags) {
  const auto call = [=] { return sys::call(SYS_accept4, listener, address, length, flags); };
  const long fd = blocking(receivable(listener, 0), [=](Mode mode) {
    return mode == Mode::native ? call() : try_accept(listener, address, length, flags);
  });
  return newborn(fd, fd_table::kind(listener));
}

/// connect(2) is waited for until the socket is writable; a connect that follows says how it went.
class ConnectWait : public FdWait {
 public:
  explicit ConnectWait(int fd) : FdWait(fd, writing, 0, Timeout::send) {}

  bool would_block(long result) {
    if (result != -EINPROGRESS && result != -EALREADY && result != -EAGAIN) return false;
    if (!may_wait()) return false;
    if (!first_) first_ = result;
    // unix(7): the backlog is full, and nothing tells when it no longer is.
    if (result == -EAGAIN) wait_on_helper();
    return true;
  }
  long give_up(int reason) const { return reason == ETIMEDOUT ? first_ : -reason; }

 private:
  long first_ = 0;
};

long connect_to(int fd, const sockaddr* address, socklen_t length) {
  const auto call = [=] { return sys::call(SYS_connect, fd, address, length); };
  if (self() && fd_table::kind(fd) == Kind::datagrams) return at_once(call);
  return blocking(ConnectWait(fd),
                  [=](Mode mode) { return mode == Mode::native ? call() : try_connect(fd, address, length); });
}

Kind kind_by_type(int type) {
  type &= ~(SOCK_CLOEXEC | SOCK_NONBLOCK);
  return type == SOCK_STREAM ? Kind::stream : type == SOCK_SEQPACKET ? Kind::packets : Kind::datagrams;
}

}  // namespace

}  // namespace guv

using namespace guv;

GUV_INTERPOSE(int, socket, (int domain, int type, int protocol)) {
  return newborn(sys::call(SYS_socket, domain, type, protocol), kind_by_type(type));
}

GUV_INTERPOSE(int, socketpair, (int domain, int type, int protocol, int ends[2])) {
  const long result = sys::call(SYS_socketpair, domain, type, protocol, ends);
  if (!sys::failed(result)) {
    fd_table::born(ends[0], kind_by_type(type));
    fd_table::born(ends[1], kind_by_type(type));
  }
  return static_cast<int>(sys::result(result));
}

GUV_INTERPOSE(int, accept, (int listener, sockaddr* address, socklen_t* length)) {
  return accept_one(listener, address, length, 0);
}

GUV_INTERPOSE(int, accept4, (int listener, sockaddr* address, socklen_t* length, int flags)) {
  return accept_one(listener, address, length, flags);
}

GUV_INTERPOSE(int, connect, (int fd, const sockaddr* address, socklen_t length)) {
  return static_cast<int>(sys::result(connect_to(fd, address, length)));
}

GUV_INTERPOSE(ssize_t, recv, (int fd, void* buffer, size_t size, int flags)) {
  return sys::result(receive(fd, buffer, size, flags, nullptr, nullptr));
}

GUV_INTERPOSE_UNDECLARED(ssize_t, __recv_chk, (int fd, void* buffer, size_t size, size_t room, int flags)) {
  if (size > room) __chk_fail();
  return sys::result(receive(fd, buffer, size, flags, nullptr, nullptr));
}

GUV_INTERPOSE(ssize_t, recvfrom,
              (int fd, void* buffer, size_t size, int flags, sockaddr* address, socklen_t* length)) {
  return sys::result(receive(fd, buffer, size, flags, address, length));
}

GUV_INTERPOSE_UNDECLARED(ssize_t, __recvfrom_chk, (int fd, void* buffer, size_t size, size_t room, int flags,
                                                   sockaddr* address, socklen_t* length)) {
  if (size > room) __chk_fail();
  return sys::result(receive(fd, buffer, size, flags, address, length));
}

GUV_INTERPOSE(ssize_t, recvmsg, (int fd, msghdr* message, int flags)) {
  const long result = receive_message(fd, message, flags);
  if (!sys::failed(result) && message->msg_controllen) note_received(*message);
  return sys::result(result);
}

GUV_INTERPOSE(int, recvmmsg, (int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout)) {
  const long result = receive_messages(fd, messages, count, flags, timeout);
  for (long i = 0; i < result; ++i) {
    if (messages[i].msg_hdr.msg_controllen) note_received(messages[i].msg_hdr);
  }
  return static_cast<int>(sys::result(result));
}

GUV_INTERPOSE(ssize_t, send, (int fd, const void* buffer, size_t size, int flags)) {
  return sys::result(send_to(fd, buffer, size, flags, nullptr, 0));
}

GUV_INTERPOSE(ssize_t, sendto,
              (int fd, const void* buffer, size_t size, int flags, const sockaddr* address, socklen_t length)) {
  return sys::result(send_to(fd, buffer, size, flags, address, length));
}

GUV_INTERPOSE(ssize_t, sendmsg, (int fd, const msghdr* message, int flags)) {
  return sys::result(send_message(fd, message, flags));
}

GUV_INTERPOSE(int, sendmmsg, (int fd, mmsghdr* messages, unsigned count, int flags)) {
  return static_cast<int>(sys::result(send_messages(fd, messages, count, flags)));
}
