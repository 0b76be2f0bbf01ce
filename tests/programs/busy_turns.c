// Threads that only compute, raise signals or sleep for no time take turns; their registers survive it. Built as Debian's
// python3 is: not position-independent, with the address of malloc in its own table of calls.
#include "check.h"
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

static atomic_int flag, turn, stop, handled;
static int ends[2];

static void* set_flag(void* argument) {
  const struct timespec moment = {0, 1000000};
  nanosleep(&moment, NULL);
  flag = 1;
  return argument;
}

// Sums in floating point all the while: its result must not depend on who else computes.
static void* take_turns(void* argument) {
  const int me = (int)(intptr_t)argument;
  double sum = 0;
  for (int round = 0; round < 5; round++) {
    while (turn % 2 != me) sum = sum * 0.5 + me + 1;
    for (int i = 0; i < 100000; i++) sum = sum * 0.5 + me + 1;
    turn++;
  }
  CHECK(sum > 2 * (me + 1) - 0.001 && sum < 2 * (me + 1) + 0.001);
  return NULL;
}

static void handle(int signal) {
  (void)signal;
  handled = 1;
}
static void* raise_signals(void* argument) {
  while (!stop) raise(SIGUSR1);
  return argument;
}

static void* sleep_for_nothing(void* argument) {
  const struct timespec nothing = {0, 0};
  CHECK(write(ends[1], "", 1) == 1);
  while (!stop) nanosleep(&nothing, NULL);
  return argument;
}

int main(void) {
  void* (*volatile allocate)(size_t) = malloc;
  free(allocate(1));
  pthread_t threads[2];
  CHECK(pthread_create(&threads[0], NULL, set_flag, NULL) == 0);
  while (!flag) continue;
  puts("saw the flag");
  pthread_join(threads[0], NULL);

  for (intptr_t i = 0; i < 2; i++) CHECK(pthread_create(&threads[i], NULL, take_turns, (void*)i) == 0);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  printf("%d turns\n", turn);

  signal(SIGUSR1, handle);
  CHECK(pthread_create(&threads[0], NULL, raise_signals, NULL) == 0);
  while (!handled) sched_yield();
  stop = 1;
  pthread_join(threads[0], NULL);
  puts("raised");

  stop = 0;
  CHECK(pipe(ends) == 0);
  CHECK(pthread_create(&threads[0], NULL, sleep_for_nothing, NULL) == 0);
  struct pollfd polled = {.fd = ends[0], .events = POLLIN};
  CHECK(poll(&polled, 1, -1) == 1);
  stop = 1;
  pthread_join(threads[0], NULL);
  puts("slept for nothing");
  return success();
}
