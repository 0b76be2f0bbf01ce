// HTTPS, and a client of it in the same process: tls_server CERTIFICATES KEY. Prints "listening PORT"; SIGTERM ends it.
#include <signal.h>

#include <cstdio>
#include <guv/https.hpp>
#include <guv/ssl.hpp>
#include <guv/websocket.hpp>

namespace {

guv::http::Server* server;

/// What /hello says, fetched over TLS by a client that trusts this certificate only.
std::string fetch(const std::string& authorities, const std::string& name, std::uint16_t port) try {
  const auto context = guv::SslContext::client(authorities);
  guv::SslSocket tls = guv::wrap_ssl(guv::connect("127.0.0.1", port), context, name);
  tls.send("GET /hello HTTP/1.1\r\nHost: " + name + "\r\nConnection: close\r\n\r\n");
  std::string answer;
  for (std::string part; !(part = tls.recv(1000)).empty();) answer += part;
  return answer.substr(answer.find("\r\n\r\n") + 4);
} catch (const guv::SslError& error) {
  return error.what();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const guv::Socket listener = guv::listen("127.0.0.1", 0);
  const std::uint16_t port = listener.address().port();
  const auto echo = guv::websocket([](guv::WebSocket& socket) {
    while (const auto message = socket.wait()) socket.send(message->data);
  });
  const auto application = [=](guv::http::Request& request) -> guv::http::Response {
    if (request.path() == "/echo") return request.body().read();
    if (request.path() == "/ws") return echo(request);
    if (request.path() == "/big") return std::string(1 << 21, 'x');
    if (request.path() == "/fetch") {
      const std::string from = request.parameter("port").value_or(std::to_string(port));
      return fetch(argv[1], request.parameter("name").value_or("localhost"),
                   static_cast<std::uint16_t>(std::stoi(from)));
    }
    return "Hello, " + request.environ("REQUEST_SCHEME") + "!";
  };
  const guv::http::Options options{.head_timeout = std::chrono::milliseconds(5000),
                                   .transport = guv::http::over_ssl(guv::SslContext::server(argv[1], argv[2]))};
  guv::http::Server one(listener.fd(), application, options);
  server = &one;
  signal(SIGTERM, [](int) { server->stop(); });
  std::printf("listening %d\n", port);
  std::fflush(stdout);
  one.run();
}
