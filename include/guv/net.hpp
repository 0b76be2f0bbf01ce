#pragma once

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "guv/deadline.hpp"
#include "guv/error.hpp"
#include "guv/green_thread.hpp"
#include "guv/guv.h"
#include "guv/patcher.h"

/// Sockets and simple servers. The Python guv's listen, connect, serve and StopServe.
///
///     guv::serve(guv::listen("127.0.0.1", 7000), [](guv::Socket client, const guv::Address&) {
///       for (std::string data; !(data = client.recv(4096)).empty();) client.send(data);
///     });
namespace guv::inline v1 {

/// The address of a socket: of IP, of IPv6, or of a Unix socket.
class Address {
 public:
  /// None: its family is AF_UNSPEC.
  Address() = default;

  /// As the calls of libc have it; throws std::system_error (EINVAL) where it is longer than any is.
  Address(const sockaddr* address, socklen_t size) : size_(size) {
    if (size > sizeof storage_) detail::throw_error(-EINVAL);
    std::memcpy(&storage_, address, size);
  }

  /// A Unix socket's; throws std::system_error (ENAMETOOLONG) for more than 107 bytes.
  static Address unix_path(std::string_view path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) detail::throw_error(-ENAMETOOLONG);
    std::memcpy(address.sun_path, path.data(), path.size());
    return {reinterpret_cast<const sockaddr*>(&address), sizeof address};
  }

  /// AF_INET, AF_INET6 or AF_UNIX.
  int family() const { return storage_.ss_family; }

  /// "192.0.2.1", "2001:db8::1", or a Unix socket's path.
  std::string host() const {
    char text[INET6_ADDRSTRLEN];
    switch (family()) {
      case AF_INET: return inet_ntop(AF_INET, &as<sockaddr_in>().sin_addr, text, sizeof text);
      case AF_INET6: return inet_ntop(AF_INET6, &as<sockaddr_in6>().sin6_addr, text, sizeof text);
      case AF_UNIX: return as<sockaddr_un>().sun_path;
      default: return {};
    }
  }

  /// 0 of a Unix socket.
  std::uint16_t port() const {
    switch (family()) {
      case AF_INET: return ntohs(as<sockaddr_in>().sin_port);
      case AF_INET6: return ntohs(as<sockaddr_in6>().sin6_port);
      default: return 0;
    }
  }

  /// For bind(2) and its kin.
  const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const { return size_; }

 private:
  template <class T>
  const T& as() const {
    return reinterpret_cast<const T&>(storage_);
  }

  sockaddr_storage storage_{};
  socklen_t size_ = 0;
};

namespace detail {

/// What sockets with and without TLS have in common. `Stream` has receive_some() and send_some(), which move at least a
/// byte and return how many, 0 at the end, or throw.
template <class Stream>
class ByteStream {
 public:
  /// Receives up to `size` bytes, waiting for the first; returns how many, 0 at the end.
  std::size_t recv(void* buffer, std::size_t size, Deadline deadline = {}) {
    return self().receive_some(buffer, size, deadline);
  }

  /// The same as a string, empty at the end.
  std::string recv(std::size_t size, Deadline deadline = {}) {
    std::string data(size, '\0');
    data.resize(recv(data.data(), size, deadline));
    return data;
  }

  /// Sends all of it.
  void send(std::string_view data, Deadline deadline = {}) {
    while (!data.empty()) data.remove_prefix(self().send_some(data, deadline));
  }

 private:
  Stream& self() { return static_cast<Stream&>(*this); }
};

}  // namespace detail

/// A socket that is closed with its owner. Its calls are green whatever is patched, and throw: std::system_error,
/// TimedOut at the deadline, GreenExit when the thread is killed.
class Socket : public detail::ByteStream<Socket> {
 public:
  /// None.
  Socket() = default;

  /// Takes a descriptor over.
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(other.release()) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket() { close(); }

