// tryjoin_np says EBUSY and timedjoin_np ETIMEDOUT while the thread runs; both leave it joinable.
#include "check.h"
#include <semaphore.h>

static sem_t go;
static void* work(void* argument) {
  sem_wait(&go);
  return argument;
}

int main(void) {
  sem_init(&go, 0, 0);
  void* result = NULL;
  pthread_t thread = start_thread(work, (void*)5);
  SHOW_ERROR(pthread_tryjoin_np(thread, &result));
  double began = seconds_now();
  struct timespec until = in_milliseconds(CLOCK_REALTIME, 60);
  SHOW_ERROR(pthread_timedjoin_np(thread, &result, &until));
  CHECK_TOOK(began, 60);
  began = seconds_now();
  until = in_milliseconds(CLOCK_MONOTONIC, 40);
  SHOW_ERROR(pthread_clockjoin_np(thread, &result, CLOCK_MONOTONIC, &until));
  CHECK_TOOK(began, 40);
  sem_post(&go);
  until = in_milliseconds(CLOCK_REALTIME, 20000);
  SHOW_ERROR(pthread_timedjoin_np(thread, &result, &until));
  printf("result: %ld\n", (long)(intptr_t)result);

  thread = start_thread(work, (void*)6);
  sem_post(&go);
  int error;
  while ((error = pthread_tryjoin_np(thread, &result)) == EBUSY) sched_yield();
  printf("tryjoin: %s %ld\n", errno_name(error), (long)(intptr_t)result);
  return success();
}
