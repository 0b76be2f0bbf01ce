// sleep, usleep, nanosleep, clock_nanosleep and waiting in poll take their time in a thread and in main, and no more.
#include "check.h"
#include <poll.h>

static void* look(void* argument) {
  double began = seconds_now();
  SHOW(usleep(40000));
  CHECK_TOOK(began, 40);
  struct timespec time = {0, 30000000}, left = {5, 5};
  began = seconds_now();
  SHOW(nanosleep(&time, &left));
  CHECK_TOOK(began, 30);
  began = seconds_now();
  SHOW(clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL));
  CHECK_TOOK(began, 30);
  began = seconds_now();
  time = in_milliseconds(CLOCK_MONOTONIC, 50);
  SHOW(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL));
  CHECK_TOOK(began, 50);
  began = seconds_now();
  time = in_milliseconds(CLOCK_REALTIME, 50);
  SHOW(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &time, NULL));
  CHECK_TOOK(began, 50);
  time = in_milliseconds(CLOCK_MONOTONIC, -100);
  SHOW(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL));
  time = (struct timespec){0, 1000000000};
  SHOW(nanosleep(&time, NULL));
  SHOW(clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL) == EINVAL);
  time = (struct timespec){-1, 0};
  SHOW(nanosleep(&time, NULL));
  SHOW(sleep(0));
  SHOW(usleep(0));
  time = (struct timespec){0, 0};
  SHOW(nanosleep(&time, NULL));
  began = seconds_now();
  for (int i = 0; i < 20; i++) usleep(200);  // sub-millisecond sleeps are not rounded up to much
  CHECK_TOOK(began, 4);
  if (argument) {
    began = seconds_now();
    SHOW(sleep(1));
    CHECK_TOOK(began, 1000);
  }
  return argument;
}

int main(void) {
  pthread_t thread = start_thread(look, (void*)1);
  join_thread(thread);
  look(NULL);
  return success();
}
