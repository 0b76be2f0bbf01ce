// Reads of a timerfd wait for it to expire, reads of a signalfd wait for the signal.
#include "check.h"
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
  puts("five timers");
  int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  uint64_t times;
  SHOW(read(fd, &times, sizeof times));
  return success();
}
