// How a server ends, or goes on, when its listener fails.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <guv/http.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <guv/green_thread.hpp>
#include <guv/http.hpp>
#include <guv/net.hpp>
#include <string>
#include <system_error>

using namespace std::chrono_literals;

namespace {

guv::http::Response hello(guv::http::Request&) { return "hello"; }

int c_hello(guv_http_request*, guv_http_response* response, void*) {
  return guv_http_response_body(response, "hello", 5);
}

/// What run() throws, in C++, and returns, in C: both must be the same.
int error_of_both(int listener) {
  guv_http_server* in_c = nullptr;
  EXPECT_EQ(guv_http_server_new(&in_c, listener, c_hello, nullptr, nullptr), 0);
  const int error = -guv_http_server_run(in_c);
  guv_http_server_free(in_c);
  try {
    guv::http::serve(listener, hello);
  } catch (const std::system_error& thrown) {
    EXPECT_EQ(thrown.code().value(), error);
    return thrown.code().value();
  }
  ADD_FAILURE() << "nothing was thrown";
  return 0;
}

/// The whole answer to one request.
std::string ask(const guv::Address& server) {
  guv::Socket client = guv::connect(server);
  client.send("GET / HTTP/1.0\r\n\r\n");
  std::string answer;
  for (std::string part; !(part = client.recv(1000)).empty();) answer += part;
  return answer;
}

TEST(Listener, OneThatIsNoneEndsTheServerAtOnce) {
  const guv::Socket unbound(socket(AF_INET, SOCK_STREAM, 0));
  EXPECT_EQ(error_of_both(unbound.fd()), EINVAL);
  EXPECT_EQ(error_of_both(-1), EBADF);
  const guv::Socket file(open("/dev/null", O_RDONLY));
  EXPECT_EQ(error_of_both(file.fd()), ENOTSOCK);
}

TEST(Listener, ShuttingItDownEndsTheServer) {
  const guv::Socket listener = guv::listen("127.0.0.1", 0);
  auto server = guv::spawn([&] { guv::http::serve(listener.fd(), hello); });
  EXPECT_NE(ask(listener.address()).find("hello"), std::string::npos);
  shutdown(listener.fd(), SHUT_RD);
  EXPECT_THROW(server.get(), std::system_error);
  EXPECT_EQ(error_of_both(listener.fd()), EINVAL);
}

TEST(Listener, ClosingItEndsTheServer) {
  guv::Socket listener = guv::listen("127.0.0.1", 0);
  const guv::Address address = listener.address();
  auto server = guv::spawn([fd = listener.fd()] { guv::http::serve(fd, hello); });
  EXPECT_NE(ask(address).find("hello"), std::string::npos);
  listener = guv::Socket();
  EXPECT_THROW(server.get(), std::system_error);
}

TEST(Listener, ConnectionsOfAServerThatFailsAreClosed) {
  const guv::Socket listener = guv::listen("127.0.0.1", 0);
  auto server = guv::spawn([&] { guv::http::serve(listener.fd(), hello); });
  guv::Socket client = guv::connect(listener.address());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_NE(client.recv(1000), "");
  shutdown(listener.fd(), SHUT_RD);
  EXPECT_THROW(server.get(), std::system_error);
  EXPECT_EQ(client.recv(1000), "");
}

TEST(Listener, WithoutDescriptorsTheServerWaitsForSome) {
  const guv::Socket listener = guv::listen("127.0.0.1", 0);
  std::atomic<int> complaints{0};
  guv::http::Options options;
  options.error_log = [&](std::string_view) { ++complaints; };
  guv::http::Server server(listener.fd(), hello, options);
  auto running = guv::spawn([&] { server.run(); });
  EXPECT_NE(ask(listener.address()).find("hello"), std::string::npos);

  guv::Socket client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  rlimit before;
  getrlimit(RLIMIT_NOFILE, &before);
  const int next = dup(0);
  close(next);
  const rlimit none_left{static_cast<rlim_t>(next), before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none_left);
  const guv::Address address = listener.address();
  EXPECT_EQ(guv_connect(client.fd(), address.data(), address.size(), GUV_NEVER), 0);
  client.send("GET / HTTP/1.0\r\n\r\n");
  while (complaints == 0) guv::sleep(1ms);
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_NE(client.recv(1000).find("200 OK"), std::string::npos);
  server.stop();
  EXPECT_NO_THROW(running.get());
}

TEST(Listener, WhatTheErrorLogThrowsEndsTheServer) {
  const guv::Socket listener = guv::listen("127.0.0.1", 0);
  guv::http::Options options;
  options.max_head = SIZE_MAX / 4;  // there is no memory for a connection, and something to be logged
  options.error_log = [](std::string_view) { throw std::runtime_error("the log is full"); };
  auto server = guv::spawn([&] { guv::http::serve(listener.fd(), hello, options); });
  EXPECT_EQ(guv::connect(listener.address()).recv(1000), "");
  EXPECT_THROW(server.get(), std::runtime_error);
}

TEST(Listener, WhomThereIsNoMemoryForIsTurnedAway) {
  const guv::Socket listener = guv::listen("127.0.0.1", 0);
  std::atomic<int> complaints{0};
  guv::http::Options options;
  options.max_head = SIZE_MAX / 4;
  options.error_log = [&](std::string_view) { ++complaints; };
  guv::http::Server server(listener.fd(), hello, options);
  auto running = guv::spawn([&] { server.run(); });
  for (int i = 0; i < 3; ++i) EXPECT_EQ(guv::connect(listener.address()).recv(1000), "");
  EXPECT_EQ(complaints, 3);
  EXPECT_EQ(server.connections(), 0u);
  server.stop();
  EXPECT_NO_THROW(running.get());
}

}  // namespace
