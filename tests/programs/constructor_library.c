// The library of constructor_threads.c.
#include "check.h"
#include <signal.h>

enum { threads = 20, signals = 10 };
static pthread_barrier_t meeting;
_Atomic int handled;
int early_sum;

static void count(int number) {
  (void)number;
  handled++;
}

static void* meet(void* argument) {
  pthread_barrier_wait(&meeting);
  return argument;
}

static void* take_signals(void* argument) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
  pthread_barrier_wait(&meeting);
  for (long i = 0; i < signals; i++) {
    siginfo_t info;
    CHECK(sigwaitinfo(&set, &info) == SIGRTMIN && info.si_value.sival_int == i);
  }
  return argument;
}

int run_threads(void) {
  CHECK(pthread_barrier_init(&meeting, NULL, threads + 2) == 0);
  pthread_t ids[threads];
  for (intptr_t i = 0; i < threads; i++) ids[i] = start_thread(meet, (void*)i);
  const pthread_t taker = start_thread(take_signals, NULL);
  pthread_barrier_wait(&meeting);
  for (int i = 0; i < signals; i++) CHECK(pthread_sigqueue(taker, SIGRTMIN, (union sigval){.sival_int = i}) == 0);
  CHECK(signal(SIGUSR1, count) != SIG_ERR);
  for (int i = 0; i < signals; i++) CHECK(raise(SIGUSR1) == 0);
  int sum = 0;
  for (int i = 0; i < threads; i++) sum += (int)(intptr_t)join_thread(ids[i]);
  join_thread(taker);
  return sum;
}

__attribute__((constructor)) static void begin_early(void) { early_sum = run_threads(); }
