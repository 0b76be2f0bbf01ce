#include "websocket/state.hpp"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <system_error>

#include "guv/error.hpp"

namespace guv::inline v1 {

WebSocket::State::State(http::Stream& the_stream, const WebSocketOptions& the_options, std::string the_protocol)
    : stream(the_stream), options(the_options), protocol(std::move(the_protocol)) {
  const wslay_event_callbacks callbacks{on_input, on_output, nullptr, on_frame, nullptr, nullptr, on_message};
  if (wslay_event_context_server_init(&context_, &callbacks, this)) throw std::bad_alloc();
  wslay_event_config_set_max_recv_msg_length(context_, options.max_message);
}

WebSocket::State::~State() { wslay_event_context_free(context_); }

// It is asked no more when there is nothing left, or a message to be handed out first.
ssize_t WebSocket::State::on_input(wslay_event_context_ptr context, std::uint8_t* buffer, std::size_t size, int,
                                   void* data) {
  auto* state = static_cast<State*>(data);
  if (state->begin_ == state->end_ || !state->messages_.empty()) {
    wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
    return -1;
  }
  const std::size_t part = std::min(size, state->end_ - state->begin_);
  std::memcpy(buffer, &state->input_[state->begin_], part);
  state->begin_ += part;
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
    state->messages_.push_back({std::string(text), message->opcode == WSLAY_TEXT_FRAME});
  } else if (message->opcode == WSLAY_CONNECTION_CLOSE) {
    state->close_reason = text.substr(std::min<std::size_t>(2, text.size()));
  }
}

std::optional<WebSocket::Message> WebSocket::State::wait(Deadline until) {
  for (;;) {
    use_input();
    if (write_output() && !close_code) close_code = WSLAY_CODE_ABNORMAL_CLOSURE;
    if (!messages_.empty()) {
      Message message = std::move(messages_.front());
      messages_.pop_front();
      return message;
    }
    if (close_code) return std::nullopt;
    const ssize_t size = stream.read(input_, sizeof input_, until);
    if (size == -ETIMEDOUT || size == -ECANCELED) detail::throw_error(static_cast<int>(size));
    if (size <= 0) return leave(), std::nullopt;
    begin_ = 0;
    end_ = static_cast<std::size_t>(size);
  }
}

void WebSocket::State::use_input() {
  const std::lock_guard guard(lock_);
  if (close_code) return;
  const bool is_frame = wslay_event_recv(context_) == 0;
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

// The client has gone, or the server stops.
void WebSocket::State::leave() {
  close_code = WSLAY_CODE_ABNORMAL_CLOSURE;
  close(WSLAY_CODE_GOING_AWAY, {});
}

void WebSocket::State::send(std::uint8_t opcode, std::string_view data) {
  {
    const std::lock_guard guard(lock_);
    const wslay_event_msg message{opcode, reinterpret_cast<const std::uint8_t*>(data.data()), data.size()};
    switch (wslay_event_queue_msg(context_, &message)) {
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

// Writes what there is, after whoever is writing. Returns 0 or -errno, after which the stream is of no more use: a part of a
// frame may have been written.
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
