// Reads of a timerfd wait for it to expire, reads of a signalfd wait for the signal.
#include "check.h"
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

static void* expire(void* argument) {
  int fd = timerfd_create(CLOCK_MONOTONIC, 0);
  struct itimerspec when = {.it_value = {0, 50000000}, .it_interval = {0, 10000000}};
  double began = seconds_now();
  CHECK(timerfd_settime(fd, 0, &when, NULL) == 0);
  uint64_t times, total = 0;
  CHECK(read(fd, &times, sizeof times) == sizeof times && times >= 1);
  CHECK_TOOK(began, 50);
  while (total < 3) {
    CHECK(read(fd, &times, sizeof times) == sizeof times);
    total += times;
  }
  CHECK_TOOK(began, 80);
  close(fd);
  return argument;
}
static int signals;
static void* read_signal(void* argument) {
  struct signalfd_siginfo info;
  CHECK(read(signals, &info, sizeof info) == sizeof info);
  CHECK(argument == NULL);
  return (void*)(intptr_t)info.ssi_signo;
}

// A thread reads what was sent to it alone, before and while it reads.
static _Atomic int waits;
static void show_next(void) {
  struct signalfd_siginfo info;
  CHECK(read(signals, &info, sizeof info) == sizeof info);
  printf("read: %u, code %d, value %d\n", info.ssi_signo, info.ssi_code, info.ssi_code == SI_QUEUE ? info.ssi_int : 0);
}
static void* read_own(void* argument) {
  struct pollfd polled = {.fd = signals, .events = POLLIN};
  sigset_t pending;
  CHECK(raise(SIGUSR1) == 0);
  SHOW(sigpending(&pending));
  printf("pending: %d, readable: %d\n", sigismember(&pending, SIGUSR1), poll(&polled, 1, 0));
  show_next();
  waits = 1;
  show_next();
  waits = 2;
  CHECK(poll(&polled, 1, -1) == 1);
  show_next();
  return argument;
}
static void sent_to_a_thread(void) {
  pthread_t reader = start_thread(read_own, NULL);
  while (waits < 1) sched_yield();
  let_others_run();
  CHECK(pthread_kill(reader, SIGUSR1) == 0);
  while (waits < 2) sched_yield();
  let_others_run();
  CHECK(pthread_sigqueue(reader, SIGUSR1, (union sigval){.sival_int = 5}) == 0);
  join_thread(reader);
}

int main(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
  signals = signalfd(-1, &set, SFD_CLOEXEC);
  pthread_t timers[5], reader = start_thread(read_signal, NULL);
  for (int i = 0; i < 5; i++) timers[i] = start_thread(expire, NULL);
  let_others_run();
  CHECK(kill(getpid(), SIGUSR1) == 0);
  printf("signalfd: %s\n", (intptr_t)join_thread(reader) == SIGUSR1 ? "SIGUSR1" : "other");
  for (int i = 0; i < 5; i++) join_thread(timers[i]);
  sent_to_a_thread();
  puts("five timers");
  int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  uint64_t times;
  SHOW(read(fd, &times, sizeof times));
  return success();
}
