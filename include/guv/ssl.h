/* ssl.h - TLS by OpenSSL, green whatever is patched. What ssl.hpp has, for C: the Python guv's wrap_ssl. All of it is
 * inline, so that libguv needs no OpenSSL; the program links with it (pkg-config openssl).
 *
 *     static int greet(int fd, const struct sockaddr* peer, socklen_t size, void* context) {
 *       guv_ssl* ssl;
 *       if (guv_ssl_new(&ssl, fd, context) < 0) return 0;
 *       if (guv_ssl_accept(ssl, guv_now() + 5000000000) == 0) {
 *         guv_ssl_write(ssl, "Hello\n", 6, GUV_NEVER);
 *         guv_ssl_shutdown(ssl, GUV_NEVER);
 *       }
 *       guv_ssl_free(ssl);
 *       return 0;
 *     }
 *     ...
 *     SSL_CTX* context = SSL_CTX_new(TLS_server_method());
 *     SSL_CTX_use_certificate_chain_file(context, "cert.pem");
 *     SSL_CTX_use_PrivateKey_file(context, "key.pem", SSL_FILETYPE_PEM);
 *     guv_serve(listener, greet, context, 1000);
 *
 * Conventions are those of guv.h. -EPROTO is OpenSSL's: what it says is in its queue (ERR_get_error(3)), of which each
 * thread has its own. A connection that failed otherwise than by -ETIMEDOUT is of no use any more. For an HTTPS server
 * see https.h. */
#ifndef GUV_SSL_H
#define GUV_SSL_H

