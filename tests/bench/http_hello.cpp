// A server with one answer: http_hello PORT.
#include <cstdlib>
#include <guv/http.hpp>
#include <guv/net.hpp>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const guv::Socket listener = guv::listen("127.0.0.1", static_cast<std::uint16_t>(std::atoi(argv[1])));
  guv::http::serve(listener.fd(), [](guv::http::Request&) { return guv::http::Response("Hello, world!"); });
}
