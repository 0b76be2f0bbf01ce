// A program that has created no thread waits at a barrier for one of libc's own making.
#include "check.h"
#include <signal.h>

static pthread_barrier_t barrier;
static int rounds;

static void at_expiry(union sigval unused) {
  (void)unused;
  for (int i = 0; i < 3; i++) {
    pthread_barrier_wait(&barrier);
    rounds++;
    pthread_barrier_wait(&barrier);
  }
}

int main(void) {
  CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0);
  struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = at_expiry};
  timer_t timer;
  CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
  struct itimerspec soon = {.it_value = {.tv_nsec = 1000000}};
  CHECK(timer_settime(timer, 0, &soon, NULL) == 0);
  for (int i = 0; i < 3; i++) {
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    printf("%d\n", rounds);
  }
  SHOW_ERROR(pthread_barrier_destroy(&barrier));
  return success();
}