  explicit operator bool() const { return fd_ >= 0; }

  /// The descriptor, which stays the Socket's; -1 of none.
  int fd() const { return fd_; }

  /// Gives the descriptor to the caller.
  int release() { return std::exchange(fd_, -1); }

  /// Closes it now. Who waits for it in another thread gets EBADF.
  void close() {
    if (fd_ >= 0) ::close(release());
  }

  /// Ends sending (SHUT_WR), receiving (SHUT_RD) or both, for all who use the socket.
  void shutdown(int how = SHUT_RDWR) { ::shutdown(fd_, how); }

  /// Where it is bound.
  Address address() const {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    if (getsockname(fd_, reinterpret_cast<sockaddr*>(&storage), &size)) detail::throw_error(-errno);
    return {reinterpret_cast<const sockaddr*>(&storage), size};
  }

 private:
  friend class detail::ByteStream<Socket>;

  std::size_t receive_some(void* buffer, std::size_t size, Deadline deadline) {
    return moved(guv_recv(fd_, buffer, size, 0, deadline.nanoseconds()));
  }
  std::size_t send_some(std::string_view data, Deadline deadline) {
    return moved(guv_send(fd_, data.data(), data.size(), MSG_NOSIGNAL, deadline.nanoseconds()));
  }
  static std::size_t moved(ssize_t result) {
    if (result < 0) detail::throw_error(static_cast<int>(result));
    return static_cast<std::size_t>(result);
  }

  int fd_ = -1;
};

namespace detail {

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

/// Thrown when a name has no address; what() is gai_strerror's.
class ResolveError : public std::runtime_error {
 public:
  explicit ResolveError(int code) : std::runtime_error(gai_strerror(code)) {}
};

/// getaddrinfo(3), green: on a kernel thread of guv's where libc's own would block.
inline AddressList resolve(const std::string& host, std::uint16_t port, int family, int flags) {
  struct Question {
    const char* host;
    std::string port;
    addrinfo hints{};
    addrinfo* answer = nullptr;
    int error = 0;

    static void* ask(void* argument) {
      auto* self = static_cast<Question*>(argument);
      self->error = getaddrinfo(self->host, self->port.c_str(), &self->hints, &self->answer);
      return nullptr;
    }
  } question{.host = host.empty() ? nullptr : host.c_str(), .port = std::to_string(port)};
  question.hints.ai_family = family;
  question.hints.ai_socktype = SOCK_STREAM;
  question.hints.ai_flags = flags | AI_NUMERICHOST;
  Question::ask(&question);
  if (question.error == EAI_NONAME) {
    question.hints.ai_flags = flags;
    if (guv_is_monkey_patched("dns")) {
      Question::ask(&question);
    } else {
      check(guv_offload(&Question::ask, &question, nullptr));
    }
  }
  if (question.error) throw ResolveError(question.error);
  return AddressList(question.answer, &freeaddrinfo);
}

inline Socket make_socket(int family) {
  Socket socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) throw_error(-errno);
  return socket;
}

/// Of accept's errors those that tell of one connection, not of the listener: accept(2).
inline bool is_passing_accept_error(int error) {
  switch (-error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EPERM: return true;
    default: return false;
  }
}

/// Those that pass when something is closed or freed.
inline bool is_accept_shortage(int error) {
  return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM;
}

}  // namespace detail

/// A listening socket at this address; port 0 is any that is free. SO_REUSEADDR is set, so that a server can be started
/// again at once. Throws std::system_error, as socket(2), bind(2) and listen(2) fail.
inline Socket listen(const Address& address, int backlog = 511) {
  Socket socket = detail::make_socket(address.family());
  const int on = 1;
  setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(socket.fd(), address.data(), address.size()) || ::listen(socket.fd(), backlog)) detail::throw_error(-errno);
  return socket;
}

