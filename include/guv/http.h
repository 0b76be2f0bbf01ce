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
 * them; deadlines are absolute, in nanoseconds. What waits ends with -ECANCELED when its thread is killed, and what
 * needs memory with -ENOMEM. Requests, responses, writers, streams and sockets belong to the server, and live as long
 * as the call that they are given to, in whose green thread they are to be used where nothing else is said.
 */
#ifndef GUV_HTTP_H
#define GUV_HTTP_H

#include <guv/guv.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct guv_http_server guv_http_server;
typedef struct guv_http_request guv_http_request;
typedef struct guv_http_response guv_http_response;
typedef struct guv_http_writer guv_http_writer;
typedef struct guv_http_stream guv_http_stream;
typedef struct guv_websocket guv_websocket;

/** A text that is not ended by a zero. It lives as long as the request. `data` is NULL where there is none. */
typedef struct guv_http_text {
  const char* data;
  size_t size;
} guv_http_text;

/** The application: fills the response, which begins as 200 without a body. Called by many green threads at once. A
 *  negative result is answered 500; after a failed guv_http_request_read what the request deserves. */
typedef int (*guv_http_app)(guv_http_request* request, guv_http_response* response, void* argument);

/** How bytes get to the client where that is not simply the socket: https.h has one for TLS. No function is NULL. They
 *  are called on green threads, wait in green ways only, and return what recv(2) and writev(2) would, or a negative
 *  errno value. One green thread may read while another writes. */
typedef struct guv_http_transport {
  void* (*open)(int fd, void* argument);           /**< makes it for a connection; NULL closes that */
  void* argument;                                  /**< lives as long as the server */
  int (*start)(void* transport, int64_t deadline); /**< does what comes first, such as a handshake: 0 or an error */
  ssize_t (*read)(void* transport, void* buffer, size_t size, int64_t deadline);
  ssize_t (*write)(void* transport, const struct iovec* pieces, int count, int64_t deadline);
  void (*finish)(void* transport, int64_t deadline); /**< tells the client that no more will be written */
  void (*close)(void* transport);                    /**< frees it, once for each; the server closes `fd` after that */
  const char* scheme;                                /**< REQUEST_SCHEME: "https"; lives as long as the server */
} guv_http_transport;

/** Is called with a line, which has no line end and lives as long as the call; by many green threads at once. It must
 *  not block for long. */
typedef void (*guv_http_log)(guv_http_text line, void* argument);

/** How a server serves; zero what shall be as in http.hpp's Options. */
typedef struct guv_http_options {
  size_t max_request_line, max_head, max_fields, max_connections;
  uint64_t max_body;
  int64_t head_timeout, keep_alive_timeout, body_timeout, send_timeout; /**< nanoseconds */
  int access_log;     /**< a descriptor for lines in Apache's combined format; 0: no log */
  int error_log;      /**< a descriptor for what the application does wrong; 0: standard error, -1: no log */
  const char* server; /**< the value of Server; NULL: "guv", empty: no such field */
  const guv_http_transport* transport;  /**< is copied; NULL: the socket itself */
  guv_http_log access_line, error_line; /**< get the lines of the two logs instead of their descriptors, unless NULL */
  void* log_argument;
} guv_http_options;

/* ---- servers ----------------------------------------------------------------------------------------------------- */

/** Makes a server on a listening socket, which stays the caller's. `options` may be NULL. */
GUV_API int guv_http_server_new(guv_http_server** server, int listener, guv_http_app app, void* argument,
                                const guv_http_options* options);

/** Serves until guv_http_server_stop, then returns 0: all connections are closed, or cut off. What accept(2) says when
 *  the listener fails, is shut down or closed; -ECANCELED when the calling thread is killed. For want of descriptors or
 *  memory new clients wait. */
GUV_API int guv_http_server_run(guv_http_server* server);

/** Ends guv_http_server_run: it accepts no more, closes idle connections, lets requests that have begun be answered,
 *  and cuts off what lasts longer than `grace` nanoseconds from now. From any thread, also from an application, and
 *  from signal handlers. */
GUV_API void guv_http_server_stop(guv_http_server* server, int64_t grace);

/** Returns how many connections there are. From any thread. */
GUV_API size_t guv_http_server_connections(const guv_http_server* server);

/** Frees the server, once guv_http_server_run has returned. NULL is ignored. */
GUV_API void guv_http_server_free(guv_http_server* server);

