// Pipes, sockets, eventfds, timerfds; poll, select and epoll; time-outs and partial reads.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>

#include <algorithm>
#include <vector>

#include "stress.hpp"

namespace stress::descriptors {

namespace {

struct Ends {
  int in, out;
  Ends() = default;
  Ends(const Ends&) = delete;
  Ends& operator=(const Ends&) = delete;
  ~Ends() {
    close_in();
    close_out();
  }
  void close_in() { close_one(in); }
  void close_out() { close_one(out); }

 private:
  static void close_one(int& fd) {
    if (fd >= 0) CHECK(close(fd) == 0);
    fd = -1;
  }
};

struct Pipe : Ends {
  explicit Pipe(int flags = 0) {
    int both[2];
    CHECK(pipe2(both, O_CLOEXEC | flags) == 0);
    in = both[0];
    out = both[1];
  }
};

struct SocketPair : Ends {
  explicit SocketPair(int type = SOCK_STREAM) {
    int both[2];
    CHECK(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, both) == 0);
    in = both[0];
    out = both[1];
  }
};

sockaddr_in loopback() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

sockaddr_in bound_to(int fd) {
  sockaddr_in address = loopback();
  socklen_t size = sizeof address;
  CHECK(bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
  CHECK(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return address;
}

void connect_to(int fd, const sockaddr_in& address) {
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return;
  CHECK(errno == EINTR);  // connect(2): it goes on, and the socket becomes writable
  pollfd writable{fd, POLLOUT, 0};
  CHECK(again([&] { return poll(&writable, 1, -1); }) == 1);
  int error;
  socklen_t size = sizeof error;
  CHECK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0);
}

struct TcpPair : Ends {
  TcpPair() {
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = bound_to(listener);
    CHECK(listen(listener, 1) == 0);
    out = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    Thread accepting([&] { in = again([&] { return accept4(listener, nullptr, nullptr, SOCK_CLOEXEC); }); });
    connect_to(out, address);
    accepting.join();
    CHECK(in >= 0 && close(listener) == 0);
  }
};

unsigned char byte_at(size_t position) { return static_cast<unsigned char>(position * 31 + (position >> 8)); }

bool is_socket(int fd) {
  int type;
  socklen_t size = sizeof type;
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
}

ssize_t write_some(int fd, const unsigned char* data, size_t size, Random& random) {
  switch (random.below(is_socket(fd) ? 4 : 2)) {
    case 0: return write(fd, data, size);
    case 1: {
      const size_t half = size / 2;
      const iovec parts[] = {{const_cast<unsigned char*>(data), half}, {const_cast<unsigned char*>(data) + half, size - half}};
      return writev(fd, parts, 2);
    }
    case 2: return send(fd, data, size, MSG_NOSIGNAL);
    default: return sendto(fd, data, size, 0, nullptr, 0);
  }
}

void wait_readable(int fd) {
  pollfd readable{fd, POLLIN, 0};
  CHECK(again([&] { return poll(&readable, 1, -1); }) == 1);
}

ssize_t read_some(int fd, unsigned char* data, size_t size, Random& random) {
  switch (random.below(is_socket(fd) ? 6 : 3)) {
    case 0: return read(fd, data, size);
    case 1: {
      const size_t half = size / 2;
      const iovec parts[] = {{data, half}, {data + half, size - half}};
      return readv(fd, parts, 2);
    }
    case 2: wait_readable(fd); return read(fd, data, size);
    case 3: return recv(fd, data, size, MSG_WAITALL);
    case 4: wait_readable(fd); return recv(fd, data, size, MSG_DONTWAIT);
    default: return recvfrom(fd, data, size, 0, nullptr, nullptr);
  }
}

void write_all(Ends& ends, size_t size, uint64_t seed) {
  Random random(seed);
  unsigned char data[20'000];
  for (size_t done = 0; done < size;) {
    const size_t count = std::min(size - done, static_cast<size_t>(random.from(1, sizeof data)));
    for (size_t i = 0; i < count; ++i) data[i] = byte_at(done + i);
    const ssize_t written = again([&] { return write_some(ends.out, data, count, random); });
    CHECK(written > 0);
    done += static_cast<size_t>(written);
    dawdle(random);
  }
  if (is_socket(ends.out) && random.one_in(2)) CHECK(shutdown(ends.out, SHUT_WR) == 0);
  ends.close_out();
}

size_t read_all(Ends& ends, Random& random) {
  unsigned char data[30'000];
  size_t done = 0;
  for (;;) {
    const auto room = static_cast<size_t>(random.one_in(4) ? sizeof data : random.from(1, 5000));
    const ssize_t count = again([&] { return read_some(ends.in, data, room, random); });
    CHECK(count >= 0);
    if (count == 0) return done;
    for (ssize_t i = 0; i < count; ++i) CHECK(data[i] == byte_at(done + static_cast<size_t>(i)));
    done += static_cast<size_t>(count);
  }
}

void transfer(Ends& ends, Task& task, int most) {
  const auto size = static_cast<size_t>(task.random.one_in(5) ? task.random.from(1, most) : task.random.from(1, 3000));
  const uint64_t seed = task.random.next();
  Thread writer([&, size, seed] { write_all(ends, size, seed); });
  Random reading(mix(seed));
  task.saw(read_all(ends, reading));
}

}  // namespace

void stream(Task& task) {
  if (task.random.one_in(2)) {
    Pipe pipe;
    transfer(pipe, task, 300'000);
  } else {
    SocketPair pair;
    transfer(pair, task, 300'000);
  }
}

void connection(Task& task) {
  TcpPair pair;
  transfer(pair, task, 500'000);
}

void datagrams(Task& task) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = bound_to(fd);
  Thread sender([&, size = task.random.from(1, 1000)] {
    const char data[1000] = "";
    dawdle(task.random);
    CHECK(again([&] {
            return sendto(fd, data, static_cast<size_t>(size), 0, reinterpret_cast<const sockaddr*>(&address), sizeof address);
          }) == size);
  });
  char data[2000];
  sockaddr_in from;
  socklen_t length = sizeof from;
  const ssize_t size =
      again([&] { return recvfrom(fd, data, sizeof data, 0, reinterpret_cast<sockaddr*>(&from), &length); });
  CHECK(size > 0 && from.sin_port == address.sin_port);
  task.saw(static_cast<uint64_t>(size));
  sender.join();
  SocketPair packets(SOCK_SEQPACKET);
  CHECK(again([&] { return send(packets.out, data, 10, 0); }) == 10 && again([&] { return send(packets.out, data, 20, 0); }) == 20);
  task.saw(static_cast<uint64_t>(again([&] { return recv(packets.in, data, 4, MSG_TRUNC); })));
  task.saw(static_cast<uint64_t>(again([&] { return read(packets.in, data, sizeof data); })));
  CHECK(close(fd) == 0);
}

void time_limits(Task& task) {
  SocketPair pair;
  const timeval limit{0, task.random.from(1000, 3000)};
  const double began = seconds_now();
  char byte;
  double tolerance = 0;
  // A socket's time-outs are counted in the kernel's ticks, of which the first may be nearly over.
  constexpr double longest_tick = 0.01;
  switch (task.random.below(4)) {
    case 0:
      tolerance = longest_tick;
      CHECK(setsockopt(pair.in, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
      task.saw(static_cast<uint64_t>(again([&] { return read(pair.in, &byte, 1); })));
      task.saw(static_cast<uint64_t>(errno));
      break;
    case 1: {
      tolerance = longest_tick;
      CHECK(setsockopt(pair.out, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0);
      const std::vector<char> much(100'000);
      while (again([&] { return write(pair.out, much.data(), much.size()); }) > 0) {
      }
      task.saw(static_cast<uint64_t>(errno));
      break;
    }
    case 2: {
      pollfd readable{pair.in, POLLIN, 0};
      task.saw(static_cast<uint64_t>(again([&] { return poll(&readable, 1, 1 + static_cast<int>(limit.tv_usec / 1000)); })));
      break;
    }
    default: {
      fd_set set;
      const int result = again([&] {
        FD_ZERO(&set);
        if (pair.in < FD_SETSIZE) FD_SET(pair.in, &set);
        timeval left = limit;
        return select(std::min(pair.in + 1, FD_SETSIZE), &set, nullptr, nullptr, &left);
      });
      task.saw(static_cast<uint64_t>(result));
    }
  }
  CHECK(seconds_now() - began >= static_cast<double>(limit.tv_usec) / 1e6 - tolerance);
}

namespace {

constexpr int ends_count = 3;

int ready_by_poll(const Ends* ends, bool with_mask) {
  pollfd all[ends_count];
  for (int i = 0; i < ends_count; ++i) all[i] = {ends[i].in, POLLIN, 0};
  const timespec limit{300, 0};
  sigset_t fewer;
  CHECK(pthread_sigmask(SIG_BLOCK, nullptr, &fewer) == 0 && sigaddset(&fewer, SIGUSR2) == 0);
  CHECK(again([&] { return with_mask ? ppoll(all, ends_count, &limit, &fewer) : poll(all, ends_count, -1); }) == 1);
  for (int i = 0; i < ends_count; ++i) {
    if (all[i].revents) return i * 256 + all[i].revents;
  }
  return -1;
}

int ready_by_select(const Ends* ends) {
  int highest = 0;
  for (int i = 0; i < ends_count; ++i) highest = std::max(highest, ends[i].in);
  std::vector<fd_set> sets(static_cast<size_t>(highest / FD_SETSIZE + 1));
  auto* words = reinterpret_cast<unsigned long*>(sets.data());
  constexpr int bits = 8 * sizeof *words;
  CHECK(again([&] {
          memset(sets.data(), 0, sets.size() * sizeof(fd_set));
          for (int i = 0; i < ends_count; ++i) words[ends[i].in / bits] |= 1ul << ends[i].in % bits;
          return select(highest + 1, sets.data(), nullptr, nullptr, nullptr);
        }) == 1);
  for (int i = 0; i < ends_count; ++i) {
    if (words[ends[i].in / bits] >> ends[i].in % bits & 1) return i;
  }
  return -1;
}

int ready_by_epoll(const Ends* ends, bool edge) {
  const int set = epoll_create1(EPOLL_CLOEXEC);
  for (int i = 0; i < ends_count; ++i) {
    epoll_event event{EPOLLIN | (edge ? EPOLLET : 0u), {.u32 = static_cast<uint32_t>(i)}};
    CHECK(epoll_ctl(set, EPOLL_CTL_ADD, ends[i].in, &event) == 0);
  }
  epoll_event found[ends_count];
  CHECK(again([&] { return epoll_wait(set, found, ends_count, -1); }) == 1);
  CHECK(close(set) == 0);
  return static_cast<int>(found[0].data.u32) * 256 + static_cast<int>(found[0].events);
}

}  // namespace

void readiness(Task& task) {
  Pipe ends[ends_count];
  const int which = task.random.below(ends_count), way = task.random.below(5);
  const bool hang_up = task.random.one_in(3);
  Thread other([&, seed = task.random.next()] {
    Random random(seed);
    dawdle(random);
    if (hang_up) {
      ends[which].close_out();
    } else {
      CHECK(again([&] { return write(ends[which].out, "x", 1); }) == 1);
    }
  });
  switch (way) {
    case 0: task.saw(static_cast<uint64_t>(ready_by_poll(ends, false))); break;
    case 1: task.saw(static_cast<uint64_t>(ready_by_poll(ends, true))); break;
    case 2: task.saw(static_cast<uint64_t>(ready_by_select(ends))); break;
    case 3: task.saw(static_cast<uint64_t>(ready_by_epoll(ends, false))); break;
    default: task.saw(static_cast<uint64_t>(ready_by_epoll(ends, true))); break;
  }
  char byte;
  task.saw(static_cast<uint64_t>(again([&] { return read(ends[which].in, &byte, 1); })));
}

void counters(Task& task) {
  const int events = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
  const int times = task.random.from(1, 5);
  Thread adding([&] {
    for (int i = 0; i < times; ++i) {
      dawdle(task.random);
      const uint64_t one = 1;
      CHECK(again([&] { return write(events, &one, sizeof one); }) == sizeof one);
    }
  });
  uint64_t value;
  for (int i = 0; i < times; ++i) CHECK(again([&] { return read(events, &value, sizeof value); }) == sizeof value && value == 1);
  adding.join();
  const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  const itimerspec in_a_moment{{}, {0, task.random.from(100'000, 2'000'000)}};
  CHECK(timerfd_settime(timer, 0, &in_a_moment, nullptr) == 0);
  CHECK(again([&] { return read(timer, &value, sizeof value); }) == sizeof value);
  task.saw(value);
  CHECK(close(timer) == 0 && close(events) == 0);
}

void passing(Task& task) {
  SocketPair pair;
  Pipe pipe;
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    cmsghdr aligned;
  } control{};
  char byte = 'p';
  iovec part{&byte, 1};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &pipe.in, sizeof(int));
  CHECK(again([&] { return sendmsg(pair.out, &message, 0); }) == 1);
  pipe.close_in();
  CHECK(again([&] { return recvmsg(pair.in, &message, MSG_CMSG_CLOEXEC); }) == 1);
  header = CMSG_FIRSTHDR(&message);
  CHECK(header && header->cmsg_type == SCM_RIGHTS);
  memcpy(&pipe.in, CMSG_DATA(header), sizeof(int));
  transfer(pipe, task, 100'000);
}

}  // namespace stress::descriptors
