// A chat over WebSocket, with its page.   chat [PORT]   (default 8001, 0: any)
#include <guv/guv.hpp>
#include <guv/http.hpp>
#include <guv/net.hpp>
#include <guv/websocket.hpp>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <set>
#include <string>

constexpr const char* page = R"html(<!doctype html>
<meta charset="utf-8"><title>guv chat</title>
<ul id="lines"></ul><form><input id="line" autofocus autocomplete="off"></form>
<script>
  const socket = new WebSocket(`ws://${location.host}/chat`);
  socket.onmessage = event => {
    const item = document.createElement("li");
    item.textContent = event.data;
    document.getElementById("lines").append(item);
  };
  document.forms[0].onsubmit = event => {
    event.preventDefault();
    const line = document.getElementById("line");
    socket.send(line.value);
    line.value = "";
  };
</script>
)html";

/// Everybody who is there. Each has a queue and a thread that sends what is in it, so that a slow reader holds nobody up.
class Room {
 public:
  void join(guv::WebSocket& socket) {
    auto lines = std::make_shared<guv::Queue<std::string>>(100);
    members_.insert(lines);
    auto sender = guv::spawn([&socket, lines] {
      for (;;) socket.send(lines->get());
    });
    while (const auto line = socket.wait()) say(line->data);
    sender.kill();
    sender.join();
    members_.erase(lines);
  }

 private:
  void say(const std::string& line) {
    // A member whose queue is full is too slow and misses the line.
    for (const auto& lines : members_) lines->try_put(std::string(line));
  }

  std::set<std::shared_ptr<guv::Queue<std::string>>> members_;
};

int main(int count, char** arguments) {
  guv::Socket listener = guv::listen("127.0.0.1", count > 1 ? static_cast<std::uint16_t>(std::atoi(arguments[1])) : 8001);
  std::cout << "listening on port " << listener.address().port() << std::endl;
  Room room;
  const auto chat = guv::websocket([&](guv::WebSocket& socket) { room.join(socket); });
  guv::http::serve(listener.fd(), [&](guv::http::Request& request) -> guv::http::Response {
    if (request.path() == "/chat") return chat(request);
    return guv::http::Response(page).set("Content-Type", "text/html; charset=utf-8");
  });
}
