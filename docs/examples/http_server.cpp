// An HTTP server.   http_server [PORT]   (default 8001, 0: any);   wrk -c 100 http://127.0.0.1:8001/
#include <guv/http.hpp>
#include <guv/net.hpp>

#include <cstdlib>
#include <iostream>

int main(int count, char** arguments) {
  guv::Socket listener = guv::listen("127.0.0.1", count > 1 ? static_cast<std::uint16_t>(std::atoi(arguments[1])) : 8001);
  std::cout << "listening on port " << listener.address().port() << std::endl;
  guv::http::serve(listener.fd(), [](guv::http::Request& request) -> guv::http::Response {
    if (request.path() == "/") return "Hello, world!";
    if (request.path() == "/echo") return request.body().read();
    return guv::http::Response(404, "there is no " + request.path() + "\n");
  });
}
