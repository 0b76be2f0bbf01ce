#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "guv/deadline.hpp"
#include "guv/http.hpp"

/// WebSockets (RFC 6455) within an HTTP application. The Python guv's websocket.
///
///     guv::http::serve(listener.fd(), guv::websocket([](guv::WebSocket& ws) {
///       while (const auto message = ws.wait()) ws.send(message->data);
///     }));
///
/// Of a part of an application: if (request.path() == "/chat") return chat(request); with chat = guv::websocket(…).
namespace guv::inline v1 {

/// One client's WebSocket, as long as its handler runs. Any number of green threads may send, while one waits.
class GUV_API WebSocket {
 public:
  /// A message, its fragments put together.
  struct Message {
    std::string data;
    bool is_text;  ///< it is UTF-8; otherwise any bytes
  };

  /// Waits for the next message. None when the connection is closed, by whomever: close_code() tells. Pings are
  /// answered meanwhile; what breaks the protocol closes it. What came after a message, be it the client's close, is
  /// looked at in the next call only, so a message can be answered. Throws TimedOut at the deadline, after which it may
  /// be called again.
  std::optional<Message> wait(Deadline deadline = {});

  /// Sends a message of text, which must be UTF-8. Waits while the client reads slowly; returns when the kernel has it.
  /// Throws std::system_error: EPIPE once the socket is closed.
  void send(std::string_view text);

  /// Sends a message of bytes.
  void send_binary(std::string_view data);

  /// Sends a ping with up to 125 bytes; throws std::system_error (EINVAL) with more. The answer is not shown.
  void ping(std::string_view data = {});

  /// Says that no more will be sent, with a code (RFC 6455, 7.4: 1000 to 1003, 1007 to 1014, 3000 to 4999) and up to
  /// 123 bytes of UTF-8 as the reason; throws std::system_error (EINVAL) for others. wait() still returns what the
  /// client has sent before its own close. Does nothing when closed already.
  void close(std::uint16_t code = 1000, std::string_view reason = {});

  /// The code with which the client closed: 1005 when it gave none, 1006 when it left without a word; 0 while open.
  std::uint16_t close_code() const;

  /// The client's reason.
  const std::string& close_reason() const;

  /// The path of the request, decoded.
  std::string path() const;
  /// The subprotocol that was agreed upon; empty without.
  const std::string& protocol() const;
  /// The Origin of the page; empty where it is no browser.
  std::string_view origin() const;
  /// The CGI and WSGI environment of the request.
  std::map<std::string, std::string> environ() const;
  /// The request that began it.
  http::Request& request() const;

  class State;
  explicit WebSocket(State& state) : state_(state) {}
  WebSocket(const WebSocket&) = delete;
  WebSocket& operator=(const WebSocket&) = delete;

 private:
  State& state_;
};

struct WebSocketOptions {
  std::size_t max_message = 1 << 20;  ///< longer messages, once decompressed, close the connection with 1009

  /// The subprotocols spoken here, the best first. The first that the client offers is taken.
  std::vector<std::string> protocols = {};

  /// Whether a page from this Origin may connect; otherwise the answer is 403. Empty: any may. Browsers send cookies
  /// along whatever page connects, so a server that trusts cookies must look at it.
  std::function<bool(std::string_view origin)> allow_origin = {};

  /// Whether messages are compressed where the client offers it: permessage-deflate, RFC 7692.
  bool compress = false;
  /// The window of either side's compressor is 2 to the power of this, from 9 to 15, or what the client wants if that
  /// is less. A connection takes eight windows to send and one to receive (2^15 where the client cannot be told), from
  /// the first message.
  int compress_window_bits = 12;
  /// Whether either side may refer to earlier messages, which makes small ones much smaller.
  bool compress_context = true;

  std::chrono::milliseconds send_timeout{60'000};  ///< for the client to take a frame; then it counts as gone
  std::chrono::milliseconds close_timeout{5'000};  ///< for its answer to our close
};

/// Returns the application that answers requests for a WebSocket by calling `handler` for as long as it lasts, and
/// others by 426. When the handler returns the socket is closed with 1000; when it throws, with 1011. When the server
/// stops, wait() returns none.
GUV_API http::App websocket(std::function<void(WebSocket&)> handler, WebSocketOptions options = {});

}  // namespace guv::inline v1
