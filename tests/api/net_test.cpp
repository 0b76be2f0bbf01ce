#include <guv/event.hpp>
#include <guv/net.hpp>

#include <gtest/gtest.h>

#include <vector>

using namespace std::chrono_literals;

namespace {

TEST(Socket, RecvGivesUpAtTheDeadline) {
  const guv::Socket listener = guv::listen("127.0.0.1", 0);
  guv::Socket client = guv::connect(listener.address());
  EXPECT_THROW(client.recv(1, 20ms), guv::TimedOut);
}

TEST(Connect, RefusedIsAnError) {
  const guv::Address nobody = guv::listen("127.0.0.1", 0).address();
  EXPECT_THROW(guv::connect(nobody), std::system_error);
}

TEST(Connect, TriesAllAddressesOfAName) {
  const guv::Socket listener = guv::listen("127.0.0.1", 0);
  EXPECT_TRUE(guv::connect("localhost", listener.address().port()));
}

TEST(Connect, UnknownNamesSaySo) { EXPECT_THROW(guv::connect("no-such-host.invalid", 1), std::runtime_error); }

TEST(Address, IsNoLongerThanAddressesAre) {
  const std::vector<char> long_one(sizeof(sockaddr_storage) + 1);
  const auto* address = reinterpret_cast<const sockaddr*>(long_one.data());
  EXPECT_THROW(guv::Address(address, static_cast<socklen_t>(long_one.size())), std::system_error);
  EXPECT_EQ(guv_listen(address, static_cast<socklen_t>(long_one.size()), 1), -EINVAL);
  EXPECT_THROW(guv::Address::unix_path(std::string(108, 'x')), std::system_error);
}

TEST(Listen, TellsItsAddress) {
  const guv::Socket listener = guv::listen("127.0.0.1", 0);
  EXPECT_EQ(listener.address().host(), "127.0.0.1");
  EXPECT_NE(listener.address().port(), 0);
}

TEST(Serve, StopServeEndsIt) {
  const guv::Socket listener = guv::listen("127.0.0.1", 0);
  std::vector<std::string> answers;
  auto client = guv::spawn([&] {
    for (const char* word : {"one", "two", "stop"}) {
      guv::Socket socket = guv::connect(listener.address());
      socket.send(word);
      answers.push_back(socket.recv(100));
    }
  });
  guv::serve(listener, [](guv::Socket socket, const guv::Address& peer) {
    const std::string word = socket.recv(100);
    socket.send(word + " from " + peer.host());
    if (word == "stop") throw guv::StopServe();
  });
  client.get();
  EXPECT_EQ(answers, (std::vector<std::string>{"one from 127.0.0.1", "two from 127.0.0.1", "stop from 127.0.0.1"}));
}

TEST(Serve, RunsNoMoreHandlersThanAllowed) {
  const guv::Socket listener = guv::listen("127.0.0.1", 0);
  int running = 0, most = 0, served = 0;
  guv::TEvent full;
  auto clients = guv::spawn([&] {
    std::vector<guv::Socket> sockets;
    for (int i = 0; i < 10; ++i) sockets.push_back(guv::connect(listener.address()));
    for (guv::Socket& socket : sockets) EXPECT_EQ(socket.recv(1), "");
  });
  guv::serve(
      listener,
      [&](guv::Socket, const guv::Address&) {
        most = std::max(most, ++running);
        if (running == 3) full.set();
        full.wait();
        guv::sleep(5ms);
        --running;
        if (++served == 10) throw guv::StopServe();
      },
      3);
  clients.get();
  EXPECT_EQ(most, 3);
}

TEST(Serve, EndsWhenItsThreadIsKilled) {
  const guv::Socket listener = guv::listen("127.0.0.1", 0);
  auto server = guv::spawn([&] { guv::serve(listener, [](guv::Socket, const guv::Address&) {}); });
  guv::sleep(5ms);
  server.kill();
  EXPECT_THROW(server.get(), guv::GreenExit);
}

}  // namespace
