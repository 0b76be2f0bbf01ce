/* net.h - simple servers. What net.hpp has, for C. guv.h includes it, and has guv_connect, guv_accept, guv_recv and
 * guv_send. For TLS see ssl.h. */
#ifndef GUV_NET_H
#define GUV_NET_H

#include <guv/guv.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Returns a socket that listens at the address, close-on-exec and with SO_REUSEADDR, so that a server can be started
 *  again at once; or what socket(2), bind(2) or listen(2) say went wrong. Port 0 is any that is free. */
GUV_API int guv_listen(const struct sockaddr* address, socklen_t size, int backlog);

/** What guv_serve calls for each connection, on a green thread of its own. `fd` is closed when it returns. 0: go on;
 *  otherwise guv_serve ends, and handlers that still run go on. */
typedef int (*guv_connection_handler)(int fd, const struct sockaddr* peer, socklen_t size, void* argument);

/** Accepts connections and has them handled, at most `concurrency` at a time, until a handler ends it; then returns 0.
 *  For want of descriptors or memory new clients wait until there is some. On green threads, and on the main thread.
 *  -ECANCELED: killed; -EPERM on a kernel thread; what accept(2) says of a listener that fails, is shut down or
 *  closed. The listener stays the caller's. */
GUV_API int guv_serve(int listener, guv_connection_handler handler, void* argument, int concurrency);

#ifdef __cplusplus
}
#endif

#endif
