// http.h over http.hpp and websocket.hpp.
#include "guv/http.h"

#include <cxxabi.h>

#include <algorithm>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <new>
#include <string>
#include <system_error>

#include "guv/error.hpp"
#include "guv/http.hpp"
#include "guv/websocket.hpp"

using namespace guv;

struct guv_http_server {
  http::Server server;
};

struct guv_http_request {
  http::Request& request;
  std::string path = request.path();
  std::list<std::string> kept = {};      // what the application has asked for
  std::exception_ptr failure = nullptr;  // of reading the body
};

struct guv_http_response {
  http::Response response;
};

struct guv_http_writer {
  http::Writer& writer;
};

struct guv_http_stream {
  http::Stream& stream;
};

struct guv_websocket {
  WebSocket& socket;
  guv_http_request request{socket.request()};
  std::optional<WebSocket::Message> message = std::nullopt;
};

namespace {

/// What `call` returns, or the error of what it throws.
template <class Call>
ssize_t guarded(Call call) {
  try {
    return call();
  } catch (const abi::__forced_unwind&) {
    throw;
  } catch (const GreenExit&) {
    return -ECANCELED;
  } catch (const TimedOut&) {
    return -ETIMEDOUT;
  } catch (const std::system_error& error) {
    return -error.code().value();
  } catch (const http::BadRequest&) {
    return -EBADMSG;
  } catch (const std::invalid_argument&) {
    return -EINVAL;
  } catch (const std::bad_alloc&) {
    return -ENOMEM;
  } catch (...) {
    return -EIO;
  }
}

/// For calls that return nothing: 0 or the error.
template <class Call>
int done(Call call) {
  return static_cast<int>(guarded([&]() -> ssize_t {
    call();
    return 0;
  }));
}

guv_http_text text(std::string_view view) { return {view.data(), view.size()}; }
std::string_view view(const void* data, std::size_t size) { return {static_cast<const char*>(data), size}; }

/// Nothing where there is no memory for it.
template <class Make>
guv_http_text keep(guv_http_request& request, Make make) {
  guv_http_text result{};
  done([&] { result = text(request.kept.emplace_back(make())); });
  return result;
}

void set_size(std::size_t& option, std::size_t size) {
  if (size) option = size;
}

void set_time(std::chrono::milliseconds& option, std::int64_t nanoseconds) {
  if (nanoseconds) option = std::chrono::ceil<std::chrono::milliseconds>(std::chrono::nanoseconds(nanoseconds));
}

class CallbackTransport final : public http::Transport {
 public:
  CallbackTransport(const guv_http_transport& calls, int fd) : calls_(calls), opened_(calls.open(fd, calls.argument)) {}
  ~CallbackTransport() override {
    if (is_open()) calls_.close(opened_);
  }
  CallbackTransport(const CallbackTransport&) = delete;
  CallbackTransport& operator=(const CallbackTransport&) = delete;

  bool is_open() const { return opened_; }

  int start(Deadline until) override { return calls_.start(opened_, until.nanoseconds()); }
  ssize_t read(void* buffer, std::size_t size, Deadline until) override {
    return calls_.read(opened_, buffer, size, until.nanoseconds());
  }
  ssize_t write(const iovec* pieces, int count, Deadline until) override {
    return calls_.write(opened_, pieces, count, until.nanoseconds());
  }
  void finish(Deadline until) override { calls_.finish(opened_, until.nanoseconds()); }
  const char* scheme() const override { return calls_.scheme; }

