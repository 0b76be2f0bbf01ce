// http.hpp - an HTTP/1.1 server whose application is a function from Request to Response.
//
//     #include <guv/http.hpp>
//     #include <guv/net.hpp>
//
//     int main() {
//       const guv::Socket listener = guv::listen("0.0.0.0", 8001);
//       guv::http::serve(listener.fd(), [](guv::http::Request& request) {
//         return guv::http::Response("Hello, " + request.path() + "\n");
//       });
//     }
//
// Each connection has a green thread of its own, in which the application is called: it may block as it likes, in guv's
// own calls and in those of patched libraries. Link with -lguv_http -lguv (pkg-config: guv_http).
#pragma once

#include <sys/uio.h>
#include <time.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "guv/deadline.hpp"

namespace guv::inline v1::http {

class Connection;

/// A header field as it was sent; the views live as long as the request.
struct Header {
  std::string_view name;
  std::string_view value;
};

/// Thrown when a request cannot be answered by the application: its body is malformed, too large or late. Let it pass,
/// and the server answers with status().
class GUV_API BadRequest : public std::runtime_error {
 public:
  explicit BadRequest(int status);
  ~BadRequest() override;

  int status() const { return status_; }

 private:
  int status_;
};

/// The body of a request, read from the connection as the application asks for it. Where the client waits for
/// "100 Continue", the first read sends it. All reads throw BadRequest or, when the client is gone, std::system_error.
class GUV_API RequestBody {
 public:
  /// Reads up to `size` bytes, waiting for the first; returns how many, 0 at the end.
  std::size_t read(char* buffer, std::size_t size);

  /// Reads exactly `size` bytes, or fewer when the body ends before.
  std::string read(std::size_t size);

  /// Reads all that is left. It is at most Options::max_body long.
  std::string read();

  /// Reads a line, with its '\n' where it has one; empty at the end.
  std::string readline();

  /// The length the client declared; none when it sends chunks.
  std::optional<std::uint64_t> length() const;

  /// Goes through the lines that are left: for (const std::string& line : request.body()) …
  class LineIterator {
   public:
    using value_type = std::string;
    using difference_type = std::ptrdiff_t;

    explicit LineIterator(RequestBody* body) : body_(body) { ++*this; }
    const std::string& operator*() const { return line_; }
    LineIterator& operator++() {
      line_ = body_->readline();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::nullptr_t) const { return line_.empty(); }

   private:
    RequestBody* body_;
    std::string line_;
  };
  LineIterator begin() { return LineIterator(this); }
  static std::nullptr_t end() { return nullptr; }

 private:
  friend class Connection;
  explicit RequestBody(Connection* connection) : connection_(connection) {}

  Connection* connection_;
};

/// One request. What it returns as a view lives until the application has returned and its response is sent.
class GUV_API Request {
 public:
  /// The method as sent: "GET". Methods are case-sensitive and need not be known to the server.
  std::string_view method() const;

  /// The target as sent: "/a%20b?c=d"; "*" for OPTIONS of the server as such.
  std::string_view target() const;

  /// The path, decoded: "/a b". It may contain any byte.
  std::string path() const;

  /// What follows the first '?' of the target, as sent; empty without.
  std::string_view query() const;

  /// The first parameter of that name in the query, decoded ('+' is a space); none without.
  std::optional<std::string> parameter(std::string_view name) const;

  /// 11 for HTTP/1.1, 10 for HTTP/1.0.
  int version() const;

  /// All header fields in their order.
  std::span<const Header> headers() const;

  /// The value of the first header field of that name, in any case of letters; empty without.
  std::string_view header(std::string_view name) const;

  /// The body, to be read or not: what the application leaves is read and thrown away, or the connection closed.
  RequestBody& body();

  /// The client's address: "192.0.2.1", "2001:db8::1", empty on a Unix socket.
  std::string_view remote_address() const;

