// Frames and handshakes: RFC 6455.
#include "guv/websocket.hpp"

#include <algorithm>
#include <boost/beast/core/detail/base64.hpp>
#include <boost/beast/core/detail/sha1.hpp>
#include <system_error>

#include "http/text.hpp"
#include "websocket/state.hpp"

namespace guv::inline v1 {

namespace {

namespace beast = boost::beast::detail;

std::string base64(const void* data, std::size_t size) {
  std::string text(beast::base64::encoded_size(size), '\0');
  text.resize(beast::base64::encode(text.data(), data, size));
  return text;
}

/// RFC 6455, 4.2.2.
std::string accept_key(std::string_view key) {
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  beast::sha1_context context;
  beast::init(context);
  beast::update(context, text.data(), text.size());
  unsigned char digest[beast::sha1_context::digest_size];
  beast::finish(context, digest);
  return base64(digest, sizeof digest);
}

/// 16 bytes in base64.
bool is_key(std::string_view key) {
  char bytes[beast::base64::decoded_size(24)];
  return key.size() == 24 && key.ends_with("==") && beast::base64::decode(bytes, key.data(), key.size()).first == 16;
}

/// All that the client offers, in fields of one name, one after another.
std::string offered(const http::Request& request, std::string_view name) {
  std::string all;
  for (const http::Header& field : request.headers()) {
    if (http::same_name(field.name, name)) all.append(field.value).append(",");
  }
  return all;
}

bool asks_for_upgrade(const http::Request& request) {
  return request.method() == "GET" && request.version() >= 11 &&
         http::lists(offered(request, "Upgrade"), "websocket") &&
         http::lists(offered(request, "Connection"), "upgrade");
}

/// Subprotocols are compared with case: RFC 6455, 4.1.
std::string choose_protocol(const http::Request& request, const std::vector<std::string>& known) {
  const std::string all = offered(request, "Sec-WebSocket-Protocol");
  const auto offers = [&](const std::string& protocol) { return http::lists(all, protocol, http::Case::matters); };
  const auto found = std::find_if(known.begin(), known.end(), offers);
  return found == known.end() ? std::string() : *found;
}

struct Endpoint {
  std::function<void(WebSocket&)> handler;
  WebSocketOptions options;

  void serve(http::Stream& stream, const std::string& protocol, const std::optional<DeflateTerms>& deflate) const {
    WebSocket::State state(stream, options, protocol, deflate);
    WebSocket socket(state);
    try {
      handler(socket);
    } catch (const std::system_error& error) {
      // The handler was still sending when the client closed.
      const bool closed = state.close_code != 0 && error.code() == std::errc::broken_pipe;
      state.finish(1011);
      if (!closed) throw;
    } catch (...) {
      state.finish(1011);
      throw;
    }
    state.finish(1000);
  }
};

http::Response answer(const std::shared_ptr<const Endpoint>& endpoint, http::Request& request) {
  if (!asks_for_upgrade(request) || request.header("Sec-WebSocket-Version") != "13") {
    return http::Response(426, "This is a WebSocket.\n").set("Upgrade", "websocket").set("Sec-WebSocket-Version", "13");
  }
  const std::string_view key = request.header("Sec-WebSocket-Key");
  if (!is_key(key)) return http::Response(400, "Bad Sec-WebSocket-Key.\n");
  const WebSocketOptions& options = endpoint->options;
  if (options.allow_origin && !options.allow_origin(request.header("Origin"))) {
    return http::Response(403, "Not from this page.\n");
  }
  const std::string protocol = choose_protocol(request, options.protocols);
  std::optional<DeflateTerms> deflate;
  if (options.compress) deflate = agree_on_deflate(offered(request, "Sec-WebSocket-Extensions"), options);
  auto response = http::Response::upgrade(
      "websocket", [endpoint, protocol, deflate](http::Stream& stream) { endpoint->serve(stream, protocol, deflate); });
  response.set("Sec-WebSocket-Accept", accept_key(key));
  if (deflate) response.set("Sec-WebSocket-Extensions", deflate->answer);
  if (!protocol.empty()) response.set("Sec-WebSocket-Protocol", protocol);
  return response;
}

}  // namespace

std::optional<WebSocket::Message> WebSocket::wait(Deadline deadline) { return state_.wait(deadline); }
void WebSocket::send(std::string_view text) { state_.send(WSLAY_TEXT_FRAME, text); }
void WebSocket::send_binary(std::string_view data) { state_.send(WSLAY_BINARY_FRAME, data); }
void WebSocket::ping(std::string_view data) { state_.send(WSLAY_PING, data); }
void WebSocket::close(std::uint16_t code, std::string_view reason) { state_.close(code, reason); }

std::uint16_t WebSocket::close_code() const { return state_.close_code; }
const std::string& WebSocket::close_reason() const { return state_.close_reason; }

std::string WebSocket::path() const { return request().path(); }
const std::string& WebSocket::protocol() const { return state_.protocol; }
std::string_view WebSocket::origin() const { return request().header("Origin"); }
std::map<std::string, std::string> WebSocket::environ() const { return request().environ(); }
http::Request& WebSocket::request() const { return state_.stream.request(); }

http::App websocket(std::function<void(WebSocket&)> handler, WebSocketOptions options) {
  const auto endpoint = std::make_shared<const Endpoint>(Endpoint{std::move(handler), std::move(options)});
  return [endpoint](http::Request& request) { return answer(endpoint, request); };
}

}  // namespace guv::inline v1
