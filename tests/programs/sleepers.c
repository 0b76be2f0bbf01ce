// Many sleepers sleep at the same time, each until its own, and none wakes early.
#include "check.h"

static struct timespec start;
static void* sleeper(void* argument) {
  struct timespec until = start, now;
  long long nanoseconds = until.tv_nsec + (intptr_t)argument * 60000000LL;
  until.tv_sec += nanoseconds / 1000000000;
  until.tv_nsec = nanoseconds % 1000000000;
  CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0);
  clock_gettime(CLOCK_MONOTONIC, &now);
  CHECK(now.tv_sec > until.tv_sec || (now.tv_sec == until.tv_sec && now.tv_nsec >= until.tv_nsec));
  return NULL;
}
static void* short_sleep(void* argument) {
  usleep(100000);
  return argument;
}

int main(void) {
  start = in_milliseconds(CLOCK_MONOTONIC, 60);
  pthread_t threads[200];
  const int shuffled[10] = {7, 2, 9, 4, 0, 5, 1, 8, 3, 6};
  for (int i = 0; i < 10; i++) threads[i] = start_thread(sleeper, (void*)(intptr_t)shuffled[i]);
  for (int i = 0; i < 10; i++) join_thread(threads[i]);
  double began = seconds_now();
  for (int i = 0; i < 200; i++) threads[i] = start_thread(short_sleep, NULL);
  for (int i = 0; i < 200; i++) join_thread(threads[i]);
  CHECK_TOOK(began, 100);
  return success();
}