#include <errno.h>
#include <guv/guv.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
#define GUV_INLINE inline
extern "C" {
#else
#define GUV_INLINE static inline
#endif

/** TLS over a socket. One green thread may read while another writes, which OpenSSL itself does not allow. */
typedef struct guv_ssl guv_ssl;

/** Makes it over a connected socket, which stays the caller's, with the certificates and rules of `context`, of which
 *  it takes a reference. The handshake is to follow. -ENOMEM. */
GUV_INLINE int guv_ssl_new(guv_ssl** ssl, int fd, SSL_CTX* context);

/** Frees it, and leaves the socket open; nobody may be in a call with it. NULL is ignored. */
GUV_INLINE void guv_ssl_free(guv_ssl* ssl);

/** Returns OpenSSL's object: for what is to be set before the handshake, and what OpenSSL tells after it, such as the
 *  peer's certificate. What reads or writes is to be left to the functions here. */
GUV_INLINE SSL* guv_ssl_handle(guv_ssl* ssl);

/** The handshake of the server's side. -ETIMEDOUT, after which it may be called again; -EPROTO; -ECONNRESET and the
 *  like: the client has gone, or ended the handshake. */
GUV_INLINE int guv_ssl_accept(guv_ssl* ssl, int64_t deadline);

/** The handshake of the client's side, with a server whose certificate must be for `name` where the context checks
 *  certificates (SSL_CTX_set_verify(3)). With NULL no name is sent, and none checked. Errors as above. */
GUV_INLINE int guv_ssl_connect(guv_ssl* ssl, const char* name, int64_t deadline);

/** Reads up to `size` bytes, waiting for the first; returns how many, 0 at the end that the other side has announced.
 *  -ETIMEDOUT; -EPROTO or -ECONNRESET, also where the connection just ends; what recv(2) says. */
GUV_INLINE ssize_t guv_ssl_read(guv_ssl* ssl, void* buffer, size_t size, int64_t deadline);

/** Writes what there is room for, at least one byte unless `size` is 0; returns how many. -ETIMEDOUT, after which the
 *  same data is to be written again, or nothing any more; -EPIPE: the connection has been shut down; what send(2)
 *  says. */
GUV_INLINE ssize_t guv_ssl_write(guv_ssl* ssl, const void* data, size_t size, int64_t deadline);

/** As guv_ssl_write, of several pieces. */
GUV_INLINE ssize_t guv_ssl_writev(guv_ssl* ssl, const struct iovec* pieces, int count, int64_t deadline);

/** Says that no more will be written; does not wait for the other side to say so. Does nothing on a connection that has
 *  failed. */
GUV_INLINE int guv_ssl_shutdown(guv_ssl* ssl, int64_t deadline);

/* ---- how it is done ---------------------------------------------------------------------------------------------
 * Calls of OpenSSL never wait; we do, outside of them. `busy` is held for a call, not for a wait. */

struct guv_ssl {
  SSL* handle;
  guv_semaphore* busy;
  int fd;
  int error; /* of the socket, in the present call */
  int broken;
};

typedef int (*guv_detail_ssl_call)(SSL* handle, void* data, int size);

GUV_INLINE int guv_detail_ssl_moved(BIO* bio, ssize_t result, int direction) {
  BIO_clear_retry_flags(bio);
  if (result >= 0) return (int)result;
  if (result == -ETIMEDOUT || result == -EAGAIN) {
    BIO_set_flags(bio, direction | BIO_FLAGS_SHOULD_RETRY);
  } else {
    ((guv_ssl*)BIO_get_data(bio))->error = (int)result;
  }
  return -1;
}

GUV_INLINE int guv_detail_ssl_receive(BIO* bio, char* buffer, int size) {
  const int fd = ((guv_ssl*)BIO_get_data(bio))->fd;
  return guv_detail_ssl_moved(bio, guv_recv(fd, buffer, (size_t)size, MSG_DONTWAIT, 0), BIO_FLAGS_READ);
}

GUV_INLINE int guv_detail_ssl_send(BIO* bio, const char* data, int size) {
  const int fd = ((guv_ssl*)BIO_get_data(bio))->fd;
  const int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
  return guv_detail_ssl_moved(bio, guv_send(fd, data, (size_t)size, flags, 0), BIO_FLAGS_WRITE);
}

GUV_INLINE long guv_detail_ssl_control(BIO* bio, int command, long number, void* pointer) {
  (void)bio, (void)number, (void)pointer;
  return command == BIO_CTRL_FLUSH;
}

/* Made by the first who needs it, for as long as the process lives; NULL without memory. */
GUV_INLINE BIO_METHOD* guv_detail_ssl_method(void) {
  static BIO_METHOD* method;
  BIO_METHOD* found = __atomic_load_n(&method, __ATOMIC_ACQUIRE);
  if (found) return found;
  BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "guv");
  if (!made) return NULL;
  BIO_meth_set_read(made, guv_detail_ssl_receive);
  BIO_meth_set_write(made, guv_detail_ssl_send);
  BIO_meth_set_ctrl(made, guv_detail_ssl_control);
  if (__atomic_compare_exchange_n(&method, &found, made, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) return made;
  BIO_meth_free(made);
  return found;
}

/* One call: a count, 0 at the end, an error, or -EAGAIN and what is to be waited for. With cancellation disabled, which
 * would leave OpenSSL, and `busy`, in the middle. */
GUV_INLINE ssize_t guv_detail_ssl_try(guv_ssl* ssl, guv_detail_ssl_call call, void* data, int size, int* wanted) {
  int cancellable;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancellable);
  ERR_clear_error();
  ssl->error = 0;
  const int result = call(ssl->handle, data, size);
  pthread_setcancelstate(cancellable, NULL);
  if (result > 0) return result;
  switch (SSL_get_error(ssl->handle, result)) {
    case SSL_ERROR_ZERO_RETURN: return 0;
    case SSL_ERROR_WANT_READ: *wanted = GUV_READ; return -EAGAIN;
    case SSL_ERROR_WANT_WRITE: *wanted = GUV_WRITE; return -EAGAIN;
    case SSL_ERROR_SYSCALL: ssl->broken = 1; return ssl->error ? ssl->error : -ECONNRESET;
    default: ssl->broken = 1; return -EPROTO;
  }
}

GUV_INLINE ssize_t guv_detail_ssl_run(guv_ssl* ssl, guv_detail_ssl_call call, void* data, size_t size,
                                      int64_t deadline) {
  const size_t most = (size_t)1 << 30;
  for (;;) {
    int wanted = 0;
    const int failed = guv_semaphore_acquire(ssl->busy, GUV_NEVER);
    if (failed) return failed;
    const ssize_t result = guv_detail_ssl_try(ssl, call, data, (int)(size < most ? size : most), &wanted);
    guv_semaphore_release(ssl->busy);
    if (result != -EAGAIN) return result;
    const int ready = guv_trampoline(ssl->fd, wanted, deadline);
    if (ready < 0) return ready;
  }
}

GUV_INLINE int guv_detail_ssl_accept(SSL* handle, void* data, int size) {
  (void)data, (void)size;
  return SSL_accept(handle);
}