/// The same by name or number of the host; empty is all of this host's addresses. Throws std::runtime_error when the
/// name has no address.
inline Socket listen(const std::string& host, std::uint16_t port, int family = AF_INET, int backlog = 511) {
  const auto found = detail::resolve(host, port, family, AI_PASSIVE);
  return listen(Address(found->ai_addr, found->ai_addrlen), backlog);
}

/// A socket connected to this address. Throws std::system_error, as connect(2) fails, and TimedOut at the deadline.
inline Socket connect(const Address& address, Deadline deadline = {}) {
  Socket socket = detail::make_socket(address.family());
  detail::check(guv_connect(socket.fd(), address.data(), address.size(), deadline.nanoseconds()));
  return socket;
}

/// The same by name or number of the host: to the first of its addresses that answers. Throws std::runtime_error when
/// the name has no address.
inline Socket connect(const std::string& host, std::uint16_t port, Deadline deadline = {}, int family = AF_UNSPEC) {
  const auto found = detail::resolve(host, port, family, 0);
  for (const addrinfo* each = found.get();; each = each->ai_next) {
    try {
      return connect(Address(each->ai_addr, each->ai_addrlen), deadline);
    } catch (const std::system_error&) {
      if (!each->ai_next) throw;
    }
  }
}

/// Thrown by a handler of serve(): ends it. Handlers that still run go on.
class StopServe {};

namespace detail {

/// What serve() and its handlers share.
struct Serving {
  std::atomic<int> running{0};
  int concurrency = 0;
  std::atomic<bool> stopped{false};
  guv_thread* server = guv_thread_current();

  Serving() = default;
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;
  ~Serving() { guv_thread_release(server); }

  void wait_for_room() {
    const auto full = [](void* data) -> int {
      const auto* self = static_cast<const Serving*>(data);
      return self->running >= self->concurrency;
    };
    check(guv_wait(&running, full, this, GUV_NEVER));
  }
  void leave() {
    --running;
    guv_wake(&running, 1);
  }
  void stop() {
    if (stopped.exchange(true)) return;
    guv_thread_interrupt(
        server, -ECANCELED, [](void*) { throw StopServe(); }, nullptr);
  }
};

}  // namespace detail

/// Accepts connections until the calling green thread is killed or a handler throws StopServe, and calls
/// `handler(Socket, const Address&)` for each in a green thread of its own, at most `concurrency` at a time. What else
/// handlers throw is printed. The listener stays the caller's.
template <class Handler>
void serve(const Socket& listener, Handler handler, int concurrency = 1000) {
  if (!guv_active()) detail::check(guv_start());
  const auto serving = std::make_shared<detail::Serving>();
  serving->concurrency = concurrency;
  if (!serving->server) detail::throw_error(-EPERM);
  const auto shared_handler = std::make_shared<Handler>(std::move(handler));
  // Nobody may interrupt this thread once it has left.
  const std::shared_ptr<void> end(nullptr, [serving](void*) { serving->stopped = true; });
  try {
    for (;;) {
      serving->wait_for_room();
      sockaddr_storage peer{};
      socklen_t size = sizeof peer;
      const int fd = guv_accept(listener.fd(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC, GUV_NEVER);
      if (detail::is_passing_accept_error(fd)) continue;
      if (detail::is_accept_shortage(fd)) {
        sleep(std::chrono::milliseconds(100));
        continue;
      }
      Socket client(detail::check(fd));
      ++serving->running;
      const std::shared_ptr<void> place(nullptr, [serving](void*) { serving->leave(); });
      spawn_n([=, client = std::make_shared<Socket>(std::move(client)),
               address = Address(reinterpret_cast<const sockaddr*>(&peer), size)] {
        (void)place;
        try {
          (*shared_handler)(std::move(*client), address);
        } catch (const StopServe&) {
          serving->stop();
        }
      });
    }
  } catch (const StopServe&) {
  }
}

}  // namespace guv::inline v1
