// Timed waits on a condition give up at their time on their clock, holding the mutex again.
#include "check.h"

static pthread_mutex_t mutex;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER, monotonic;
static int flag;
static void* wake(void* argument) {
  pthread_mutex_lock(&mutex);
  flag = 1;
  pthread_mutex_unlock(&mutex);
  pthread_cond_signal(&cond);
  return argument;
}
static void* try_it(void* argument) {
  CHECK(argument == NULL);
  return (void*)(intptr_t)pthread_mutex_trylock(&mutex);
}

int main(void) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
  pthread_mutex_init(&mutex, &attributes);
  pthread_condattr_t clock;
  pthread_condattr_init(&clock);
  SHOW_ERROR(pthread_condattr_setclock(&clock, CLOCK_MONOTONIC));
  SHOW_ERROR(pthread_condattr_setclock(&clock, CLOCK_PROCESS_CPUTIME_ID));
  pthread_cond_init(&monotonic, &clock);

  pthread_mutex_lock(&mutex);
  double began = seconds_now();
  struct timespec until = in_milliseconds(CLOCK_REALTIME, 50);
  int error;
  while ((error = pthread_cond_timedwait(&cond, &mutex, &until)) == 0) continue;
  printf("realtime: %s\n", errno_name(error));
  CHECK_TOOK(began, 50);
  printf("another's trylock: %s\n", errno_name((int)(intptr_t)join_thread(start_thread(try_it, NULL))));
  began = seconds_now();
  until = in_milliseconds(CLOCK_MONOTONIC, 50);
  while ((error = pthread_cond_timedwait(&monotonic, &mutex, &until)) == 0) continue;
  printf("monotonic: %s\n", errno_name(error));
  CHECK_TOOK(began, 50);
  began = seconds_now();
  until = in_milliseconds(CLOCK_MONOTONIC, 30);
  while ((error = pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &until)) == 0) continue;
  printf("clockwait: %s\n", errno_name(error));
  CHECK_TOOK(began, 30);
  until = in_milliseconds(CLOCK_REALTIME, -1000);
  SHOW_ERROR(pthread_cond_timedwait(&cond, &mutex, &until));
  until.tv_nsec = -1;
  SHOW_ERROR(pthread_cond_timedwait(&cond, &mutex, &until));

  pthread_t thread = start_thread(wake, NULL);
  until = in_milliseconds(CLOCK_REALTIME, 20000);
  while (!flag && (error = pthread_cond_timedwait(&cond, &mutex, &until)) == 0) continue;
  printf("woken: %s\n", errno_name(flag ? 0 : error));
  SHOW_ERROR(pthread_mutex_unlock(&mutex));
  SHOW_ERROR(pthread_cond_wait(&cond, &mutex));  // not ours any more
  join_thread(thread);
  SHOW_ERROR(pthread_cond_destroy(&cond));
  return success();
}
