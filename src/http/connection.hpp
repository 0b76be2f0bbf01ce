// One client's connection: plain blocking code, run by a green thread of its own.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/list.hpp"
#include "guv/net.hpp"
#include "http/core.hpp"
#include "http/parser.hpp"

namespace guv::inline v1::http {

class Connection : public ListNode {
 public:
  Connection(Server::Core& server, Socket socket, const Address& peer);

  /// Answers requests until either side ends it. Does not throw.
  void run();

  /// From other threads: ends a wait for the next request.
  void close_if_idle();
  /// From other threads: whoever waits for this client returns.
  void cut_off();

  const Head& head() const { return head_; }
  RequestBody& body() { return body_; }
  Request& request() { return request_; }
  std::string_view remote_address() const { return remote_address_; }
  std::uint16_t remote_port() const { return remote_port_; }
  const char* scheme() const { return transport_ ? transport_->scheme() : "http"; }
  Address local_address() const;

  /// What comes next of the request's body; empty at its end. Stays until drop_piece has taken all of it.
  std::string_view piece();
  void drop_piece(std::size_t size) { piece_.remove_prefix(size); }

  /// Sends a piece of a streamed body.
  void write_piece(std::string_view data);

  ssize_t read_raw(void* buffer, std::size_t size, Deadline until);
  ssize_t write_raw(std::string_view data, Deadline until);

 private:
  enum class Framing { length, chunks, to_the_end };

  bool start();

  bool read_head();
  void make_room();
  bool skip_empty_lines();
  ssize_t fill(Deadline until);
  void fill_body();
  [[noreturn]] void give_up_body(int status);
  [[noreturn]] void lose(int error, const char* what);
  void send_continue();

  void answer();
  Response call_app();
  void log_exception();
  static Response refusal(int status);
  void refuse(int status);
  void send(const Response& response);
  void begin(const Response& response, std::uint64_t length);
  void begin_fields(const Response& response);
  void append_date();
  void stream(const Response& response);
  bool produce(const Response& response);
  void abort();
  void upgrade(const Response& response);
  void write_all(iovec* pieces, int count);
  ssize_t write(const iovec* pieces, int count, Deadline until);
  void drop_body();
  void close_gently();
  void log();

  Server::Core& server_;
  const Socket socket_;
  const int fd_;  // its descriptor
  std::unique_ptr<Transport> transport_;
  std::atomic<bool> idle_{false};
  bool keep_alive_ = false;
  bool at_end_ = false;  // the client sends no more
  bool lost_ = false;    // nor can we
  bool aborted_ = false;
  bool upgraded_ = false;

  // What was read. A head does not move while its request lasts, since everything points into it; the body comes after
  // it.
  const std::size_t capacity_;
  std::unique_ptr<char[]> buffer_;
  std::size_t begin_ = 0, end_ = 0;  // what is not yet used
  std::size_t body_at_ = 0;

  Head head_;
  std::optional<Parser> parser_;
  std::string_view piece_;
  bool body_done_ = false;
  bool continued_ = false;  // the client knows that it may send the body
  Request request_{this};
  RequestBody body_{this};

  time_t date_at_ = -1;  // what date_ says in the form of HTTP
  std::string date_;
  std::string out_;  // the head of the response, and small pieces
  Framing framing_ = Framing::length;
  std::uint64_t left_ = 0;  // of a streamed body with a length
  int status_ = 0;
  std::uint64_t sent_ = 0;  // bytes of the body

  const std::string remote_address_;
  const std::uint16_t remote_port_;
};

}  // namespace guv::inline v1::http
