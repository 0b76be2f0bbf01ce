#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cerrno>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "guv/deadline.hpp"
#include "guv/error.hpp"
#include "guv/net.hpp"
#include "guv/ssl.h"

/// TLS by OpenSSL, green whatever is patched: the Python guv's wrap_ssl. The program links with OpenSSL (pkg-config
/// openssl).
///
///     guv::SslContext context = guv::SslContext::server("cert.pem", "key.pem");
///     guv::serve(guv::listen("", 443), [&](guv::Socket client, const guv::Address&) {
///       guv::SslSocket tls = guv::wrap_ssl(std::move(client), context);
///       tls.send("Hello\n");
///     });
///
/// For an HTTPS server see https.hpp.
namespace guv::inline v1 {

/// What OpenSSL says went wrong.
class SslError : public std::runtime_error {
 public:
  explicit SslError(const std::string& what) : std::runtime_error(what + ": " + reason()) {}

 private:
  static std::string reason() {
    const unsigned long error = ERR_get_error();
    ERR_clear_error();
    if (!error) return "the connection was ended in the middle";
    char text[256];
    ERR_error_string_n(error, text, sizeof text);
    return text;
  }
};

/// An SSL_CTX: certificates and rules that many connections share. What is not offered here is set on get().
class SslContext {
 public:
  /// For servers, with a chain of certificates and its key, both files of PEM.
  static SslContext server(const std::string& certificates, const std::string& key) {
    SslContext context(TLS_server_method());
    if (SSL_CTX_use_certificate_chain_file(context.get(), certificates.c_str()) != 1) throw SslError(certificates);
    if (SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) != 1) throw SslError(key);
    return context;
  }

  /// For clients, which check the server's certificate against the system's authorities, or those in the file.
  static SslContext client(const std::string& authorities = {}) {
    SslContext context(TLS_client_method());
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    const int loaded = authorities.empty() ? SSL_CTX_set_default_verify_paths(context.get())
                                           : SSL_CTX_load_verify_file(context.get(), authorities.c_str());
    if (loaded != 1) throw SslError(authorities.empty() ? "the system's authorities" : authorities);
    return context;
  }

  /// Takes over a context of the program's own.
  explicit SslContext(SSL_CTX* context) : context_(context, &SSL_CTX_free) {}

  SSL_CTX* get() const { return context_.get(); }

 private:
  explicit SslContext(const SSL_METHOD* method) : SslContext(SSL_CTX_new(method)) {
    if (!context_) throw SslError("SSL_CTX_new");
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
  }

  std::shared_ptr<SSL_CTX> context_;
};

namespace detail {

/// Frees what ssl.h makes.
struct SslFree {
  void operator()(guv_ssl* ssl) const { guv_ssl_free(ssl); }
};
using Ssl = std::unique_ptr<guv_ssl, SslFree>;

inline Ssl new_ssl(int fd, const SslContext& context) {
  guv_ssl* made = nullptr;
  if (guv_ssl_new(&made, fd, context.get()) < 0) throw SslError("SSL_new");
  return Ssl(made);
}

}  // namespace detail

/// A Socket with TLS. Its calls throw as Socket's do, and SslError. recv() tells of an end that the other side has
/// announced; where the connection just ends, it throws.
class SslSocket : public detail::ByteStream<SslSocket> {
 public:
  /// Says that no more will be sent.
  void shutdown(Deadline deadline = {}) { guv_ssl_shutdown(ssl_.get(), deadline.nanoseconds()); }

  /// What it was made of, which stays its own.
  const Socket& socket() const { return socket_; }
  /// For what OpenSSL tells of the connection: the peer's certificate, the cipher.
  SSL* ssl() const { return guv_ssl_handle(ssl_.get()); }

 private:
  friend SslSocket wrap_ssl(Socket, const SslContext&, Deadline);
  friend SslSocket wrap_ssl(Socket, const SslContext&, const std::string&, Deadline);

  SslSocket(Socket socket, const SslContext& context)
      : socket_(std::move(socket)), ssl_(detail::new_ssl(socket_.fd(), context)) {}

  friend class detail::ByteStream<SslSocket>;

  std::size_t receive_some(void* buffer, std::size_t size, Deadline deadline) {
    return checked(guv_ssl_read(ssl_.get(), buffer, size, deadline.nanoseconds()));
  }
  std::size_t send_some(std::string_view data, Deadline deadline) {
    return checked(guv_ssl_write(ssl_.get(), data.data(), data.size(), deadline.nanoseconds()));
  }
  static std::size_t checked(ssize_t result) {
    if (result == -EPROTO) throw SslError("TLS");
    if (result < 0) detail::throw_error(static_cast<int>(result));
    return static_cast<std::size_t>(result);
  }

  Socket socket_;
  detail::Ssl ssl_;
};

/// The server's side of a connection, after the handshake.
inline SslSocket wrap_ssl(Socket socket, const SslContext& context, Deadline deadline = {}) {
  SslSocket wrapped(std::move(socket), context);
  SslSocket::checked(guv_ssl_accept(wrapped.ssl_.get(), deadline.nanoseconds()));
  return wrapped;
}

/// The client's side, with a server whose certificate is for this name.
inline SslSocket wrap_ssl(Socket socket, const SslContext& context, const std::string& name, Deadline deadline = {}) {
  SslSocket wrapped(std::move(socket), context);
  SslSocket::checked(guv_ssl_connect(wrapped.ssl_.get(), name.c_str(), deadline.nanoseconds()));
  return wrapped;
}

}  // namespace guv::inline v1
