// Servers for C: those of net.hpp.
#include "guv/net.hpp"

#include "api/exceptions.hpp"

using guv::api::without_exceptions;

namespace {

/// The caller's descriptor, in the form that net.hpp wants.
struct Borrowed {
  explicit Borrowed(int fd) : socket(fd) {}
  ~Borrowed() { socket.release(); }
  guv::Socket socket;
};

}  // namespace

extern "C" {

int guv_listen(const sockaddr* address, socklen_t size, int backlog) {
  return without_exceptions([&] { return guv::listen(guv::Address(address, size), backlog).release(); });
}

int guv_serve(int listener, guv_connection_handler handler, void* argument, int concurrency) {
  const auto handle = [=](const guv::Socket& client, const guv::Address& peer) {
    if (handler(client.fd(), peer.data(), peer.size(), argument)) throw guv::StopServe();
  };
  return without_exceptions([&] {
    const Borrowed borrowed(listener);
    try {
      guv::serve(borrowed.socket, handle, concurrency);
      return 0;
    } catch (const guv::GreenExit&) {
      return -ECANCELED;
    } catch (const guv::TimedOut&) {
      return -ETIMEDOUT;
    }
  });
}

}  // extern "C"
