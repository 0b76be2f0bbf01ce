#include "websocket/state.hpp"

#include <algorithm>
#include <boost/beast/websocket/detail/utf8_checker.hpp>
#include <cstring>
#include <mutex>
#include <system_error>
#include <utility>

#include "guv/error.hpp"

namespace guv::inline v1 {

namespace {

/// The size of the frame that `input` begins with (RFC 6455, 5.2); 0 while its head is not complete. A control frame
/// begins only when it is there as a whole, for wslay does not check the reason of a close that comes in pieces.
std::size_t next_frame(std::string_view input) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(input[i]); };
  if (input.size() < 2) return 0;
  const std::size_t short_length = byte(1) & 0x7f;
  const std::size_t extended = short_length < 126 ? 0 : short_length == 126 ? 2 : 8;
  const std::size_t head = 2 + extended + (byte(1) & 0x80 ? 4 : 0);
  if (input.size() < head) return 0;
  std::size_t length = extended ? 0 : short_length;
  for (std::size_t i = 2; i < 2 + extended; ++i) length = length << 8 | byte(i);
  const bool is_control = byte(0) & 0x08;
  if (is_control && !extended && input.size() < head + length) return 0;
  return length > SIZE_MAX - head ? SIZE_MAX : head + length;
}

/// RFC 6455, 7.4: other codes are reserved, or say that there was none.
bool may_be_sent(std::uint16_t code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

}  // namespace

WebSocket::State::State(http::Stream& the_stream, const WebSocketOptions& the_options, std::string the_protocol,
                        const std::optional<DeflateTerms>& deflate)
    : stream(the_stream), options(the_options), protocol(std::move(the_protocol)), deflate_(deflate) {
  const wslay_event_callbacks callbacks{on_input, on_output, nullptr, on_frame, nullptr, nullptr, on_message};
  if (wslay_event_context_server_init(&context_, &callbacks, this)) throw std::bad_alloc();
  std::size_t max_received = options.max_message;
  if (deflate_) {
    wslay_event_config_set_allowed_rsv_bits(context_, WSLAY_RSV1_BIT);
    max_received += max_received / 8 + 64;  // what a compressor makes of bytes that it cannot make fewer
  }
  wslay_event_config_set_max_recv_msg_length(context_, max_received);
}

WebSocket::State::~State() { wslay_event_context_free(context_); }

// wslay uses all that it is given, and once it has seen a close sends nothing else. So it gets one frame at a time,
// when the last one is answered, and none while a message waits: the handler's answers to that go out first.
ssize_t WebSocket::State::on_input(wslay_event_context_ptr context, std::uint8_t* buffer, std::size_t size, int,
                                   void* data) {
  auto* state = static_cast<State*>(data);
  if (state->frame_left_ == 0 && !state->message_) {
    wslay_event_send(context);
    state->frame_left_ = next_frame(state->unused());
  }
  const std::size_t part = std::min({size, state->frame_left_, state->unused().size()});
  if (part == 0) {
    wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
    return -1;
  }
  std::memcpy(buffer, state->unused().data(), part);
  state->begin_ += part;
  state->frame_left_ -= part;
  return static_cast<ssize_t>(part);
}

ssize_t WebSocket::State::on_output(wslay_event_context_ptr, const std::uint8_t* data, std::size_t size, int,
                                    void* state) {
  static_cast<State*>(state)->output_.append(reinterpret_cast<const char*>(data), size);
  return static_cast<ssize_t>(size);
}

// RFC 6455, 5.5.1: half a code is none. wslay lets it pass.
void WebSocket::State::on_frame(wslay_event_context_ptr context, const wslay_event_on_frame_recv_start_arg* frame,
                                void*) {
  if (frame->opcode == WSLAY_CONNECTION_CLOSE && frame->payload_length == 1) {
    wslay_event_queue_close(context, WSLAY_CODE_PROTOCOL_ERROR, nullptr, 0);
  }
}

void WebSocket::State::on_message(wslay_event_context_ptr, const wslay_event_on_msg_recv_arg* message, void* data) {
  auto* state = static_cast<State*>(data);
  const std::string_view text(reinterpret_cast<const char*>(message->msg), message->msg_length);
  if (message->opcode == WSLAY_TEXT_FRAME || message->opcode == WSLAY_BINARY_FRAME) {
    state->message_ = {std::string(text), message->opcode == WSLAY_TEXT_FRAME};
    state->is_deflated_ = wslay_get_rsv1(message->rsv);
  } else if (message->opcode == WSLAY_CONNECTION_CLOSE) {
    state->close_reason = text.substr(std::min<std::size_t>(2, text.size()));
  }
}

std::optional<WebSocket::Message> WebSocket::State::wait(Deadline until) {
  for (;;) {
    use_input();
    if (write_output() && !close_code) close_code = WSLAY_CODE_ABNORMAL_CLOSURE;
    if (message_) return std::exchange(message_, std::nullopt);
    if (close_code) return std::nullopt;
    const ssize_t size = read_input(until);
    if (size == -ETIMEDOUT || size == -ECANCELED) detail::throw_error(static_cast<int>(size));
    if (size <= 0) return leave(), std::nullopt;
  }
}

