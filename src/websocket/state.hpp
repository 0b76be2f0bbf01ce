// One WebSocket: frames are wslay's (decision 09), input and output are ours.
#pragma once

#include <wslay/wslay.h>

#include <memory>
#include <optional>
#include <string>

#include "guv/semaphore.hpp"
#include "guv/websocket.hpp"
#include "websocket/deflate.hpp"

namespace guv::inline v1 {

class __attribute__((visibility("hidden"))) WebSocket::State {
 public:
  State(http::Stream& stream, const WebSocketOptions& options, std::string protocol,
        const std::optional<DeflateTerms>& deflate);
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  std::optional<Message> wait(Deadline until);
  void send(std::uint8_t opcode, std::string_view data);
  void close(std::uint16_t code, std::string_view reason);
  /// The end of the handler: closes, and waits for the client to do so.
  void finish(std::uint16_t code);

  http::Stream& stream;
  const WebSocketOptions& options;
  const std::string protocol;
  std::uint16_t close_code = 0;
  std::string close_reason;

 private:
  static ssize_t on_input(wslay_event_context_ptr, std::uint8_t* buffer, std::size_t size, int, void* state);
  static ssize_t on_output(wslay_event_context_ptr, const std::uint8_t* data, std::size_t size, int, void* state);
  static void on_frame(wslay_event_context_ptr, const wslay_event_on_frame_recv_start_arg* frame, void* state);
  static void on_message(wslay_event_context_ptr, const wslay_event_on_msg_recv_arg* message, void* state);

  std::string_view unused() const { return {input_ + begin_, end_ - begin_}; }
  ssize_t read_input(Deadline until);
  void use_input();
  std::uint16_t check_message();
  void fail(std::uint16_t code);
  void leave();
  bool is_worth_deflating(std::uint8_t opcode, std::string_view data) const;
  int write_output();

  wslay_event_context_ptr context_ = nullptr;
  char input_[4096];
  std::size_t begin_ = 0, end_ = 0;  // what is not yet used of it
  std::size_t frame_left_ = 0;       // of the frame that was begun
  std::optional<Message> message_;   // received, not yet asked for
  bool is_deflated_ = false;         // it is
  std::string output_;               // frames to be written

  const std::optional<DeflateTerms> deflate_;
  std::unique_ptr<Deflater> deflater_;  // from the first message on
  std::unique_ptr<Inflater> inflater_;

  Semaphore lock_;     // of the context and the output: a thread may be made to yield anywhere
  Semaphore writing_;  // whoever writes to the stream
};

}  // namespace guv::inline v1