  /// A variable of the CGI and WSGI environment: REQUEST_METHOD, PATH_INFO, QUERY_STRING, CONTENT_TYPE, CONTENT_LENGTH,
  /// SERVER_NAME, SERVER_PORT, SERVER_PROTOCOL, REMOTE_ADDR, REMOTE_PORT, REQUEST_SCHEME, and HTTP_* for the header
  /// fields (those sent several times joined by commas); empty where there is none.
  std::string environ(std::string_view name) const;

  /// All of these.
  std::map<std::string, std::string> environ() const;

 private:
  friend class Connection;
  explicit Request(Connection* connection) : connection_(connection) {}

  Connection* connection_;
};

/// Sends the body of a response piece by piece: see Response::stream.
class GUV_API Writer {
 public:
  /// Sends `data`, waiting while the client reads slowly. Throws std::system_error when it is gone or too slow, after
  /// which nothing can be sent any more; std::length_error, having sent nothing, for more than Content-Length says.
  void write(std::string_view data);

 private:
  friend class Connection;
  explicit Writer(Connection* connection) : connection_(connection) {}

  Connection* connection_;
};

/// A connection after "101 Switching Protocols": what is sent and received is the application's business. One green
/// thread may read while another writes.
class GUV_API Stream {
 public:
  /// Reads up to `size` bytes, waiting for the first. Returns how many, 0 at the end, or -errno: -ETIMEDOUT,
  /// -ECONNRESET …
  ssize_t read(void* buffer, std::size_t size, Deadline deadline = {});

  /// Writes all of it, or returns -errno.
  ssize_t write(std::string_view data, Deadline deadline = {});

  /// Ends both directions; whoever waits in read or write returns.
  void shutdown();

  /// The request that led here. Its body is empty.
  Request& request();

 private:
  friend class Connection;
  explicit Stream(Connection* connection) : connection_(connection) {}

  Connection* connection_;
};

/// What the application answers: a status, header fields, and a body that is a string, a writer or a generator.
///
/// The server adds Date, Server, Content-Type (where none is set: text/plain in UTF-8), Content-Length or
/// Transfer-Encoding, and Connection. A HEAD request gets the same header and no body.
class GUV_API Response {
 public:
  using Produce = std::function<void(Writer&)>;
  using Generate = std::function<std::optional<std::string>()>;
  using Upgrade = std::function<void(Stream&)>;

  /// 200 with this body.
  Response(std::string body = {}) : body_(std::move(body)) {}
  Response(const char* body) : body_(body) {}

  /// `status` with this body.
  explicit Response(int status, std::string body = {}) : body_(std::move(body)) { this->status(status); }

  /// Calls `produce` with a writer while the response is being sent. What it writes is sent in chunks, or as it is
  /// where Content-Length is set; to a client of HTTP/1.0 without, the end of the connection is the end of the body.
  /// When `produce` throws, the answer is 500 or, if it has written something, the connection is cut off, so that the
  /// client does not take the part for the whole.
  static Response stream(Produce produce);

  /// Sends what `generate` returns, until it returns nothing. Otherwise like stream().
  static Response generate(Generate generate);

  /// Answers 101 with `protocol` as the value of Upgrade, then calls `handler`, and closes the connection after it.
  static Response upgrade(std::string_view protocol, Upgrade handler);

  /// Sets the status; throws std::invalid_argument unless it is 200 to 999.
  Response& status(int status);
  int status() const { return status_; }

  /// Sets the header field, in place of all of that name. Throws std::invalid_argument when a name is no token, or a
  /// value has line ends or other control characters; and for Transfer-Encoding, which is the server's business.
  /// Content-Length is of use with stream() only: the length of a string is known.
  Response& set(std::string_view name, std::string_view value);

  /// Adds a header field, such as one more Set-Cookie. Throws like set().
  Response& add(std::string_view name, std::string_view value);

  /// Sets the string that is the body.
  Response& body(std::string body) {
    body_ = std::move(body);
    return *this;
  }
  /// The string that is the body; empty with stream() and its like.
  const std::string& body() const { return body_; }

