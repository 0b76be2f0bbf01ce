// Closed-loop load for an echo server: N connections, each with one request under way, on one thread and one epoll.
//
//   echo_client --port PORT [--host 127.0.0.1] [--connections 100] [--size 64] [--connecting 128] [--sources 1]
//               [--seconds S | --requests R | --hold S | --control]
//
// Connects gradually (at most --connecting at a time) and counts a connection only when its first echo came back, so
// that "ready" means N served connections. Each echo is compared with what was sent. With --control it obeys stdin:
//   run SECONDS      and answers   done requests=… seconds=… rps=… p50_us=… p99_us=… max_us=… errors=…
//   quit             as does the end of the input
#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <netinet/in.h>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::duration;

constexpr std::size_t largest_message = 16384;  // less than any socket buffer, so a request is always sent in one piece

struct Options {
  std::string host = "127.0.0.1";
  int port = 0;
  std::size_t connections = 100;
  std::size_t size = 64;
  std::size_t connecting = 128;
  unsigned sources = 1;
  std::optional<double> seconds, hold;
  std::optional<std::uint64_t> requests;
  bool control = false;
};

[[noreturn]] void fail(std::string_view what) {
  std::fprintf(stderr, "echo_client: %.*s: %s\n", static_cast<int>(what.size()), what.data(), std::strerror(errno));
  std::exit(1);
}

struct Connection {
  int fd = -1;
  std::uint32_t sequence = 0;
  std::size_t received = 0;
  Clock::time_point sent;
  bool established = false;
};

struct Result {
  std::uint64_t requests = 0, errors = 0;
  double seconds = 0;
  std::vector<std::uint32_t> latencies;  // ns
};

class Client {
public:
  explicit Client(Options options) : options_(std::move(options)), message_(options_.size), events_(512) {
    poller_ = ::epoll_create1(EPOLL_CLOEXEC);
    if (poller_ < 0) fail("epoll_create1");
    connections_.resize(options_.connections);
    for (std::size_t i = 0; i < message_.size(); ++i) message_[i] = static_cast<char>('a' + i % 26);
  }

