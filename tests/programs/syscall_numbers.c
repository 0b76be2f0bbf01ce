// syscall(2) with numbers whose calls wait: only the calling thread does, and the kernel's conventions are kept (the size
// of a mask, pselect6's packed argument, the time-out that says what is left, the words for fork and clone).
#include "pairs.h"
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

static int pipes[2], sockets[2];
static _Atomic int fed;

// Whoever reads waits for this thread: would it hold up the others, the program would hang.
static void* feed(void* argument) {
  (void)argument;
  for (int i = 0; i < 200; i++) sched_yield();
  fed++;
  CHECK(syscall(SYS_write, pipes[1], "x", 1) == 1);
  return NULL;
}

static void expect_wait(const char* what, long result, pthread_t feeder) {
  printf("%s: %ld, fed %d\n", what, result, fed);
  join_thread(feeder);
}

static void* read_number(void* argument) {
  char byte;
  (void)argument;
  return (void*)syscall(SYS_read, pipes[0], &byte, 1);
}

static volatile sig_atomic_t handled;
static void handler(int number) { handled = number; }

// Natively nobody could join it any more.
static void* give_tid_address(void* argument) {
  static int tid;
  (void)argument;
  CHECK(syscall(SYS_set_tid_address, &tid) == syscall(SYS_gettid));
  CHECK(syscall(SYS_write, pipes[1], "t", 1) == 1);
  return NULL;
}

static void* ask_priority(void* argument) {
  const pid_t tid = gettid();
  SHOW(syscall(SYS_setpriority, PRIO_PROCESS, tid, getpriority(PRIO_PROCESS, 0)));
  SHOW(syscall(SYS_getpriority, PRIO_PROCESS, tid) == 20 - getpriority(PRIO_PROCESS, tid));
  SHOW(syscall(SYS_getpriority, PRIO_PGRP, -2));
  return argument;
}

// By number, and sent to this thread alone.
static void* read_own_signal(void* argument) {
  const uint64_t* set = argument;
  struct signalfd_siginfo info;
  SHOW(syscall(SYS_signalfd4, -1, set, 16, 0) == -1);
  const int fd = (int)syscall(SYS_signalfd4, -1, set, 8, SFD_CLOEXEC);
  CHECK(fd >= 0 && raise(SIGUSR1) == 0);
  SHOW(syscall(SYS_read, fd, &info, sizeof info) == sizeof info);
  printf("signal %d\n", info.ssi_signo == SIGUSR1);
  SHOW(close(fd));
  return NULL;
}

// The newer futex calls know their own waiters, and those of futex(2).
enum { futex_wake_number = 454, futex_wait_number, futex_u32_private = 2 | 128 };
static uint32_t word;
static void* wait_for_word(void* argument) {
  long result = 0;
  while (result == 0 && word == 0) {
    result = argument ? syscall(futex_wait_number, &word, 0L, ~0u, futex_u32_private, NULL, CLOCK_MONOTONIC)
                      : syscall(SYS_futex, &word, 0 | 128, 0, NULL, NULL, 0);
  }
  CHECK(result == 0 || errno == EAGAIN);
  return argument;
}
static void newer_futexes(void) {
  if (syscall(futex_wake_number, &word, ~0u, 1, futex_u32_private) != 0) return (void)puts("an older kernel");
  pthread_t waiters[] = {start_thread(wait_for_word, NULL), start_thread(wait_for_word, &word)};
  int woken = 0;
  while (woken < 4) {  // each of them waits again
    woken += (int)syscall(futex_wake_number, &word, ~0u, 1, futex_u32_private);
    sched_yield();
  }
  word = 1;
  CHECK(syscall(futex_wake_number, &word, ~0u, 2, futex_u32_private) >= 0);
  for (int i = 0; i < 2; i++) join_thread(waiters[i]);
  SHOW(syscall(futex_wake_number, &word, ~0u, 2, futex_u32_private));
  SHOW(syscall(futex_wake_number, &word, 0, 2, futex_u32_private));
  SHOW(syscall(futex_wake_number, &word, ~0u, 2, 1 << 5));
}

static void wait_for(const char* what, long pid) {
  int status = -1;
  if (pid == 0) {
    // The child has threads of its own again.
    pthread_t thread = start_thread(read_number, NULL);
    CHECK(syscall(SYS_write, pipes[1], "y", 1) == 1);
    CHECK(join_thread(thread) == (void*)1);
    syscall(SYS_exit_group, 7);
  }
  CHECK(pid > 0);
  CHECK(syscall(SYS_wait4, pid, &status, 0, NULL) == pid);
  printf("%s: child exited with %d\n", what, WEXITSTATUS(status));
}