GUV_INLINE int guv_detail_ssl_connect(SSL* handle, void* data, int size) {
  (void)data, (void)size;
  return SSL_connect(handle);
}

GUV_INLINE int guv_detail_ssl_write(SSL* handle, void* data, int size) { return SSL_write(handle, data, size); }

GUV_INLINE int guv_detail_ssl_shutdown(SSL* handle, void* data, int size) {
  (void)data, (void)size;
  return SSL_shutdown(handle) < 0 ? -1 : 1;
}

/* An end in the middle of the handshake is an error. */
GUV_INLINE int guv_detail_ssl_finished(ssize_t result) {
  if (result > 0) return 0;
  return result < 0 ? (int)result : -ECONNRESET;
}

GUV_INLINE int guv_ssl_new(guv_ssl** ssl, int fd, SSL_CTX* context) {
  BIO_METHOD* method = guv_detail_ssl_method();
  BIO* bio = method ? BIO_new(method) : NULL;
  guv_ssl* made = (guv_ssl*)calloc(1, sizeof *made);
  if (made) {
    made->fd = fd;
    made->busy = guv_semaphore_new(1);
    made->handle = SSL_new(context);
  }
  if (!bio || !made || !made->busy || !made->handle) {
    BIO_free(bio);
    guv_ssl_free(made);
    return -ENOMEM;
  }
  BIO_set_data(bio, made);
  BIO_set_init(bio, 1);
  SSL_set_bio(made->handle, bio, bio);
  SSL_set_mode(made->handle, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  *ssl = made;
  return 0;
}

GUV_INLINE void guv_ssl_free(guv_ssl* ssl) {
  if (!ssl) return;
  SSL_free(ssl->handle);
  guv_semaphore_free(ssl->busy);
  free(ssl);
}

GUV_INLINE SSL* guv_ssl_handle(guv_ssl* ssl) { return ssl->handle; }

GUV_INLINE int guv_ssl_accept(guv_ssl* ssl, int64_t deadline) {
  return guv_detail_ssl_finished(guv_detail_ssl_run(ssl, guv_detail_ssl_accept, NULL, 0, deadline));
}

GUV_INLINE int guv_ssl_connect(guv_ssl* ssl, const char* name, int64_t deadline) {
  SSL* handle = ssl->handle;
  if (name && (SSL_set_tlsext_host_name(handle, name) != 1 || SSL_set1_host(handle, name) != 1)) return -EPROTO;
  return guv_detail_ssl_finished(guv_detail_ssl_run(ssl, guv_detail_ssl_connect, NULL, 0, deadline));
}

GUV_INLINE ssize_t guv_ssl_read(guv_ssl* ssl, void* buffer, size_t size, int64_t deadline) {
  return guv_detail_ssl_run(ssl, SSL_read, buffer, size, deadline);
}

GUV_INLINE ssize_t guv_ssl_write(guv_ssl* ssl, const void* data, size_t size, int64_t deadline) {
  if (size == 0) return 0;
  const ssize_t written = guv_detail_ssl_run(ssl, guv_detail_ssl_write, (void*)data, size, deadline);
  return written ? written : -EPIPE;
}

GUV_INLINE ssize_t guv_ssl_writev(guv_ssl* ssl, const struct iovec* pieces, int count, int64_t deadline) {
  while (count > 1 && pieces->iov_len == 0) ++pieces, --count;
  if (count == 1) return guv_ssl_write(ssl, pieces->iov_base, pieces->iov_len, deadline);
  /* A record of TLS is worth a copy: its own costs are higher. */
  char joined[16384];
  size_t size = 0;
  for (; count > 0 && size < sizeof joined; ++pieces, --count) {
    const size_t left = sizeof joined - size;
    const size_t part = pieces->iov_len < left ? pieces->iov_len : left;
    if (part) memcpy(joined + size, pieces->iov_base, part);
    size += part;
  }
  return guv_ssl_write(ssl, joined, size, deadline);
}

GUV_INLINE int guv_ssl_shutdown(guv_ssl* ssl, int64_t deadline) {
  if (ssl->broken) return 0;
  const ssize_t result = guv_detail_ssl_run(ssl, guv_detail_ssl_shutdown, NULL, 0, deadline);
  return result < 0 ? (int)result : 0;
}

#ifdef __cplusplus
}
#endif

#endif