 private:
  const guv_http_transport calls_;
  void* const opened_;
};

std::function<void(std::string_view)> log_to(guv_http_log log, void* argument) {
  return [=](std::string_view line) { log(text(line), argument); };
}

http::Options options_of(const guv_http_options& from) {
  http::Options options;
  set_size(options.max_request_line, from.max_request_line);
  set_size(options.max_head, from.max_head);
  set_size(options.max_fields, from.max_fields);
  set_size(options.max_connections, from.max_connections);
  if (from.max_body) options.max_body = from.max_body;
  set_time(options.head_timeout, from.head_timeout);
  set_time(options.keep_alive_timeout, from.keep_alive_timeout);
  set_time(options.body_timeout, from.body_timeout);
  set_time(options.send_timeout, from.send_timeout);
  if (from.access_log) options.access_log = http::log_to(from.access_log);
  if (from.error_log > 0) options.error_log = http::log_to(from.error_log);
  if (from.error_log < 0) options.error_log = nullptr;
  if (from.access_line) options.access_log = log_to(from.access_line, from.log_argument);
  if (from.error_line) options.error_log = log_to(from.error_line, from.log_argument);
  if (from.server) options.server = from.server;
  if (from.transport) {
    options.transport = [calls = *from.transport](int fd) {
      auto made = std::make_unique<CallbackTransport>(calls, fd);
      return made->is_open() ? std::move(made) : nullptr;
    };
  }
  return options;
}

WebSocketOptions options_of(const guv_websocket_options& from, void* argument) {
  WebSocketOptions options;
  set_size(options.max_message, from.max_message);
  for (const char* const* each = from.protocols; each && *each; ++each) options.protocols.emplace_back(*each);
  options.compress = from.compress;
  if (from.compress_window_bits) options.compress_window_bits = from.compress_window_bits;
  options.compress_context = !from.compress_no_context;
  set_time(options.send_timeout, from.send_timeout);
  set_time(options.close_timeout, from.close_timeout);
  if (from.allow_origin) {
    options.allow_origin = [=, allow = from.allow_origin](std::string_view origin) {
      return allow(text(origin), argument) != 0;
    };
  }
  return options;
}

http::App app_of(guv_http_app app, void* argument) {
  return [=](http::Request& request) {
    guv_http_request asked{request};
    guv_http_response answer;
    const int error = app(&asked, &answer, argument);
    if (error >= 0) return std::move(answer.response);
    if (asked.failure) std::rethrow_exception(asked.failure);
    throw std::system_error(-error, std::generic_category());
  };
}

}  // namespace

