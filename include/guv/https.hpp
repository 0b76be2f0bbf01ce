#pragma once

#include <functional>
#include <memory>

#include "guv/http.hpp"
#include "guv/ssl.hpp"

/// HTTPS: http::Options options{.transport = guv::http::over_ssl(guv::SslContext::server("cert.pem", "key.pem"))};
namespace guv::inline v1::http {

namespace detail {

class SslTransport final : public Transport {
 public:
  SslTransport(int fd, const SslContext& context) : ssl_(guv::detail::new_ssl(fd, context)) {}

  int start(Deadline until) override { return guv_ssl_accept(ssl_.get(), until.nanoseconds()); }
  ssize_t read(void* buffer, std::size_t size, Deadline until) override {
    return guv_ssl_read(ssl_.get(), buffer, size, until.nanoseconds());
  }
  ssize_t write(const iovec* pieces, int count, Deadline until) override {
    return guv_ssl_writev(ssl_.get(), pieces, count, until.nanoseconds());
  }
  void finish(Deadline until) override { guv_ssl_shutdown(ssl_.get(), until.nanoseconds()); }
  const char* scheme() const override { return "https"; }

 private:
  guv::detail::Ssl ssl_;
};

}  // namespace detail

/// For Options::transport: each connection begins with a handshake under this context.
inline std::function<std::unique_ptr<Transport>(int fd)> over_ssl(SslContext context) {
  return [context](int fd) { return std::make_unique<detail::SslTransport>(fd, context); };
}

}  // namespace guv::inline v1::http
