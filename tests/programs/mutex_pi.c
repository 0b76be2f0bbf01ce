// Priority-inheritance mutexes: exclusion under contention, EDEADLK, EPERM, ETIMEDOUT.
#include "check.h"

static pthread_mutex_t mutex;
static long counter;
static void* work(void* argument) {
  for (int i = 0; i < 100; i++) {
    CHECK(pthread_mutex_lock(&mutex) == 0);
    long seen = counter;
    if (i % 10 == 0) sched_yield();
    counter = seen + 1;
    CHECK(pthread_mutex_unlock(&mutex) == 0);
  }
  return argument;
}
static void* others_view(void* argument) {
  SHOW_ERROR(pthread_mutex_trylock(&mutex));
  SHOW_ERROR(pthread_mutex_unlock(&mutex));
  struct timespec until = in_milliseconds(CLOCK_REALTIME, 30);
  SHOW_ERROR(pthread_mutex_timedlock(&mutex, &until));
  const struct timespec never = {-1, 0};
  SHOW_ERROR(pthread_mutex_timedlock(&mutex, &never));
  return argument;
}

int main(void) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  CHECK(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT) == 0);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
  CHECK(pthread_mutex_init(&mutex, &attributes) == 0);
  pthread_t threads[20];
  for (int i = 0; i < 20; i++) threads[i] = start_thread(work, NULL);
  for (int i = 0; i < 20; i++) join_thread(threads[i]);
  printf("counter %ld\n", counter);
  SHOW_ERROR(pthread_mutex_lock(&mutex));
  SHOW_ERROR(pthread_mutex_lock(&mutex));
  join_thread(start_thread(others_view, NULL));
  SHOW_ERROR(pthread_mutex_unlock(&mutex));
  SHOW_ERROR(pthread_mutex_destroy(&mutex));
  return success();
}