int main(void) {
  char byte;
  CHECK(pipe(pipes) == 0);
  tcp_pair(sockets);
  join_thread(start_thread(feed, NULL));
  SHOW(syscall(SYS_read, pipes[0], &byte, 1));
  CHECK(pthread_detach(start_thread(give_tid_address, NULL)) == 0);
  SHOW(syscall(SYS_read, pipes[0], &byte, 1));
  fed = 0;
  pthread_t feeder = start_thread(feed, NULL);
  expect_wait("read", syscall(SYS_read, pipes[0], &byte, 1), feeder);
  struct iovec vector = {&byte, 1};
  feeder = start_thread(feed, NULL);
  expect_wait("readv", syscall(SYS_readv, pipes[0], &vector, 1), feeder);
  struct pollfd polled = {.fd = pipes[0], .events = POLLIN};
  feeder = start_thread(feed, NULL);
  expect_wait("poll", syscall(SYS_poll, &polled, 1, -1), feeder);
  SHOW(syscall(SYS_read, pipes[0], &byte, 1));
  struct timespec minute = {60, 0};
  feeder = start_thread(feed, NULL);
  expect_wait("ppoll", syscall(SYS_ppoll, &polled, 1, &minute, NULL, 0), feeder);
  printf("time left: %s\n", minute.tv_sec < 60 && minute.tv_sec > 30 ? "yes" : "no");
  SHOW(syscall(SYS_read, pipes[0], &byte, 1));
  fd_set set;
  FD_ZERO(&set);
  FD_SET(pipes[0], &set);
  uint64_t no_signals = 0;
  struct { uint64_t* mask; size_t size; } packed = {&no_signals, 8};
  struct timespec another = {60, 0};
  feeder = start_thread(feed, NULL);
  expect_wait("pselect6", syscall(SYS_pselect6, pipes[0] + 1, &set, NULL, NULL, &another, &packed), feeder);
  printf("time left: %s\n", another.tv_sec < 60 && another.tv_sec > 30 ? "yes" : "no");
  packed.size = 128;
  SHOW(syscall(SYS_pselect6, pipes[0] + 1, &set, NULL, NULL, &another, &packed));
  SHOW(syscall(SYS_read, pipes[0], &byte, 1));
  const int epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN};
  CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, pipes[0], &event) == 0);
  feeder = start_thread(feed, NULL);
  expect_wait("epoll_pwait", syscall(SYS_epoll_pwait, epoll, &event, 1, -1, NULL, 0), feeder);
  SHOW(syscall(SYS_epoll_pwait, epoll, &event, 1, -1, &no_signals, 4));
  SHOW(syscall(SYS_read, pipes[0], &byte, 1));

  SHOW(syscall(SYS_sendto, sockets[0], "ab", 2, 0, NULL, 0));
  char two[2];
  SHOW(syscall(SYS_recvfrom, sockets[1], two, 2, MSG_WAITALL, NULL, NULL));
  struct timespec nothing = {0, 1000000};
  SHOW(syscall(SYS_nanosleep, &nothing, NULL));
  SHOW(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &nothing, NULL));
  struct timespec bad = {0, -1};
  SHOW(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &bad, NULL));
  SHOW(syscall(SYS_read, -1, &byte, 1));

  struct { uint64_t word, untouched; } mask = {1ull << (SIGUSR1 - 1), 42}, before = {0, 42};
  signal(SIGUSR1, handler);
  SHOW(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &mask, &before, 8));
  SHOW(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &mask, &before, 128));
  CHECK(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1) == 0);
  SHOW(syscall(SYS_rt_sigpending, &before, 8));
  printf("pending %d, handled %d, beyond %d\n", before.word == mask.word, (int)handled, (int)before.untouched);
  SHOW(syscall(SYS_rt_sigsuspend, &no_signals, 8));
  printf("handled %d\n", handled == SIGUSR1);
  CHECK(syscall(SYS_tkill, syscall(SYS_gettid), SIGUSR1) == 0);
  SHOW(syscall(SYS_rt_sigtimedwait, &mask, NULL, &nothing, 8) == SIGUSR1);
  SHOW(syscall(SYS_rt_sigtimedwait, &mask, NULL, &nothing, 8));
  join_thread(start_thread(read_own_signal, &mask.word));
  join_thread(start_thread(ask_priority, NULL));
  newer_futexes();

  wait_for("fork", syscall(SYS_fork));
  wait_for("clone", syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0));
  struct clone_args arguments = {.exit_signal = SIGCHLD};
  wait_for("clone3", syscall(SYS_clone3, &arguments, sizeof arguments));
  return success();
}
