// The process changes its identity again and again while libc makes and ends kernel threads of its own, for a timer: the locks
// that it needs for either are the same.
#include "check.h"
#include <signal.h>

static int notified;

static void notify(union sigval value) {
  (void)value;
  __atomic_add_fetch(&notified, 1, __ATOMIC_RELAXED);
}

static void* work(void* argument) {
  const double began = seconds_now();
  while (seconds_now() - began < 2 || !__atomic_load_n(&notified, __ATOMIC_RELAXED)) {
    CHECK(setgid(getgid()) == 0);
  }
  return argument;
}

int main(void) {
  const pthread_t thread = start_thread(work, NULL);
  struct sigevent event = {.sigev_notify = SIGEV_THREAD};
  event.sigev_notify_function = notify;
  const struct itimerspec often = {{0, 30000}, {0, 30000}};
  timer_t timer;
  CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &often, NULL) == 0);
  join_thread(thread);
  CHECK(timer_delete(timer) == 0);
  return success();
}
