// The application that the tests of libguv_http talk to: http_server [name=value…], with Options. Prints
// "listening PORT". SIGTERM ends it gracefully.
#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <guv/green_thread.hpp>
#include <guv/http.hpp>
#include <guv/net.hpp>
#include <guv/trampoline.hpp>
#include <guv/websocket.hpp>
#include <stdexcept>
#include <string>

using guv::http::Options;
using guv::http::Request;
using guv::http::Response;
using guv::http::Writer;

namespace {

guv::http::Server* server;
std::chrono::milliseconds grace{60'000};

Response environ(Request& request) {
  std::string text;
  for (const auto& [name, value] : request.environ()) text.append(name).append("=").append(value).append("\n");
  return text;
}

Response lines(Request& request) {
  std::string text;
  for (const std::string& line : request.body()) text.append("[").append(line).append("]");
  return text;
}

/// Until the test says so on standard input.
Response held() {
  char byte;
  guv::trampoline(STDIN_FILENO, guv::READ);
  [[maybe_unused]] const ssize_t size = read(STDIN_FILENO, &byte, 1);
  return "held\n";
}

Response leak() {
  static std::string* volatile kept;
  kept = new std::string("kept by nobody\n");
  Response response(*kept);
  kept = nullptr;
  return response;
}

Response counted() {
  return Response::generate([n = 0]() mutable -> std::optional<std::string> {
    if (n == 5) return std::nullopt;
    return std::to_string(n++) + "\n";
  });
}

Response broken_after(std::size_t pieces) {
  return Response::stream([pieces](Writer& writer) {
    for (std::size_t i = 0; i < pieces; ++i) writer.write("piece\n");
    throw std::runtime_error("broken on purpose");
  });
}

/// Does not mind that the client does not read, and ends the response as if it had been sent.
void be_stubborn(Writer& writer) {
  try {
    for (const std::string piece(1 << 20, 'x');;) writer.write(piece);
  } catch (const std::system_error&) {
    std::printf("gave up\n");
    std::fflush(stdout);
  }
}

void echo(guv::WebSocket& socket) {
  while (const auto message = socket.wait()) {
    message->is_text ? socket.send(message->data) : socket.send_binary(message->data);
  }
  std::printf("closed with %d \"%s\"\n", socket.close_code(), socket.close_reason().c_str());
  std::fflush(stdout);
}

void describe(guv::WebSocket& socket) {
  socket.send(socket.path() + " " + std::string(socket.origin()) + " " + socket.protocol() + " " +
              socket.environ()["HTTP_HOST"]);
}

/// Sends in one thread while it waits in another.
void tick(guv::WebSocket& socket) {
  bool open = true;
  auto ticker = guv::spawn([&] {
    for (int i = 0; open; ++i) {
      socket.send("tick " + std::to_string(i));
      guv::sleep(std::chrono::milliseconds(5));
    }
  });
  try {
    while (const auto message = socket.wait()) socket.send(message->data);
  } catch (const std::system_error&) {
    // It was closed while we sent; the ticker must end before what it uses does.
  }
  open = false;
  ticker.join();
}

void time_out(guv::WebSocket& socket) {
  try {
    socket.wait(std::chrono::milliseconds(20));
  } catch (const guv::TimedOut&) {
    socket.send("timed out");
  }
  socket.close(4000, "that was it");
  const bool closed = !socket.wait();
  std::printf("%s, %d\n", closed ? "closed" : "open", socket.close_code());
  try {
    socket.send("too late");
  } catch (const std::system_error& error) {
    std::printf("%s\n", error.code() == std::errc::broken_pipe ? "EPIPE" : error.what());
  }
  std::fflush(stdout);
}

/// Whether this throws EINVAL.
template <class Call>
bool is_invalid(Call call) {
  try {
    call();
  } catch (const std::system_error& error) {
    return error.code() == std::errc::invalid_argument;
  }
  return false;
}

/// Tries what RFC 6455 does not allow to send.
void misuse(guv::WebSocket& socket) {
  bool refused = is_invalid([&] { socket.ping(std::string(126, 'x')); }) &&
                 is_invalid([&] { socket.close(1000, std::string(124, 'x')); });
  for (const std::uint16_t code : {0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535}) {
    refused = refused && is_invalid([&] { socket.close(code); });
  }
  socket.send(refused ? "refused" : "sent");
  socket.close(1013);
  socket.wait();
}

/// What a browser runs: it checks a WebSocket of ours, and asks for /report with what it found.
constexpr char page[] = R"(<!doctype html><title>guv</title><script>
const text = 'h\u00e9llo \u{1f600}'.repeat(5000), bytes = new Uint8Array(70000).map((_, i) => i * 7);
const report = what => fetch('/report?name=' + encodeURIComponent(what));
const socket = new WebSocket(`ws://${location.host}/ws/chosen`, ['other', 'good']);
socket.binaryType = 'arraybuffer';
const messages = [];
socket.onopen = () => { socket.send(text); socket.send(bytes); };
socket.onerror = () => report('error');
socket.onmessage = ({data}) => {
  messages.push(data);
  if (messages.length < 2) return;
  const same = new Uint8Array(messages[1]);
  if (messages[0] !== text) return report('other text');
  if (same.length !== bytes.length || same.some((byte, i) => byte !== bytes[i])) return report('other bytes');
  socket.close(4321, 'done');
};
socket.onclose = ({code, reason, wasClean}) =>
  report(`${socket.protocol} ${socket.extensions.split(';')[0]} ${code} ${reason} ${wasClean}`);
</script>)";

guv::WebSocketOptions chosen() {
  return {.max_message = 100000, .protocols = {"best", "good"}, .allow_origin = [](std::string_view origin) {
            return origin != "http://evil";
          }};
}

const std::map<std::string, guv::http::App> sockets{
    {"/ws/echo", guv::websocket(echo)},
    {"/ws/describe", guv::websocket(describe, chosen())},
    {"/ws/small", guv::websocket(echo, chosen())},
    {"/ws/chosen", guv::websocket(echo, {.protocols = {"best", "good"}, .compress = true})},
    {"/ws/deflate", guv::websocket(echo, {.max_message = 100000, .compress = true})},
    {"/ws/deflate-small",
     guv::websocket(echo, {.compress = true, .compress_window_bits = 9, .compress_context = false})},
    {"/ws/tick", guv::websocket(tick)},
    {"/ws/time-out", guv::websocket(time_out)},
    {"/ws/misuse", guv::websocket(misuse)},
    {"/ws/throw", guv::websocket([](guv::WebSocket&) { throw std::runtime_error("thrown on purpose"); })},
};

Response application(Request& request) {
  const std::string path = request.path();
  if (path == "/hello") return "Hello, world!";
  if (path == "/echo") return request.body().read();
  if (path == "/environ") return environ(request);
  if (path == "/lines") return lines(request);
  if (path == "/ignore") return "ignored\n";
  if (path == "/count") return counted();
  if (path == "/exact") return Response::stream([](Writer& w) { w.write("12345"); }).set("Content-Length", "5");
  if (path == "/short") return Response::stream([](Writer& w) { w.write("123"); }).set("Content-Length", "5");
  if (path == "/stubborn") return Response::stream(be_stubborn);
  if (path == "/throw") throw std::runtime_error("thrown on purpose");
  if (path == "/throw-other") throw 42;
  if (path == "/broken") return broken_after(2);
  if (path == "/broken-at-once") return broken_after(0);
  if (path == "/memory") return std::to_string(mallinfo2().uordblks);
  if (path == "/leak") return leak();
  if (path == "/none") return Response(204);
  if (path == "/created") return Response(201, "made\n").set("Location", "/made").set("Content-Type", "text/x-made");
  if (path == "/cookies") return Response("two\n").add("Set-Cookie", "a=1").add("Set-Cookie", "b=2");
  if (path == "/split") return Response().set("X-Bad", "a\r\nSet-Cookie: b=2");
  if (path == "/close") return Response("bye\n").set("Connection", "close");
  if (path == "/big") return std::string(1 << 24, 'x');
  if (path == "/held") return held();
  if (path == "/page") return Response(page).set("Content-Type", "text/html; charset=utf-8");
  if (path == "/parameter" || path == "/report") return request.parameter("name").value_or("(none)");
  if (const auto socket = sockets.find(path); socket != sockets.end()) return socket->second(request);
  return Response(404, "no " + path + "\n");
}

void set_option(Options& options, const std::string& name, const std::string& value) {
  const std::size_t number = std::strtoull(value.c_str(), nullptr, 10);
  const std::chrono::milliseconds time{number};
  if (name == "max_request_line")
    options.max_request_line = number;
  else if (name == "max_head")
    options.max_head = number;
  else if (name == "max_fields")
    options.max_fields = number;
  else if (name == "max_body")
    options.max_body = number;
  else if (name == "max_connections")
    options.max_connections = number;
  else if (name == "head_timeout")
    options.head_timeout = time;
  else if (name == "keep_alive_timeout")
    options.keep_alive_timeout = time;
  else if (name == "body_timeout")
    options.body_timeout = time;
  else if (name == "send_timeout")
    options.send_timeout = time;
  else if (name == "grace")
    grace = time;
  else if (name == "access_log")
    options.access_log = guv::http::log_to(static_cast<int>(number));
  else
    throw std::invalid_argument(name);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const std::size_t equals = argument.find('=');
    set_option(options, argument.substr(0, equals), argument.substr(equals + 1));
  }
  const guv::Socket listener = guv::listen("127.0.0.1", 0);
  std::printf("listening %d\n", listener.address().port());
  std::fflush(stdout);
  guv::http::Server one(listener.fd(), application, options);
  server = &one;
  signal(SIGTERM, [](int) { server->stop(grace); });
  one.run();
  std::printf("stopped with %zu connections\n", one.connections());
}
