#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "guv/deadline.hpp"
#include "guv/error.hpp"
#include "guv/guv.h"
#include "guv/net.hpp"
#include "guv/semaphore.hpp"

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

/// TLS over a descriptor. Calls of OpenSSL never wait; we do, outside of them. So one green thread may read while
/// another writes, which OpenSSL itself does not allow: `busy_` is held for a call, not for a wait.
class SslEngine {
 public:
  SslEngine(int fd, const SslContext& context) : fd_(fd), ssl_(SSL_new(context.get()), &SSL_free) {
    if (!ssl_) throw SslError("SSL_new");
    BIO* bio = BIO_new(method());
    if (!bio) throw SslError("BIO_new");
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
    SSL_set_mode(ssl_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  }
  SslEngine(const SslEngine&) = delete;
  SslEngine& operator=(const SslEngine&) = delete;

  SSL* get() const { return ssl_.get(); }

  // The handshake: 0 or -errno: -ETIMEDOUT, -EPROTO when it is OpenSSL's.
  int accept(Deadline until) {
    return finished(run(until, [this] { return SSL_accept(get()); }));
  }
  int connect(Deadline until) {
    return finished(run(until, [this] { return SSL_connect(get()); }));
  }
  // As recv(2) and send(2) with a deadline: a count, 0 at the end of what is read, or -errno.
  ssize_t read(void* buffer, std::size_t size, Deadline until) {
    return run(until, [=, this] { return SSL_read(get(), buffer, limited(size)); });
  }
  ssize_t write(const void* data, std::size_t size, Deadline until) {
    const ssize_t written = run(until, [=, this] { return SSL_write(get(), data, limited(size)); });
    return written ? written : -EPIPE;
  }
  /// Says that no more will be written; does not wait for the other side to say so.
  void finish(Deadline until) {
    if (!broken_) run(until, [this] { return SSL_shutdown(get()) < 0 ? -1 : 1; });
  }

 private:
  /// An end in the middle of the handshake is an error.
  static int finished(ssize_t result) { return result > 0 ? 0 : result < 0 ? static_cast<int>(result) : -ECONNRESET; }

  static int limited(std::size_t size) { return static_cast<int>(std::min<std::size_t>(size, 1 << 30)); }

  template <class Call>
  ssize_t run(Deadline until, Call call) {
    for (;;) {
      int wanted = 0;
      {
        const std::lock_guard guard(busy_);
        ERR_clear_error();
        errno_ = 0;
        const int result = call();
        if (result > 0) return result;
        switch (SSL_get_error(get(), result)) {
          case SSL_ERROR_ZERO_RETURN: return 0;
          case SSL_ERROR_WANT_READ: wanted = GUV_READ; break;
          case SSL_ERROR_WANT_WRITE: wanted = GUV_WRITE; break;
          case SSL_ERROR_SYSCALL: broken_ = true; return errno_ ? -errno_ : -ECONNRESET;
          default: broken_ = true; return -EPROTO;
        }
      }
      if (const int ready = guv_trampoline(fd_, wanted, until.nanoseconds()); ready < 0) return ready;
    }
  }

  static int bio_read(BIO* bio, char* buffer, int size) {
    return moved(bio, guv_recv(of(bio)->fd_, buffer, static_cast<std::size_t>(size), MSG_DONTWAIT, 0), BIO_FLAGS_READ);
  }
  static int bio_write(BIO* bio, const char* data, int size) {
    const int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    return moved(bio, guv_send(of(bio)->fd_, data, static_cast<std::size_t>(size), flags, 0), BIO_FLAGS_WRITE);
  }
  static long bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH; }

  static int moved(BIO* bio, ssize_t result, int direction) {
    BIO_clear_retry_flags(bio);
    if (result >= 0) return static_cast<int>(result);
    if (result == -ETIMEDOUT || result == -EAGAIN) {
      BIO_set_flags(bio, direction | BIO_FLAGS_SHOULD_RETRY);
    } else {
      of(bio)->errno_ = static_cast<int>(-result);
    }
    return -1;
  }
  static SslEngine* of(BIO* bio) { return static_cast<SslEngine*>(BIO_get_data(bio)); }

  static BIO_METHOD* method() {
    static BIO_METHOD* const methods = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "guv");
      BIO_meth_set_read(made, bio_read);
      BIO_meth_set_write(made, bio_write);
      BIO_meth_set_ctrl(made, bio_control);
      return made;
    }();
    return methods;
  }

  const int fd_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
  Semaphore busy_;
  int errno_ = 0;
  bool broken_ = false;
};

}  // namespace detail

/// A Socket with TLS. Its calls throw as Socket's do, and SslError. recv() tells of an end that the other side has
/// announced; where the connection just ends, it throws.
class SslSocket : public detail::ByteStream<SslSocket> {
 public:
  /// Says that no more will be sent.
  void shutdown(Deadline deadline = {}) { engine_->finish(deadline); }

  /// What it was made of, which stays its own.
  const Socket& socket() const { return socket_; }
  /// For what OpenSSL tells of the connection: the peer's certificate, the cipher.
  SSL* ssl() const { return engine_->get(); }

 private:
  friend SslSocket wrap_ssl(Socket, const SslContext&, Deadline);
  friend SslSocket wrap_ssl(Socket, const SslContext&, const std::string&, Deadline);

  SslSocket(Socket socket, const SslContext& context)
      : socket_(std::move(socket)), engine_(std::make_unique<detail::SslEngine>(socket_.fd(), context)) {}

  friend class detail::ByteStream<SslSocket>;

  std::size_t receive_some(void* buffer, std::size_t size, Deadline deadline) {
    return checked(engine_->read(buffer, size, deadline));
  }
  std::size_t send_some(std::string_view data, Deadline deadline) {
    return checked(engine_->write(data.data(), data.size(), deadline));
  }
  static std::size_t checked(ssize_t result) {
    if (result == -EPROTO) throw SslError("TLS");
    if (result < 0) detail::throw_error(static_cast<int>(result));
    return static_cast<std::size_t>(result);
  }

  Socket socket_;
  std::unique_ptr<detail::SslEngine> engine_;
};

/// The server's side of a connection, after the handshake.
inline SslSocket wrap_ssl(Socket socket, const SslContext& context, Deadline deadline = {}) {
  SslSocket wrapped(std::move(socket), context);
  SslSocket::checked(wrapped.engine_->accept(deadline));
  return wrapped;
}

/// The client's side, with a server whose certificate is for this name.
inline SslSocket wrap_ssl(Socket socket, const SslContext& context, const std::string& name, Deadline deadline = {}) {
  SslSocket wrapped(std::move(socket), context);
  if (SSL_set_tlsext_host_name(wrapped.ssl(), name.c_str()) != 1 || SSL_set1_host(wrapped.ssl(), name.c_str()) != 1) {
    throw SslError(name);
  }
  SslSocket::checked(wrapped.engine_->connect(deadline));
  return wrapped;
}

}  // namespace guv::inline v1
