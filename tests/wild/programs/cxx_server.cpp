// cxx_server PORT: a std::jthread per connection; each "A B" is answered with A*A+B, worked out by std::async.
// SIGTERM, waited for by a thread of its own, makes it stop, join everybody and say what it served.

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <list>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

std::mutex mutex;
std::condition_variable everybody_left;
int inside = 0;
long served = 0;
std::atomic<long> refused = 0;

struct Tally {
  long lines = 0;
  ~Tally() {
    std::lock_guard lock(mutex);
    served += lines;
  }
};
thread_local Tally tally;

long worked_out(const std::string& request) {
  char* rest = nullptr;
  const long a = std::strtol(request.c_str(), &rest, 10);
  if (rest == request.c_str()) throw std::invalid_argument(request);
  return a * a + std::strtol(rest, nullptr, 10);
}

void serve(int fd) {
  std::string text;
  char buffer[1024];
  for (ssize_t n; (n = recv(fd, buffer, sizeof buffer, 0)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(n));
    for (std::size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1)) {
      ++tally.lines;
      auto answer = std::async(std::launch::async, worked_out, text.substr(0, end));
      std::string reply;
      try {
        reply = std::to_string(tally.lines) + ": " + std::to_string(answer.get()) + "\n";
      } catch (const std::invalid_argument&) {
        ++refused;
        reply = "what?\n";
      }
      if (send(fd, reply.data(), reply.size(), MSG_NOSIGNAL) < 0) return;
    }
  }
}

}  // namespace

int main(int, char** argv) {
  sigset_t term;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &term, nullptr);

  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[1])));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) || listen(listener, 1024)) {
    std::perror("bind");
    return 1;
  }

  std::jthread stopper([&] {
    int number = 0;
    sigwait(&term, &number);
    shutdown(listener, SHUT_RD);  // accept returns EINVAL
  });
  std::list<std::jthread> connections;
  for (int fd; (fd = accept(listener, nullptr, nullptr)) >= 0;) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    {
      std::lock_guard lock(mutex);
      ++inside;
    }
    connections.emplace_back([fd] {
      serve(fd);
      close(fd);
      std::lock_guard lock(mutex);
      if (--inside == 0) everybody_left.notify_all();
    });
  }
  {
    std::unique_lock lock(mutex);
    everybody_left.wait(lock, [] { return inside == 0; });
  }
  const std::size_t count = connections.size();
  connections.clear();
  std::printf("%zu connections, %ld lines, %ld refused\n", count, served, refused.load());
}