/* ---- requests ---------------------------------------------------------------------------------------------------- */

/** Returns the method as sent: "GET". Methods are case-sensitive and need not be known to the server. */
GUV_API guv_http_text guv_http_request_method(const guv_http_request* request);

/** Returns the target as sent: "/a%20b?c=d"; "*" for OPTIONS of the server as such. */
GUV_API guv_http_text guv_http_request_target(const guv_http_request* request);

/** Returns the path, decoded: "/a b". It may contain any byte. */
GUV_API guv_http_text guv_http_request_path(guv_http_request* request);

/** Returns what follows the first '?' of the target, as sent; empty without. */
GUV_API guv_http_text guv_http_request_query(const guv_http_request* request);

/** Returns the first parameter of that name in the query, decoded ('+' is a space). */
GUV_API guv_http_text guv_http_request_parameter(guv_http_request* request, const char* name);

/** Returns 11 for HTTP/1.1, 10 for HTTP/1.0. */
GUV_API int guv_http_request_version(const guv_http_request* request);

/** Returns the value of the first header field of that name, in any case of letters. */
GUV_API guv_http_text guv_http_request_header(const guv_http_request* request, const char* name);

/** Tells the header field at `index`, from 0 on, in their order. Returns 1, or 0 when there are not so many. */
GUV_API int guv_http_request_field(const guv_http_request* request, size_t index, guv_http_text* name,
                                   guv_http_text* value);

/** Returns the client's address: "192.0.2.1", "2001:db8::1"; empty on a Unix socket. */
GUV_API guv_http_text guv_http_request_remote_address(const guv_http_request* request);

/** Returns a variable of the CGI and WSGI environment, those of Request::environ in http.hpp: REQUEST_METHOD,
 *  PATH_INFO, SERVER_PORT, HTTP_HOST ...; empty where there is none. */
GUV_API guv_http_text guv_http_request_environ(guv_http_request* request, const char* name);

/** Returns the length of the body that the client declared, in bytes; -1 when it sends chunks. */
GUV_API int64_t guv_http_request_length(const guv_http_request* request);

/** Reads up to `size` bytes of the body, waiting for the first; returns how many, 0 at its end. -EBADMSG: it is
 *  malformed, too large or late; -ECONNRESET and the like: the client is gone. An application that returns such an
 *  error has the server answer as it should. */
GUV_API ssize_t guv_http_request_read(guv_http_request* request, void* buffer, size_t size);

/* ---- responses --------------------------------------------------------------------------------------------------- */

/** Sets the status; -EINVAL unless it is 200 to 999. */
GUV_API int guv_http_response_status(guv_http_response* response, int status);

/** Sets a header field in place of all of that name. -EINVAL: a name that is no token, a value with line ends or other
 *  control characters, or Transfer-Encoding, which is the server's business. */
GUV_API int guv_http_response_set(guv_http_response* response, const char* name, const char* value);

/** Adds a header field, such as one more Set-Cookie. -EINVAL as above. */
GUV_API int guv_http_response_add(guv_http_response* response, const char* name, const char* value);

/** Makes a copy of `data` the body. */
GUV_API int guv_http_response_body(guv_http_response* response, const void* data, size_t size);

/** Makes the body what `produce` writes. It is called when the application has returned; when it returns a negative
 *  value the answer is 500 or, if some of the body has been sent, the connection is cut off, so that the client does
 *  not take the part for the whole. Sent in chunks, or as it is where Content-Length is set. Begins the response
 *  anew: status and fields are to be set after this call. */
GUV_API int guv_http_response_stream(guv_http_response* response,
                                     int (*produce)(guv_http_writer* writer, void* argument), void* argument);

/** Sends a piece of the body, waiting while the client reads slowly. -ETIMEDOUT: it is too slow; -EPIPE,
 *  -ECONNRESET: it is gone; -EIO: it is more than Content-Length says. Nothing can be sent after that. */
GUV_API int guv_http_write(guv_http_writer* writer, const void* data, size_t size);

/** Answers 101 with `protocol` as the value of Upgrade, then calls `handler`, and closes the connection after it.
 *  Begins the response anew. */
GUV_API int guv_http_response_upgrade(guv_http_response* response, const char* protocol,
                                      void (*handler)(guv_http_stream* stream, void* argument), void* argument);

/** Reads up to `size` bytes, waiting for the first; returns how many, 0 at the end, or what recv(2) says. One green
 *  thread may read while another writes. */
