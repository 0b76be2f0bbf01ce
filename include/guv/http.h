/* http.h - the C API of libguv_http: an HTTP/1.1 server with WebSockets, each connection on a green thread of its own.
 *
 *     static int hello(guv_http_request* request, guv_http_response* response, void* argument) {
 *       return guv_http_response_body(response, "Hello, world!", 13);
 *     }
 *     ...
 *     guv_http_server* server;
 *     if (guv_http_server_new(&server, listener, hello, NULL, NULL) == 0) guv_http_server_run(server);
 *
 * Link with -lguv_http -lguv (pkg-config guv_http). http.hpp and websocket.hpp are the same for C++, and say more.
 * Conventions are those of guv.h: functions return 0 (or a count) or a negative errno value, and no exception leaves
 * them. Requests, responses, writers and sockets belong to the server, and live as long as the call that they are given
 * to.
 */
#ifndef GUV_HTTP_H
#define GUV_HTTP_H

#include <guv/guv.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct guv_http_server guv_http_server;
typedef struct guv_http_request guv_http_request;
typedef struct guv_http_response guv_http_response;
typedef struct guv_http_writer guv_http_writer;
typedef struct guv_websocket guv_websocket;

/** A text that is not ended by a zero. It lives as long as the request. `data` is NULL where there is none. */
typedef struct guv_http_text {
  const char* data;
  size_t size;
} guv_http_text;

/** The application: fills the response, which begins as 200 without a body. Called by many green threads at once. A
 *  negative result is answered 500; after a failed guv_http_request_read what the request deserves. */
typedef int (*guv_http_app)(guv_http_request* request, guv_http_response* response, void* argument);

/** How a server serves; zero what shall be as in http.hpp's Options. */
typedef struct guv_http_options {
  size_t max_request_line, max_head, max_fields, max_connections;
  uint64_t max_body;
  int64_t head_timeout, keep_alive_timeout, body_timeout, send_timeout; /**< nanoseconds */
  int access_log; /**< a descriptor for lines in Apache's combined format; 0: no log */
} guv_http_options;

/* ---- servers ----------------------------------------------------------------------------------------------------- */

/** Makes a server on a listening socket, which stays the caller's. `options` may be NULL. */
GUV_API int guv_http_server_new(guv_http_server** server, int listener, guv_http_app app, void* argument,
                                const guv_http_options* options);

/** Serves until guv_http_server_stop. -errno: the listener fails, or the calling thread is killed. */
GUV_API int guv_http_server_run(guv_http_server* server);

/** Ends it: accepts no more, lets what has begun be answered, cuts off what lasts longer than `grace` nanoseconds. From
 *  any thread and from signal handlers. */
GUV_API void guv_http_server_stop(guv_http_server* server, int64_t grace);

/** After guv_http_server_run has returned. NULL is ignored. */
GUV_API void guv_http_server_free(guv_http_server* server);

/* ---- requests ---------------------------------------------------------------------------------------------------- */

/** "GET" */
GUV_API guv_http_text guv_http_request_method(const guv_http_request* request);

/** As sent: "/a%20b?c=d" */
GUV_API guv_http_text guv_http_request_target(const guv_http_request* request);

/** The path, decoded: "/a b". Kept by the request. */
GUV_API guv_http_text guv_http_request_path(guv_http_request* request);

/** What follows the first '?', as sent. */
GUV_API guv_http_text guv_http_request_query(const guv_http_request* request);

/** The first header field of that name. */
GUV_API guv_http_text guv_http_request_header(const guv_http_request* request, const char* name);

/** Reads some of the body; 0 at its end. -EBADMSG: it is malformed, too large or late. */
GUV_API ssize_t guv_http_request_read(guv_http_request* request, void* buffer, size_t size);

/* ---- responses --------------------------------------------------------------------------------------------------- */

/** 200 to 999, else -EINVAL. */
GUV_API int guv_http_response_status(guv_http_response* response, int status);

/** Sets a header field in place of those of that name. -EINVAL: not a name, or a value with control characters. */
GUV_API int guv_http_response_set(guv_http_response* response, const char* name, const char* value);

/** Adds one more. */
GUV_API int guv_http_response_add(guv_http_response* response, const char* name, const char* value);

/** A copy of `data` is the body. */
GUV_API int guv_http_response_body(guv_http_response* response, const void* data, size_t size);

/** The body is what `produce` writes; when it returns a negative value the connection is cut off. It is called when the
 *  application has returned. Status and fields are set after this call. */
GUV_API int guv_http_response_stream(guv_http_response* response,
                                     int (*produce)(guv_http_writer* writer, void* argument), void* argument);

/** Sends a piece of the body. */
GUV_API int guv_http_write(guv_http_writer* writer, const void* data, size_t size);

/* ---- WebSockets -------------------------------------------------------------------------------------------------- */

typedef void (*guv_websocket_handler)(guv_websocket* socket, void* argument);

/** How a WebSocket is served; zero what shall be as in websocket.hpp's WebSocketOptions, where each is explained. */
typedef struct guv_websocket_options {
  size_t max_message;                  /**< in bytes; 0: a megabyte */
  const char* const* protocols;        /**< the subprotocols spoken here, the best first, and NULL */
  int compress;                        /**< whether messages are compressed where the client offers it */
  int compress_window_bits;            /**< 9 to 15 */
  int compress_no_context;             /**< whether each message is compressed without reference to others */
  int64_t send_timeout, close_timeout; /**< nanoseconds */
} guv_websocket_options;

/** Answers a request for a WebSocket: `handler` is called when the application has returned, and the socket closed when
 *  it returns. Other requests are answered 426. `options` may be NULL. Browsers connect from any page, and send cookies
 *  along: look at the request's Origin first. */
GUV_API int guv_http_response_websocket(guv_http_response* response, guv_http_request* request,
                                        guv_websocket_handler handler, void* argument,
                                        const guv_websocket_options* options);

typedef struct guv_websocket_message {
  const char* data; /**< until the next wait */
  size_t size;
  int is_text; /**< it is UTF-8; otherwise any bytes */
} guv_websocket_message;

/** Waits for a message: 1. 0 when the socket is closed. -ETIMEDOUT. */
GUV_API int guv_websocket_wait(guv_websocket* socket, guv_websocket_message* message, int64_t deadline);

/** Sends a message of UTF-8 or of bytes. -EPIPE: the socket is closed. */
GUV_API int guv_websocket_send(guv_websocket* socket, const void* data, size_t size, int is_text);

/** Sends a ping with up to 125 bytes. */
GUV_API int guv_websocket_ping(guv_websocket* socket, const void* data, size_t size);

/** Says that no more will be sent. `reason` may be NULL. */
GUV_API int guv_websocket_close(guv_websocket* socket, uint16_t code, const char* reason);

/** The code with which the client closed; 0 while open. */
GUV_API uint16_t guv_websocket_close_code(const guv_websocket* socket);

/** The subprotocol that was agreed upon. */
GUV_API guv_http_text guv_websocket_protocol(const guv_websocket* socket);

#ifdef __cplusplus
}
#endif

#endif
