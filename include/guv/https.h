/* https.h - HTTPS for the server of http.h, as https.hpp for C++. The program links with OpenSSL (pkg-config openssl).
 *
 *     SSL_CTX* context = SSL_CTX_new(TLS_server_method());
 *     SSL_CTX_use_certificate_chain_file(context, "cert.pem");
 *     SSL_CTX_use_PrivateKey_file(context, "key.pem", SSL_FILETYPE_PEM);
 *     const guv_http_transport tls = guv_http_over_ssl(context);
 *     const guv_http_options options = {.transport = &tls};
 */
#ifndef GUV_HTTPS_H
#define GUV_HTTPS_H

#include <guv/http.h>
#include <guv/ssl.h>

#ifdef __cplusplus
extern "C" {
#endif

/** For guv_http_options: each connection begins with a handshake under this context, which stays the caller's and lives
 *  as long as the server. */
GUV_INLINE guv_http_transport guv_http_over_ssl(SSL_CTX* context);

/* ---- how it is done ---------------------------------------------------------------------------------------------- */

GUV_INLINE void* guv_detail_https_open(int fd, void* context) {
  guv_ssl* ssl;
  return guv_ssl_new(&ssl, fd, (SSL_CTX*)context) < 0 ? NULL : ssl;
}

GUV_INLINE int guv_detail_https_start(void* ssl, int64_t deadline) { return guv_ssl_accept((guv_ssl*)ssl, deadline); }

GUV_INLINE ssize_t guv_detail_https_read(void* ssl, void* buffer, size_t size, int64_t deadline) {
  return guv_ssl_read((guv_ssl*)ssl, buffer, size, deadline);
}

GUV_INLINE ssize_t guv_detail_https_write(void* ssl, const struct iovec* pieces, int count, int64_t deadline) {
  return guv_ssl_writev((guv_ssl*)ssl, pieces, count, deadline);
}

GUV_INLINE void guv_detail_https_finish(void* ssl, int64_t deadline) { guv_ssl_shutdown((guv_ssl*)ssl, deadline); }

GUV_INLINE void guv_detail_https_close(void* ssl) { guv_ssl_free((guv_ssl*)ssl); }

GUV_INLINE guv_http_transport guv_http_over_ssl(SSL_CTX* context) {
  const guv_http_transport transport = {guv_detail_https_open,  context,
                                        guv_detail_https_start, guv_detail_https_read,
                                        guv_detail_https_write, guv_detail_https_finish,
                                        guv_detail_https_close, "https"};
  return transport;
}

#ifdef __cplusplus
}
#endif

#endif
