// The application that the tests of libguv_http talk to: http_server [name=value…], with Options. Prints
// "listening PORT". SIGTERM ends it gracefully.
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <guv/green_thread.hpp>
#include <guv/http.hpp>
#include <stdexcept>
#include <string>

using guv::http::Options;
using guv::http::Request;
using guv::http::Response;
using guv::http::Writer;

namespace {

guv::http::Server* server;
std::chrono::milliseconds grace{5000};

int listen_on_loopback() {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), length) || listen(listener, 511) ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length)) {
    std::perror("listen");
    std::exit(1);
  }
  std::printf("listening %d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return listener;
}

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
  if (path == "/throw") throw std::runtime_error("thrown on purpose");
  if (path == "/throw-other") throw 42;
  if (path == "/broken") return broken_after(2);
  if (path == "/broken-at-once") return broken_after(0);
  if (path == "/none") return Response(204);
  if (path == "/created") return Response(201, "made\n").set("Location", "/made").set("Content-Type", "text/x-made");
  if (path == "/cookies") return Response("two\n").add("Set-Cookie", "a=1").add("Set-Cookie", "b=2");
  if (path == "/split") return Response().set("X-Bad", "a\r\nSet-Cookie: b=2");
  if (path == "/close") return Response("bye\n").set("Connection", "close");
  if (path == "/big") return std::string(1 << 24, 'x');
  if (path == "/slow") {
    guv::sleep(std::chrono::milliseconds(300));
    return "slow\n";
  }
  if (path == "/parameter") return request.parameter("name").value_or("(none)");
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
  const int listener = listen_on_loopback();
  guv::http::Server one(listener, application, options);
  server = &one;
  signal(SIGTERM, [](int) { server->stop(grace); });
  one.run();
  std::printf("stopped with %zu connections\n", one.connections());
}
