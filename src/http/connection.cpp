#include "http/connection.hpp"

#include <cxxabi.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <system_error>

#include "http/log.hpp"
#include "http/text.hpp"

namespace guv::inline v1::http {

namespace {

// Between the head and the end of the buffer there is at least so much room for the body.
constexpr std::size_t body_room = 4096;
// A request that begins further in the buffer is moved to its front.
constexpr std::size_t pipeline_room = 4096;

// Of a body that the application did not want we read so much, to keep the connection.
constexpr std::size_t max_dropped = 65536;

// Closing with bytes unread makes the kernel send a reset, and the client may lose the response with it. So we read on.
constexpr std::chrono::seconds linger_time{2};

bool may_have_body(int status) { return status >= 200 && status != 204 && status != 304; }

}  // namespace

Connection::Connection(Server::Core& server, Socket socket, const Address& peer)
    : server_(server),
      socket_(std::move(socket)),
      fd_(socket_.fd()),
      capacity_(pipeline_room + server.options.max_head + body_room),
      buffer_(std::make_unique_for_overwrite<char[]>(capacity_)),
      remote_address_(peer.host()),
      remote_port_(peer.port()) {}

void Connection::close_if_idle() {
  if (idle_) shutdown(fd_, SHUT_RD);
}

void Connection::cut_off() { shutdown(fd_, SHUT_RDWR); }

Address Connection::local_address() const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
  return {reinterpret_cast<const sockaddr*>(&address), size};
}

void Connection::run() {
  try {
    if (!start()) return;
    do {
      if (!read_head()) break;
      answer();
    } while (keep_alive_);
    close_gently();
  } catch (const std::system_error&) {
    // The client is gone, or too slow.
  } catch (const GreenExit&) {
    // The application ended its thread.
  }
}

bool Connection::start() {
  // A response is one write: there is nothing to wait for.
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (!server_.options.transport) return true;
  transport_ = server_.options.transport(fd_);
  return transport_ && transport_->start(Deadline(server_.options.head_timeout)) == 0;
}

// ---- reading

bool Connection::read_head() {
  make_room();
  parser_.emplace(head_, server_.options);
  piece_ = {};
  body_done_ = continued_ = false;

  bool begun = false;
  Deadline until(server_.options.keep_alive_timeout);
  for (;;) {
    const bool is_empty = !begun && skip_empty_lines();
    std::size_t used = 0;
    const auto step = is_empty ? Parser::Step::more : parser_->feed({&buffer_[begin_], end_ - begin_}, used);
    begin_ += used;
    if (step == Parser::Step::head) break;
    if (step == Parser::Step::bad) return refuse(parser_->status()), false;
    if (!begun && parser_->begun()) {
      begun = true;
      until = Deadline(server_.options.head_timeout);
    }
    idle_ = !begun;
    if (idle_ && server_.stopping()) return false;
    const ssize_t size = fill(until);
    idle_ = false;
    if (size == -ETIMEDOUT && begun) return refuse(408), false;
    if (size <= 0) return false;
  }
  body_at_ = begin_;
  body_done_ = !head_.chunked && head_.length.value_or(0) == 0;
  keep_alive_ = head_.keep_alive;
  return true;
}