  /// Opens all connections and waits for each one's first echo; those that fail are counted and left out.
  Result open() {
    Result result;
    current_ = &result;
    auto start = Clock::now();
    std::size_t next = 0;
    under_way_ = 0;
    while (next < connections_.size() || under_way_ > 0) {
      while (next < connections_.size() && under_way_ < options_.connecting) begin_connect(next++);
      if (under_way_ > 0 && !turn(10'000)) {  // nothing for 10 s: what is missing will not come
        result.errors += under_way_;
        for (auto& connection : connections_)
          if (connection.fd >= 0 && !connection.established) drop(connection);
        break;
      }
    }
    result.seconds = duration<double>(Clock::now() - start).count();
    return result;
  }

  /// Keeps one request under way on every connection until `seconds` or `requests` are over and the last echo is back.
  Result run(std::optional<double> seconds, std::optional<std::uint64_t> requests) {
    Result result;
    result.latencies.reserve(1 << 20);
    current_ = &result;
    auto start = Clock::now();
    until_ = seconds ? start + std::chrono::duration_cast<Clock::duration>(duration<double>(*seconds))
                     : Clock::time_point::max();
    unsent_ = requests.value_or(UINT64_MAX);
    under_way_ = 0;
    for (auto& connection : connections_) {
      if (connection.fd < 0 || unsent_ == 0) continue;
      --unsent_;
      send_request(connection, Clock::now());
    }
    while (under_way_ > 0) {
      if (!turn(30'000)) {
        result.errors += under_way_;
        std::fprintf(stderr, "echo_client: %zu requests were not answered within 30 s\n", under_way_);
        break;
      }
    }
    unsent_ = 0;
    result.seconds = duration<double>(Clock::now() - start).count();
    return result;
  }

  [[nodiscard]] std::size_t established() const {
    return static_cast<std::size_t>(std::count_if(connections_.begin(), connections_.end(),
                                                  [](const Connection& c) { return c.established; }));
  }

private:
  void begin_connect(std::size_t index) {
    auto& connection = connections_[index];
    int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("socket");
    if (options_.sources > 1) {
      sockaddr_in source{};
      source.sin_family = AF_INET;
      source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + static_cast<std::uint32_t>(index % options_.sources));
      int late = 1;  // the port is chosen by connect, per destination
      ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &late, sizeof late);
      if (::bind(fd, reinterpret_cast<sockaddr*>(&source), sizeof source) < 0) fail("bind");
    }
    sockaddr_in server{};
    server.sin_family = AF_INET;
    server.sin_port = htons(static_cast<std::uint16_t>(options_.port));
    if (::inet_pton(AF_INET, options_.host.c_str(), &server.sin_addr) != 1) fail("--host");
    connection.fd = fd;
    ++under_way_;
    if (::connect(fd, reinterpret_cast<sockaddr*>(&server), sizeof server) < 0 && errno != EINPROGRESS)
      return broken(connection);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.ptr = &connection;
    if (::epoll_ctl(poller_, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl");
  }

  /// Handles one batch of events; false when nothing came within `milliseconds`.
  bool turn(int milliseconds) {
    int ready = ::epoll_wait(poller_, events_.data(), static_cast<int>(events_.size()), milliseconds);
    if (ready < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < ready; ++i) {
      auto& event = events_[static_cast<std::size_t>(i)];
      handle(*static_cast<Connection*>(event.data.ptr), event.events);
    }
    return ready != 0;
  }

  void handle(Connection& connection, std::uint32_t events) {
    if (connection.fd < 0) return;
    if (!connection.established && connection.sequence == 0) {
      int error = 0;
      socklen_t length = sizeof error;
      ::getsockopt(connection.fd, SOL_SOCKET, SO_ERROR, &error, &length);
      if (error != 0) return broken(connection);
      if ((events & EPOLLOUT) == 0) return;
      --under_way_;  // send_request counts it again
      return send_request(connection, Clock::now());
    }
    if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) return;
    receive(connection);
  }

  void receive(Connection& connection) {
    std::array<char, largest_message> buffer;
    ssize_t size = ::recv(connection.fd, buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) return broken(connection);
    auto got = static_cast<std::size_t>(size);
    stamp(connection);
    if (connection.received + got > message_.size() ||
        std::memcmp(buffer.data(), message_.data() + connection.received, got) != 0) {
      std::fprintf(stderr, "echo_client: a reply differs from its request\n");
      return broken(connection);
    }
    connection.received += got;
    if (connection.received < message_.size()) return;

    auto now = Clock::now();
    --under_way_;
    if (!connection.established) {
      connection.established = true;
      return;
    }
    ++current_->requests;
    current_->latencies.push_back(static_cast<std::uint32_t>(
        std::min<std::int64_t>(std::chrono::nanoseconds(now - connection.sent).count(), UINT32_MAX)));
    if (unsent_ == 0 || now >= until_) return;
    --unsent_;
    send_request(connection, now);
  }

  void send_request(Connection& connection, Clock::time_point now) {
    ++connection.sequence;
    connection.received = 0;
    connection.sent = now;
    ++under_way_;
    stamp(connection);
    if (::send(connection.fd, message_.data(), message_.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(message_.size()))
      broken(connection);
  }

  /// Makes the message this connection's current one: who and which, so that swapped or stale echoes are noticed.
  void stamp(const Connection& connection) {
    std::memcpy(message_.data(), &connection.fd, sizeof connection.fd);
    std::memcpy(message_.data() + sizeof connection.fd, &connection.sequence, sizeof connection.sequence);
  }

  void broken(Connection& connection) {
    ++current_->errors;
    drop(connection);
    --under_way_;
  }

  void drop(Connection& connection) {
    ::close(connection.fd);
    connection.fd = -1;
    connection.established = false;
  }

  Options options_;
  int poller_ = -1;
  std::vector<char> message_;
  std::vector<epoll_event> events_;
  std::vector<Connection> connections_;
  Result* current_ = nullptr;
  std::size_t under_way_ = 0;
  std::uint64_t unsent_ = 0;
  Clock::time_point until_ = Clock::time_point::max();
};

double percentile_us(const std::vector<std::uint32_t>& sorted, double part) {
  if (sorted.empty()) return 0;
  return sorted[static_cast<std::size_t>(part * static_cast<double>(sorted.size() - 1))] / 1e3;
}

void print(Result& result) {
  std::sort(result.latencies.begin(), result.latencies.end());
  std::printf("done requests=%llu seconds=%.4f rps=%.0f p50_us=%.1f p99_us=%.1f max_us=%.1f errors=%llu\n",
              static_cast<unsigned long long>(result.requests), result.seconds,
              static_cast<double>(result.requests) / result.seconds, percentile_us(result.latencies, 0.5),
              percentile_us(result.latencies, 0.99), percentile_us(result.latencies, 1),
              static_cast<unsigned long long>(result.errors));
  std::fflush(stdout);
}

int usage() {
  std::fprintf(stderr, "usage: echo_client --port PORT [--host ADDRESS] [--connections N] [--size BYTES] [--connecting N]\n"
                       "                   [--sources N] [--seconds S | --requests R | --hold S | --control]\n");
  return 2;
}

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    std::string_view name = argv[i];
    if (name == "--control") {
      options.control = true;
      continue;
    }
    if (i + 1 == argc) return false;
    const char* value = argv[++i];
    if (name == "--host") options.host = value;
    else if (name == "--port") options.port = std::atoi(value);
    else if (name == "--connections") options.connections = std::strtoul(value, nullptr, 10);
    else if (name == "--size") options.size = std::strtoul(value, nullptr, 10);
    else if (name == "--connecting") options.connecting = std::strtoul(value, nullptr, 10);
    else if (name == "--sources") options.sources = static_cast<unsigned>(std::strtoul(value, nullptr, 10));
    else if (name == "--seconds") options.seconds = std::strtod(value, nullptr);
    else if (name == "--hold") options.hold = std::strtod(value, nullptr);
    else if (name == "--requests") options.requests = std::strtoull(value, nullptr, 10);
    else return false;
  }
  return options.port > 0 && options.size >= 8 && options.size <= largest_message && options.connections > 0 &&
         options.connecting > 0;
}

void raise_file_limit() {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) return usage();
  raise_file_limit();
  Client client(options);
  Result opened = client.open();
  std::printf("ready connections=%zu seconds=%.3f errors=%llu\n", client.established(), opened.seconds,
              static_cast<unsigned long long>(opened.errors));
  std::fflush(stdout);

  if (options.control) {
    for (std::string line; std::getline(std::cin, line);) {
      std::istringstream words(line);
      std::string command;
      double seconds = 0;
      words >> command >> seconds;
      if (command == "quit") break;
      if (command != "run" || seconds <= 0) return usage();
      Result result = client.run(seconds, std::nullopt);
      print(result);
    }
    return 0;
  }
  std::uint64_t errors = opened.errors;
  if (options.hold) {
    std::this_thread::sleep_for(duration<double>(*options.hold));
  } else {
    Result result = client.run(options.requests ? std::nullopt : std::optional(options.seconds.value_or(1)), options.requests);
    print(result);
    errors += result.errors;
  }
  return errors == 0 ? 0 : 1;
}