GUV_API ssize_t guv_http_stream_read(guv_http_stream* stream, void* buffer, size_t size, int64_t deadline);

/** Writes all of it, or returns what send(2) says. */
GUV_API int guv_http_stream_write(guv_http_stream* stream, const void* data, size_t size, int64_t deadline);

/** Ends both directions; who waits in the two above returns. From any thread. */
GUV_API void guv_http_stream_shutdown(guv_http_stream* stream);

/* ---- WebSockets -------------------------------------------------------------------------------------------------- */

/** What is called for each WebSocket, on the green thread of its connection. */
typedef void (*guv_websocket_handler)(guv_websocket* socket, void* argument);

/** How a WebSocket is served; zero what shall be as in websocket.hpp's WebSocketOptions, where each is explained. */
typedef struct guv_websocket_options {
  size_t max_message;                  /**< in bytes; 0: a megabyte */
  const char* const* protocols;        /**< the subprotocols spoken here, the best first, and NULL */
  int compress;                        /**< whether messages are compressed where the client offers it */
  int compress_window_bits;            /**< 9 to 15 */
  int compress_no_context;             /**< whether each message is compressed without reference to others */
  int64_t send_timeout, close_timeout; /**< nanoseconds */
  /** Whether a page from this Origin (empty where it is no browser) may connect: not 0; otherwise the answer is 403.
   *  `argument` is the handler's. NULL: any may. */
  int (*allow_origin)(guv_http_text origin, void* argument);
} guv_websocket_options;

/** Answers a request for a WebSocket: `handler` is called when the application has returned, and the socket closed when
 *  it returns. Other requests are answered 426. `options` may be NULL. Browsers connect from any page, and send cookies
 *  along: a server that trusts those has an allow_origin. */
GUV_API int guv_http_response_websocket(guv_http_response* response, guv_http_request* request,
                                        guv_websocket_handler handler, void* argument,
                                        const guv_websocket_options* options);

typedef struct guv_websocket_message {
  const char* data; /**< until the next wait */
  size_t size;
  int is_text; /**< it is UTF-8; otherwise any bytes */
} guv_websocket_message;

/** Waits for the next message, its fragments put together: 1; 0 when the connection is closed, by whomever; -ETIMEDOUT,
 *  after which it may be called again. */
GUV_API int guv_websocket_wait(guv_websocket* socket, guv_websocket_message* message, int64_t deadline);

/** Sends a message of text, which must be UTF-8, or of bytes. Waits while the client reads slowly; returns when the
 *  kernel has it. -EPIPE: the socket is closed; -ETIMEDOUT: the client is too slow, and given up. Any number of green
 *  threads may send while one waits. */
GUV_API int guv_websocket_send(guv_websocket* socket, const void* data, size_t size, int is_text);

/** Sends a ping with up to 125 bytes; -EINVAL with more. */
GUV_API int guv_websocket_ping(guv_websocket* socket, const void* data, size_t size);

/** Says that no more will be sent, with a code (1000 to 1003, 1007 to 1014, 3000 to 4999) and up to 123 bytes of UTF-8
 *  as the reason, which may be NULL; -EINVAL for others. */
GUV_API int guv_websocket_close(guv_websocket* socket, uint16_t code, const char* reason);

/** Returns the code with which the client closed: 1005 when it gave none, 1006 when it left without a word; 0 while
 *  open. */
GUV_API uint16_t guv_websocket_close_code(const guv_websocket* socket);

/** Returns the client's reason; empty without. */
GUV_API guv_http_text guv_websocket_close_reason(const guv_websocket* socket);

/** Returns the subprotocol that was agreed upon; empty without. */
GUV_API guv_http_text guv_websocket_protocol(const guv_websocket* socket);

/** Returns the request that began it, for its path, Origin and environment. It has no body. */
GUV_API guv_http_request* guv_websocket_request(guv_websocket* socket);

/* ---- texts ------------------------------------------------------------------------------------------------------- */

/** Writes the time in the form of HTTP: "Sun, 06 Nov 1994 08:49:37 GMT", with its final zero. */
GUV_API void guv_http_format_date_time(time_t when, char text[30]);

/** Returns the standard phrase of a status: "Not Found"; "Unknown" without one. */
GUV_API const char* guv_http_reason_phrase(int status);

#ifdef __cplusplus
}
#endif

#endif