ssize_t WebSocket::State::read_input(Deadline until) {
  // The rest is a frame's beginning.
  std::memmove(input_, unused().data(), unused().size());
  end_ -= begin_;
  begin_ = 0;
  const ssize_t size = stream.read(input_ + end_, sizeof input_ - end_, until);
  if (size > 0) end_ += static_cast<std::size_t>(size);
  return size;
}

void WebSocket::State::use_input() {
  const std::lock_guard guard(lock_);
  if (close_code) return;
  const bool is_frame = wslay_event_recv(context_) == 0;
  if (message_) {
    if (const std::uint16_t code = check_message()) fail(code);
  }
  wslay_event_send(context_);
  if (!is_frame) {
    // wslay closes without a code then.
    constexpr std::string_view close_without_code("\x88\0", 2), protocol_error("\x88\x02\x03\xea", 4);
    if (output_.ends_with(close_without_code)) output_.replace(output_.size() - 2, 2, protocol_error);
    close_code = WSLAY_CODE_PROTOCOL_ERROR;
    return;
  }
  if (wslay_event_get_close_received(context_)) {
    close_code = wslay_event_get_status_code_received(context_);
  } else if (!wslay_event_get_read_enabled(context_)) {
    close_code = wslay_event_get_status_code_sent(context_);
  }
}

// Makes the message what it was before it was compressed. Returns 0, or the code with which to refuse it.
std::uint16_t WebSocket::State::check_message() {
  if (is_deflated_) {
    if (!inflater_) inflater_ = std::make_unique<Inflater>(deflate_->client);
    if (const std::uint16_t code = inflater_->inflate(message_->data, options.max_message)) return code;
    const auto& text = message_->data;  // wslay checks what is not compressed
    if (message_->is_text && !boost::beast::websocket::detail::check_utf8(text.data(), text.size())) {
      return WSLAY_CODE_INVALID_FRAME_PAYLOAD_DATA;
    }
  }
  return message_->data.size() > options.max_message ? WSLAY_CODE_MESSAGE_TOO_BIG : 0;
}

void WebSocket::State::fail(std::uint16_t code) {
  message_.reset();
  wslay_event_queue_close(context_, code, nullptr, 0);
  wslay_event_shutdown_read(context_);
}

// The client has gone, or the server stops.
void WebSocket::State::leave() {
  close_code = WSLAY_CODE_ABNORMAL_CLOSURE;
  close(WSLAY_CODE_GOING_AWAY, {});
}

bool WebSocket::State::is_worth_deflating(std::uint8_t opcode, std::string_view data) const {
  constexpr std::size_t min_deflated = 32;
  const bool is_data = opcode == WSLAY_TEXT_FRAME || opcode == WSLAY_BINARY_FRAME;
  return deflate_ && is_data && data.size() >= min_deflated && data.size() <= max_deflated;
}

void WebSocket::State::send(std::uint8_t opcode, std::string_view data) {
  {
    const std::lock_guard guard(lock_);
    std::string deflated;
    std::uint8_t rsv = WSLAY_RSV_NONE;
    if (is_worth_deflating(opcode, data)) {
      if (!deflater_) deflater_ = std::make_unique<Deflater>(deflate_->server);
      deflated = deflater_->deflated(data);
      data = deflated;
      rsv = WSLAY_RSV1_BIT;
    }
    const wslay_event_msg message{opcode, reinterpret_cast<const std::uint8_t*>(data.data()), data.size()};
    switch (wslay_event_queue_msg_ex(context_, &message, rsv)) {
      case 0: break;
      case WSLAY_ERR_NO_MORE_MSG: detail::throw_error(-EPIPE);
      case WSLAY_ERR_NOMEM: throw std::bad_alloc();
      default: detail::throw_error(-EINVAL);
    }
    wslay_event_send(context_);
  }
  detail::check(write_output());
}

void WebSocket::State::close(std::uint16_t code, std::string_view reason) {
  if (!may_be_sent(code)) detail::throw_error(-EINVAL);
  {
    const std::lock_guard guard(lock_);
    const auto* text = reinterpret_cast<const std::uint8_t*>(reason.data());
    if (wslay_event_queue_close(context_, code, text, reason.size()) == WSLAY_ERR_INVALID_ARGUMENT) {
      detail::throw_error(-EINVAL);
    }
    wslay_event_send(context_);
  }
  write_output();  // that the client cannot be told does not matter any more
}

void WebSocket::State::finish(std::uint16_t code) {
  close(code, {});
  try {
    const Deadline until(options.close_timeout);
    while (wait(until)) {
    }
  } catch (const TimedOut&) {
  }
}

// Writes what there is, after whoever is writing. Returns 0 or -errno, after which the stream is of no more use: a part
// of a frame may have been written.
int WebSocket::State::write_output() {
  const std::lock_guard writer(writing_);
  std::string data;
  {
    const std::lock_guard guard(lock_);
    data.swap(output_);
  }
  if (data.empty()) return 0;
  const ssize_t written = stream.write(data, options.send_timeout);
  if (written >= 0) return 0;
  stream.shutdown();
  return static_cast<int>(written);
}

}  // namespace guv::inline v1
