// libFuzzer: a WebSocket whose client sends whatever comes, in pieces. The handler sends it back. The first byte of the
// input says how it is cut, and in its highest bit whether messages may be compressed.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <system_error>

#include "websocket/state.hpp"

namespace guv::inline v1::http {

/// In place of the server's: what the client sends is the input, what it is sent is checked to be frames without a
/// mask.
class Connection {
 public:
  Connection(const std::uint8_t* data, std::size_t size, std::size_t step) : data_(data), size_(size), step_(step) {}

  Stream stream() { return Stream(this); }

  ssize_t read(void* buffer, std::size_t size) {
    const std::size_t part = std::min({size, size_, step_});
    std::copy(data_, data_ + part, static_cast<std::uint8_t*>(buffer));
    data_ += part;
    size_ -= part;
    return static_cast<ssize_t>(part);
  }

  ssize_t write(std::string_view frames) {
    for (std::size_t at = 0; at < frames.size();) {
      if (closed_ || frames.size() - at < 2) std::abort();
      const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(frames[at + i]); };
      std::size_t length = byte(1), head = 2;
      if (length >= 128) std::abort();
      if (length == 126) {
        length = static_cast<std::size_t>(byte(2) << 8 | byte(3));
        head = 4;
      } else if (length == 127) {
        std::abort();  // no message is so long here
      }
      closed_ = byte(0) == 0x88;
      at += head + length;
      if (at > frames.size()) std::abort();
    }
    return static_cast<ssize_t>(frames.size());
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
  const std::size_t step_;
  bool closed_ = false;
};

ssize_t Stream::read(void* buffer, std::size_t size, Deadline) { return connection_->read(buffer, size); }
ssize_t Stream::write(std::string_view data, Deadline) { return connection_->write(data); }
void Stream::shutdown() {}
Request& Stream::request() { std::abort(); }

}  // namespace guv::inline v1::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  static const guv::WebSocketOptions options{.max_message = 5000};
  guv::http::Connection connection(data + 1, size - 1, 1 + data[0] % 50);
  guv::http::Stream stream = connection.stream();
  std::optional<guv::DeflateTerms> deflate;
  if (data[0] & 0x80) deflate = guv::agree_on_deflate("permessage-deflate", options);
  guv::WebSocket::State state(stream, options, "", deflate);
  try {
    while (const auto message = state.wait({})) {
      if (message->data.size() > options.max_message) std::abort();
      state.send(message->is_text ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME, message->data);
    }
  } catch (const std::system_error&) {
    // It has closed meanwhile.
  }
  state.finish(1000);
  return 0;
}
