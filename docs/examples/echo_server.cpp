// An echo server: a green thread for each connection.   echo_server [PORT]   (default 8001, 0: any)
#include <guv/guv.hpp>
#include <guv/net.hpp>

#include <cstdlib>
#include <iostream>

int main(int count, char** arguments) {
  guv::Socket listener = guv::listen("127.0.0.1", count > 1 ? static_cast<std::uint16_t>(std::atoi(arguments[1])) : 8001);
  std::cout << "listening on port " << listener.address().port() << std::endl;
  guv::serve(listener, [](guv::Socket client, const guv::Address&) {
    for (std::string data; !(data = client.recv(4096)).empty();) client.send(data);
  });
}
