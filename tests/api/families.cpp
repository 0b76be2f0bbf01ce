// A call of each family holds up the hub when its gate is closed, and does not when it is open.
//
//   families NAME closed|open    what it must be: under guv-run with GUV_FAMILIES
//   families NAME patch          the program links libguv, and opens the family itself
#include "../programs/check.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <resolv.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

#include <guv/guv.hpp>

namespace {

constexpr timespec a_while{0, 20'000'000};
constexpr int status_of_child = 7;
bool asks_names = false;  // the call is getaddrinfo
template <class Function>
Function* original(const char* name, Function*) {
  return reinterpret_cast<Function*>(guv_original(name));
}
#define ORIGINAL(name) original(#name, &::name)

// A process of its own ends the call that waits: when the other thread has run, or, since that must not happen when the
// hub is held up, after a while.
class Child {
 public:
  explicit Child(bool others_go_on) : patience_(others_go_on ? 60'000 : 20) {
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends_) == 0);
    CHECK(pipe(begun_) == 0 && pipe(other_ran_) == 0);
    name_server_ = ::socket(AF_INET, SOCK_DGRAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(name_server_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    std::snprintf(lock_name_, sizeof lock_name_, "/tmp/guv-families-%d", getpid());
    CHECK((lock_ = open(lock_name_, O_RDWR | O_CREAT, 0600)) >= 0);
    const pid_t parent = getpid();
    pid_ = fork();
    CHECK(pid_ >= 0);
    if (pid_ == 0) run(parent);
    char byte;
    CHECK(ORIGINAL(read)(begun_[0], &byte, 1) == 1);
  }
  ~Child() {
    if (pid_) waitpid(pid_, nullptr, 0);
    for (const int fd : {ends_[0], ends_[1], begun_[0], begun_[1], other_ran_[0], other_ran_[1], name_server_, lock_})
      close(fd);
    unlink(lock_name_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  int socket() const { return ends_[0]; }
  int lock() const { return lock_; }
  sockaddr_in name_server() const {
    sockaddr_in address;
    socklen_t size = sizeof address;
    CHECK(getsockname(name_server_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    return address;
  }
  void tell_other_ran() { CHECK(write(other_ran_[1], "r", 1) == 1); }
  pid_t take_pid() { return std::exchange(pid_, 0); }

 private:
  [[noreturn]] void run(pid_t parent) {
    const int lock = open(lock_name_, O_RDWR);  // an open file of its own
    flock(lock, LOCK_EX);
    CHECK(write(begun_[1], "b", 1) == 1);
    pollfd asked{other_ran_[0], POLLIN, 0};
    poll(&asked, 1, patience_);
    flock(lock, LOCK_UN);
    CHECK(write(ends_[1], "e", 1) == 1);
    kill(parent, SIGUSR1);
    if (asks_names) answer();
    _exit(status_of_child);
  }

  // RFC 1035: the question, as an answer that there is no such name.
  void answer() const {
    unsigned char packet[512];
    sockaddr_in from;
    socklen_t size = sizeof from;
    const ssize_t length = recvfrom(name_server_, packet, sizeof packet, 0, reinterpret_cast<sockaddr*>(&from), &size);
    CHECK(length > 12);
    packet[2] |= 0x80;
    packet[3] = static_cast<unsigned char>((packet[3] & 0xf0) | 3);
    CHECK(sendto(name_server_, packet, static_cast<size_t>(length), 0, reinterpret_cast<sockaddr*>(&from), size) ==
          length);
  }

  int patience_;  // milliseconds
  int ends_[2], begun_[2], other_ran_[2], name_server_, lock_;
  char lock_name_[64];
  pid_t pid_;
};

// ---- one call of each family
// ------------------------------------------------------------------------------------------

void call(decltype(&nanosleep) function, Child&) { CHECK(function(&a_while, nullptr) == 0); }

void call(decltype(&read) function, Child& child) {
  char byte;
  CHECK(function(child.socket(), &byte, 1) == 1 && byte == 'e');
}

void call(decltype(&recv) function, Child& child) {
  char byte;
  CHECK(function(child.socket(), &byte, 1, 0) == 1 && byte == 'e');
}

void call(decltype(&poll) function, Child& child) {
  pollfd asked{child.socket(), POLLIN, 0};
  CHECK(function(&asked, 1, 60'000) == 1);
}

void call(decltype(&waitpid) function, Child& child) {
  int status = 0;
  const pid_t pid = child.take_pid();
  CHECK(function(pid, &status, 0) == pid && WEXITSTATUS(status) == status_of_child);
}

void call(decltype(&flock) function, Child& child) { CHECK(function(child.lock(), LOCK_EX) == 0); }

void call(decltype(&sigwait) function, Child&) {
  sigset_t set;
  int signal = 0;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  CHECK(function(&set, &signal) == 0 && signal == SIGUSR1);
}

void call(decltype(&sem_timedwait) function, Child&) {
  sem_t semaphore;
  sem_init(&semaphore, 0, 0);
  timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += a_while.tv_nsec;
  until.tv_sec += until.tv_nsec / 1'000'000'000;
  until.tv_nsec %= 1'000'000'000;
  CHECK(function(&semaphore, &until) == -1);
  sem_destroy(&semaphore);
}

void call(decltype(&getaddrinfo) function, Child&) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_family = AF_INET;  // one question
  CHECK(function("no-such-name.invalid.", nullptr, &hints, &found) == EAI_NONAME);
}

/// A call that libc makes inside itself.
ssize_t read_by_stdio(int fd, void* buffer, size_t) {
  FILE* stream = fdopen(dup(fd), "r");
  const int byte = fgetc(stream);
  *static_cast<char*>(buffer) = static_cast<char>(byte);
  fclose(stream);
  return byte == EOF ? -1 : 1;
}

void use_name_server_of(const Child& child) {
  CHECK(res_init() == 0);
  _res.nscount = 1;
  _res.nsaddr_list[0] = child.name_server();
}

/// Whether it is as expected, that another green thread gets to run while `function` waits or that none does. What the call
/// needs is made before that thread is there: a family that is open lets it run where its own calls wait.
template <class Function>
bool others_go_on(bool expected, Function function) {
  Child child(expected);
  if (asks_names) use_name_server_of(child);
  std::atomic<bool> ran{false};
  auto other = guv::spawn([&] {
    ran = true;
    child.tell_other_ran();
  });
  call(function, child);
  const bool seen = ran;
  other.get();
  return seen == expected;
}

template <class Function>
int test(const char* family, const char* name, Function direct, std::string_view how) {
  if (how == "patch") {
    CHECK(!guv_is_monkey_patched("sync") && !guv_is_monkey_patched(family) && !guv_is_monkey_patched(name));
    CHECK(others_go_on(false, direct));
    CHECK(guv_monkey_patch("all,nonsense") == -EINVAL);
    CHECK(!guv_is_monkey_patched(family));
    CHECK(guv_monkey_patch(family) == 0);
    CHECK(guv_monkey_patch(family) == 0);
    CHECK(guv_is_monkey_patched("sync"));
  }
  const bool open = how != "closed";
  CHECK(guv_is_monkey_patched(family) == open && guv_is_monkey_patched(name) == open);
  CHECK(others_go_on(open, direct));
  CHECK(others_go_on(false, original(name, direct)));
  if (family == std::string_view("io")) CHECK(others_go_on(open, &read_by_stdio));
  CHECK(others_go_on(open, direct));
  return 0;
}

}  // namespace

#define TEST(family, function) \
  if (name == #family) return test(#family, #function, &::function, arguments[2])

int main(int count, char** arguments) {
  CHECK(count == 3);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  const std::string_view name = arguments[1];
  TEST(time, nanosleep);
  TEST(io, read);
  TEST(socket, recv);
  TEST(select, poll);
  TEST(process, waitpid);
  TEST(file, flock);
  TEST(signal, sigwait);
  TEST(sync, sem_timedwait);
  asks_names = true;
  TEST(dns, getaddrinfo);
  return 2;
}