void Connection::make_room() {
  if (begin_ != end_ && begin_ <= pipeline_room) return;
  std::memmove(&buffer_[0], &buffer_[begin_], end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
}

// RFC 9112, 2.2: old clients send one after a body. Returns whether there is nothing else, be it half of one.
bool Connection::skip_empty_lines() {
  while (end_ - begin_ >= 2 && buffer_[begin_] == '\r' && buffer_[begin_ + 1] == '\n') begin_ += 2;
  make_room();
  return begin_ == end_ || (end_ - begin_ == 1 && buffer_[begin_] == '\r');
}

ssize_t Connection::fill(Deadline until) {
  char* const place = &buffer_[end_];
  const std::size_t room = capacity_ - end_;
  const ssize_t size =
      transport_ ? transport_->read(place, room, until) : guv_recv(fd_, place, room, 0, until.nanoseconds());
  if (size > 0) end_ += static_cast<std::size_t>(size);
  if (size == 0) at_end_ = true;
  return size;
}

std::string_view Connection::piece() {
  while (piece_.empty() && !body_done_) {
    std::size_t used;
    const Parser::Step step = parser_->feed({&buffer_[begin_], end_ - begin_}, used);
    begin_ += used;
    switch (step) {
      case Parser::Step::body: piece_ = parser_->piece(); break;
      case Parser::Step::done: body_done_ = true; break;
      case Parser::Step::more: fill_body(); break;
      default: give_up_body(parser_->status());
    }
  }
  return piece_;
}

void Connection::fill_body() {
  if (head_.expects_continue && !continued_) send_continue();
  std::memmove(&buffer_[body_at_], &buffer_[begin_], end_ - begin_);
  end_ -= begin_ - body_at_;
  begin_ = body_at_;
  if (end_ == capacity_) give_up_body(400);  // a line of the chunked coding that does not end
  const ssize_t size = fill(Deadline(server_.options.body_timeout));
  if (size > 0) return;
  if (size == -ETIMEDOUT) give_up_body(408);
  lose(size == 0 ? ECONNRESET : static_cast<int>(-size), "request body");
}

void Connection::give_up_body(int status) {
  keep_alive_ = false;
  throw BadRequest(status);
}

void Connection::lose(int error, const char* what) {
  lost_ = true;
  throw std::system_error(error, std::generic_category(), what);
}

void Connection::send_continue() {
  continued_ = true;
  char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
  iovec piece{line, sizeof line - 1};
  write_all(&piece, 1);
}

// ---- answering

void Connection::answer() {
  sent_ = 0;
  try {
    send(call_app());
  } catch (...) {
    log();
    throw;
  }
  log();
  if (keep_alive_) drop_body();
}

Response Connection::call_app() {
  try {
    return server_.app(request_);
  } catch (const BadRequest& bad) {
    return refusal(bad.status());
  } catch (...) {
    log_exception();
  }
  return refusal(500);
}

// Of the application, in a catch block. What ends the thread, or the connection, is thrown on.
void Connection::log_exception() {
  try {
    throw;
  } catch (const abi::__forced_unwind&) {
    throw;  // it is being cancelled
  } catch (const GreenExit&) {
    throw;
  } catch (const TimedOut&) {
    server_.log_error("the application threw: timed out");
  } catch (const std::exception& error) {
    if (lost_) throw;
    server_.log_error(std::string("the application threw: ") + error.what());
  } catch (...) {
    server_.log_error("the application threw something that is no std::exception");
  }
}

Response Connection::refusal(int status) {
  std::string text;
  append_number(text, static_cast<std::uint64_t>(status));
  text.append(" ").append(reason_phrase(status)).append("\n");
  return Response(status, std::move(text));
}

void Connection::refuse(int status) {
  keep_alive_ = false;
  sent_ = 0;
  send(refusal(status));
  log();
}

void Connection::send(const Response& response) {
  status_ = response.status_;
  keep_alive_ =
      keep_alive_ && !response.close_ && !server_.stopping() && !(head_.expects_continue && !continued_ && !body_done_);
  if (response.upgrade_) return upgrade(response);
  if (response.produce_) return stream(response);
  framing_ = Framing::length;
  begin(response, response.body_.size());
  iovec pieces[] = {{out_.data(), out_.size()}, {const_cast<char*>(response.body_.data()), response.body_.size()}};
  const bool with_body = may_have_body(status_) && head_.method != "HEAD";
  write_all(pieces, with_body ? 2 : 1);
  if (with_body) sent_ = response.body_.size();
  out_.clear();
}

// Writes the head of the response to out_.
void Connection::begin(const Response& response, std::uint64_t length) {
  out_ = "HTTP/1.1 ";
  append_number(out_, static_cast<std::uint64_t>(status_));
  out_.append(" ").append(reason_phrase(status_)).append("\r\n");
  begin_fields(response);
  if (may_have_body(status_)) {
    if (!response.has_type_ && (length > 0 || framing_ != Framing::length)) {
      out_ += "Content-Type: text/plain; charset=utf-8\r\n";
    }
    if (framing_ == Framing::length) {
      out_ += "Content-Length: ";
      append_number(out_, length);
      out_ += "\r\n";
    } else if (framing_ == Framing::chunks) {
      out_ += "Transfer-Encoding: chunked\r\n";
    }
  }
  if (!keep_alive_) {
    out_ += "Connection: close\r\n";
  } else if (head_.version < 11) {
    out_ += "Connection: keep-alive\r\n";
  }
  out_ += "\r\n";
}

void Connection::begin_fields(const Response& response) {
  if (!response.has_date_) {
    out_ += "Date: ";
    append_date();
    out_ += "\r\n";
  }
  if (!response.has_server_ && !server_.options.server.empty()) {
    out_.append("Server: ").append(server_.options.server).append("\r\n");
  }
  out_ += response.fields_;
}

void Connection::append_date() {
  timespec now;
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (now.tv_sec != date_at_) {
    date_ = format_date_time(now.tv_sec);
    date_at_ = now.tv_sec;
  }
  out_ += date_;
}

void Connection::stream(const Response& response) {
  framing_ = response.length_ ? Framing::length : head_.version >= 11 ? Framing::chunks : Framing::to_the_end;
  if (framing_ == Framing::to_the_end) keep_alive_ = false;
  left_ = response.length_.value_or(0);
  begin(response, left_);
  if (may_have_body(status_) && head_.method != "HEAD") {
    if (!produce(response)) return;
    if (framing_ == Framing::chunks) out_ += "0\r\n\r\n";
  }
  iovec piece{out_.data(), out_.size()};
  write_all(&piece, 1);
  out_.clear();
}

// Whether the body is whole.
bool Connection::produce(const Response& response) {
  try {
    Writer writer(this);
    response.produce_(writer);
    if (framing_ != Framing::length || left_ == 0) return true;
    server_.log_error("the application wrote less than its Content-Length");
  } catch (...) {
    log_exception();
  }
  if (sent_ == 0) {  // so nor is the head
    send(refusal(500));
  } else {
    abort();
  }
  return false;
}

// Nothing more is sent, and the client must not take the end of the connection for the end of the body.
void Connection::abort() {
  keep_alive_ = false;
  at_end_ = true;
  const linger at_once{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  aborted_ = true;
}

void Connection::write_piece(std::string_view data) {
  if (data.empty()) return;
  if (framing_ == Framing::length) {
    if (data.size() > left_) throw std::length_error("more was written than Content-Length");
    left_ -= data.size();
  }
  const bool chunk = framing_ == Framing::chunks;
  if (chunk) {
    append_number(out_, data.size(), 16);
    out_ += "\r\n";
  }
  iovec pieces[] = {
      {out_.data(), out_.size()}, {const_cast<char*>(data.data()), data.size()}, {const_cast<char*>("\r\n"), 2}};
  write_all(pieces, chunk ? 3 : 2);
  sent_ += data.size();
  out_.clear();
}

void Connection::upgrade(const Response& response) {
  keep_alive_ = false;
  upgraded_ = true;
  out_ = "HTTP/1.1 101 Switching Protocols\r\n";
  begin_fields(response);
  out_ += "Connection: Upgrade\r\n\r\n";
  iovec piece{out_.data(), out_.size()};
  write_all(&piece, 1);
  idle_ = true;  // a server that stops lets the other protocol see the end of its input
  if (server_.stopping()) close_if_idle();
  try {
    Stream stream(this);
    response.upgrade_(stream);
  } catch (...) {
    log_exception();
  }
}

ssize_t Connection::read_raw(void* buffer, std::size_t size, Deadline until) {
  if (begin_ == end_)
    return transport_ ? transport_->read(buffer, size, until) : guv_recv(fd_, buffer, size, 0, until.nanoseconds());
  const std::size_t part = std::min(size, end_ - begin_);
  std::memcpy(buffer, &buffer_[begin_], part);
  begin_ += part;
  return static_cast<ssize_t>(part);
}

ssize_t Connection::write_raw(std::string_view data, Deadline until) {
  for (std::size_t done = 0; done < data.size();) {
    const iovec piece{const_cast<char*>(data.data()) + done, data.size() - done};
    const ssize_t size = write(&piece, 1, until);
    if (size < 0) return size;
    done += static_cast<std::size_t>(size);
  }
  return static_cast<ssize_t>(data.size());
}

void Connection::write_all(iovec* pieces, int count) {
  if (aborted_) lose(EPIPE, "response");
  while (count > 0) {
    const ssize_t size = write(pieces, count, Deadline(server_.options.send_timeout));
    if (size < 0) {
      abort();
      lose(static_cast<int>(-size), "response");
    }
    auto left = static_cast<std::size_t>(size);
    for (; count > 0 && left >= pieces->iov_len; ++pieces, --count) left -= pieces->iov_len;
    if (count == 0) return;
    pieces->iov_base = static_cast<char*>(pieces->iov_base) + left;
    pieces->iov_len -= left;
  }
}

ssize_t Connection::write(const iovec* pieces, int count, Deadline until) {
  return transport_ ? transport_->write(pieces, count, until)
                    : guv_sendv(fd_, pieces, count, MSG_NOSIGNAL, until.nanoseconds());
}

void Connection::drop_body() {
  try {
    for (std::size_t dropped = 0; !piece().empty(); piece_ = {}) {
      dropped += piece_.size();
      if (dropped > max_dropped) {
        keep_alive_ = false;
        return;
      }
    }
  } catch (const BadRequest&) {
    keep_alive_ = false;
  }
}

void Connection::close_gently() {
  if (aborted_) return;
  const Deadline until(linger_time);
  if (transport_) transport_->finish(until);
  shutdown(fd_, SHUT_WR);
  if (body_done_ && begin_ == end_ && !upgraded_) return;
  begin_ = end_ = 0;
  while (!at_end_ && fill(until) > 0) end_ = 0;
}

void Connection::log() {
  if (!server_.options.access_log) return;
  server_.options.access_log(log_line(head_, remote_address_, status_, sent_));
}

}  // namespace guv::inline v1::http