 private:
  friend class Connection;

  int status_ = 200;
  bool has_type_ = false, has_date_ = false, has_server_ = false;  // set by the application
  bool close_ = false;                                             // "Connection: close" was set
  std::optional<std::uint64_t> length_;                            // Content-Length was set
  std::string body_;
  std::string fields_;  // "Name: value\r\n" …
  Produce produce_;
  Upgrade upgrade_;
};

/// How bytes get to the client where that is not simply the socket: see ssl.hpp. The functions wait in green ways only,
/// and return what recv and writev would, or -errno; one green thread may read while another writes.
class GUV_API Transport {
 public:
  virtual ~Transport();

  /// Does what comes first, such as a handshake. Returns 0 or -errno.
  virtual int start(Deadline deadline) = 0;
  virtual ssize_t read(void* buffer, std::size_t size, Deadline deadline) = 0;
  virtual ssize_t write(const iovec* pieces, int count, Deadline deadline) = 0;
  /// Tells the client that no more will be written.
  virtual void finish(Deadline deadline) = 0;
  /// REQUEST_SCHEME: "https".
  virtual const char* scheme() const = 0;
};

/// Returns a function that writes lines to the descriptor: Options options{.access_log = log_to(STDOUT_FILENO)}.
GUV_API std::function<void(std::string_view)> log_to(int fd);

/// How a server serves. The defaults are those of a server that faces the world.
struct Options {
  std::size_t max_request_line = 8192;  ///< longer request lines are answered 414
  std::size_t max_head = 32768;         ///< longer heads, request line and header fields together, 431
  std::size_t max_fields = 100;         ///< more header fields, 431
  std::uint64_t max_body = 1 << 20;     ///< longer bodies, 413
  std::size_t max_connections = 10000;  ///< more clients wait in the listener's backlog

  std::chrono::milliseconds head_timeout{60'000};        ///< for a whole head from its first byte; then 408
  std::chrono::milliseconds keep_alive_timeout{75'000};  ///< for the next request to begin
  std::chrono::milliseconds body_timeout{60'000};        ///< for each piece of a request's body; then 408
  std::chrono::milliseconds send_timeout{60'000};        ///< for the client to take something of the response

  std::string server = "guv";  ///< the value of Server; empty: no such field

  /// Is called with a line in Apache's combined format for each request; it must not block for long. Empty: no log.
  std::function<void(std::string_view)> access_log = {};
  /// Is called with a line when the application throws, or there is no room for a connection. It must not throw.
  std::function<void(std::string_view)> error_log = log_to(2);

  /// Makes the transport of an accepted connection; empty: the socket itself. Null from it closes the connection.
  std::function<std::unique_ptr<Transport>(int fd)> transport = {};
};

/// The application. It is called by many green threads at once. An exception that it lets out is logged and answered
/// 500.
using App = std::function<Response(Request&)>;

/// A server on a listening socket, which stays the caller's.
class GUV_API Server {
 public:
  Server(int listener, App app, Options options = {});
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Serves until stop(). Then accepts no more, lets requests that have begun be answered, closes idle connections, and
  /// returns when all are closed, or cut off because the grace is over. Throws std::system_error when the listener
  /// fails, is shut down or closed; for want of descriptors or memory new clients wait until there is some.
  void run();

  /// Ends run(). May be called from any thread, also from the application, and from signal handlers.
  void stop(std::chrono::milliseconds grace = std::chrono::seconds(30));

  /// How many connections there are.
  std::size_t connections() const;

  class Core;

 private:
  std::shared_ptr<Core> core_;
};

/// Serves for ever: Server(listener, app, options).run().
GUV_API void serve(int listener, App app, Options options = {});

/// The time in the form of HTTP: "Sun, 06 Nov 1994 08:49:37 GMT".
GUV_API std::string format_date_time(time_t when);

/// The standard phrase of a status: "Not Found"; "Unknown" without one.
GUV_API std::string_view reason_phrase(int status);

}  // namespace guv::inline v1::http
