#pragma once

#include <algorithm>
#include <memory>

#include "guv/http.hpp"
#include "guv/ssl.hpp"

/// HTTPS: http::Options options{.transport = guv::http::over_ssl(guv::SslContext::server("cert.pem", "key.pem"))};
namespace guv::inline v1::http {

namespace detail {

class SslTransport final : public Transport {
 public:
  SslTransport(int fd, const SslContext& context) : engine_(fd, context) {}

  int start(Deadline until) override { return engine_.accept(until); }
  ssize_t read(void* buffer, std::size_t size, Deadline until) override { return engine_.read(buffer, size, until); }
  ssize_t write(const iovec* pieces, int count, Deadline until) override {
    while (count > 1 && pieces->iov_len == 0) ++pieces, --count;
    if (count == 1) return pieces->iov_len == 0 ? 0 : engine_.write(pieces->iov_base, pieces->iov_len, until);
    // A record of TLS is worth a copy: its own costs are higher.
    constexpr std::size_t record = 16384;
    joined_.clear();
    for (int i = 0; i < count && joined_.size() < record; ++i) {
      joined_.append(static_cast<const char*>(pieces[i].iov_base),
                     std::min(pieces[i].iov_len, record - joined_.size()));
    }
    return engine_.write(joined_.data(), joined_.size(), until);
  }
  void finish(Deadline until) override { engine_.finish(until); }
  const char* scheme() const override { return "https"; }

 private:
  guv::detail::SslEngine engine_;
  std::string joined_;
};

}  // namespace detail

/// For Options::transport: each connection begins with a handshake under this context.
inline std::function<std::unique_ptr<Transport>(int fd)> over_ssl(SslContext context) {
  return [context](int fd) { return std::make_unique<detail::SslTransport>(fd, context); };
}

}  // namespace guv::inline v1::http