extern "C" {

int guv_http_server_new(guv_http_server** server, int listener, guv_http_app app, void* argument,
                        const guv_http_options* options) {
  return done([&] {
    auto chosen = options ? options_of(*options) : http::Options();
    *server = new guv_http_server{http::Server(listener, app_of(app, argument), std::move(chosen))};
  });
}

int guv_http_server_run(guv_http_server* server) {
  return done([&] { server->server.run(); });
}

void guv_http_server_stop(guv_http_server* server, int64_t grace) {
  server->server.stop(std::chrono::ceil<std::chrono::milliseconds>(std::chrono::nanoseconds(grace)));
}

size_t guv_http_server_connections(const guv_http_server* server) { return server->server.connections(); }

void guv_http_server_free(guv_http_server* server) { delete server; }

guv_http_text guv_http_request_method(const guv_http_request* request) { return text(request->request.method()); }
guv_http_text guv_http_request_target(const guv_http_request* request) { return text(request->request.target()); }
guv_http_text guv_http_request_path(guv_http_request* request) { return text(request->path); }
guv_http_text guv_http_request_query(const guv_http_request* request) { return text(request->request.query()); }

guv_http_text guv_http_request_parameter(guv_http_request* request, const char* name) {
  const auto value = request->request.parameter(name);
  return value ? keep(*request, [&] { return *value; }) : guv_http_text{};
}

int guv_http_request_version(const guv_http_request* request) { return request->request.version(); }

guv_http_text guv_http_request_header(const guv_http_request* request, const char* name) {
  return text(request->request.header(name));
}

int guv_http_request_field(const guv_http_request* request, size_t index, guv_http_text* name, guv_http_text* value) {
  const auto fields = request->request.headers();
  if (index >= fields.size()) return 0;
  *name = text(fields[index].name);
  *value = text(fields[index].value);
  return 1;
}

guv_http_text guv_http_request_remote_address(const guv_http_request* request) {
  return text(request->request.remote_address());
}

guv_http_text guv_http_request_environ(guv_http_request* request, const char* name) {
  return keep(*request, [&] { return request->request.environ(name); });
}

int64_t guv_http_request_length(const guv_http_request* request) {
  const auto length = request->request.body().length();
  return length ? static_cast<int64_t>(*length) : -1;
}

ssize_t guv_http_request_read(guv_http_request* request, void* buffer, size_t size) {
  return guarded([&]() -> ssize_t {
    try {
      return static_cast<ssize_t>(request->request.body().read(static_cast<char*>(buffer), size));
    } catch (const std::exception&) {
      request->failure = std::current_exception();
      throw;
    }
  });
}

int guv_http_response_status(guv_http_response* response, int status) {
  return done([&] { response->response.status(status); });
}

int guv_http_response_set(guv_http_response* response, const char* name, const char* value) {
  return done([&] { response->response.set(name, value); });
}

int guv_http_response_add(guv_http_response* response, const char* name, const char* value) {
  return done([&] { response->response.add(name, value); });
}

int guv_http_response_body(guv_http_response* response, const void* data, size_t size) {
  return done([&] { response->response.body(std::string(view(data, size))); });
}

int guv_http_response_stream(guv_http_response* response, int (*produce)(guv_http_writer* writer, void* argument),
                             void* argument) {
  return done([&] {
    response->response = http::Response::stream([=](http::Writer& writer) {
      guv_http_writer given{writer};
      detail::check(produce(&given, argument));
    });
  });
}

int guv_http_write(guv_http_writer* writer, const void* data, size_t size) {
  return done([&] { writer->writer.write(view(data, size)); });
}

int guv_http_response_upgrade(guv_http_response* response, const char* protocol,
                              void (*handler)(guv_http_stream* stream, void* argument), void* argument) {
  return done([&] {
    response->response = http::Response::upgrade(protocol, [=](http::Stream& stream) {
      guv_http_stream given{stream};
      handler(&given, argument);
    });
  });
}

ssize_t guv_http_stream_read(guv_http_stream* stream, void* buffer, size_t size, int64_t deadline) {
  return stream->stream.read(buffer, size, Deadline::at(deadline));
}

int guv_http_stream_write(guv_http_stream* stream, const void* data, size_t size, int64_t deadline) {
  const ssize_t written = stream->stream.write(view(data, size), Deadline::at(deadline));
  return written < 0 ? static_cast<int>(written) : 0;
}

void guv_http_stream_shutdown(guv_http_stream* stream) { stream->stream.shutdown(); }

int guv_http_response_websocket(guv_http_response* response, guv_http_request* request, guv_websocket_handler handler,
                                void* argument, const guv_websocket_options* options) {
  return done([&] {
    auto chosen = options ? options_of(*options, argument) : WebSocketOptions();
    const auto answer = [=](WebSocket& socket) {
      guv_websocket given{socket};
      handler(&given, argument);
    };
    response->response = websocket(answer, std::move(chosen))(request->request);
  });
}

int guv_websocket_wait(guv_websocket* socket, guv_websocket_message* message, int64_t deadline) {
  return static_cast<int>(guarded([&]() -> ssize_t {
    socket->message = socket->socket.wait(Deadline::at(deadline));
    if (!socket->message) return 0;
    *message = {socket->message->data.data(), socket->message->data.size(), socket->message->is_text};
    return 1;
  }));
}

int guv_websocket_send(guv_websocket* socket, const void* data, size_t size, int is_text) {
  return done([&] { is_text ? socket->socket.send(view(data, size)) : socket->socket.send_binary(view(data, size)); });
}

int guv_websocket_ping(guv_websocket* socket, const void* data, size_t size) {
  return done([&] { socket->socket.ping(view(data, size)); });
}

int guv_websocket_close(guv_websocket* socket, uint16_t code, const char* reason) {
  return done([&] { socket->socket.close(code, reason ? reason : ""); });
}

uint16_t guv_websocket_close_code(const guv_websocket* socket) { return socket->socket.close_code(); }
guv_http_text guv_websocket_close_reason(const guv_websocket* socket) { return text(socket->socket.close_reason()); }
guv_http_text guv_websocket_protocol(const guv_websocket* socket) { return text(socket->socket.protocol()); }
guv_http_request* guv_websocket_request(guv_websocket* socket) { return &socket->request; }

void guv_http_format_date_time(time_t when, char text[30]) {
  const std::string formatted = http::format_date_time(when);
  formatted.copy(text, 29);
  text[std::min<std::size_t>(formatted.size(), 29)] = 0;
}

const char* guv_http_reason_phrase(int status) { return http::reason_phrase(status).data(); }

}  // extern "C"
