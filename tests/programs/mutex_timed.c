// timedlock and clocklock give up at their time, get a mutex freed before it, and know bad arguments.
#include "check.h"
#include <semaphore.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static sem_t held, release;
static void* holder(void* argument) {
  pthread_mutex_lock(&mutex);
  sem_post(&held);
  sem_wait(&release);
  pthread_mutex_unlock(&mutex);
  return argument;
}

int main(void) {
  sem_init(&held, 0, 0);
  sem_init(&release, 0, 0);
  pthread_t thread = start_thread(holder, NULL);
  sem_wait(&held);
  double began = seconds_now();
  struct timespec until = in_milliseconds(CLOCK_REALTIME, 50);
  SHOW_ERROR(pthread_mutex_timedlock(&mutex, &until));
  CHECK_TOOK(began, 50);
  began = seconds_now();
  until = in_milliseconds(CLOCK_MONOTONIC, 50);
  SHOW_ERROR(pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &until));
  CHECK_TOOK(began, 50);
  until.tv_nsec = 1000000000;
  SHOW_ERROR(pthread_mutex_timedlock(&mutex, &until));
  until = in_milliseconds(CLOCK_REALTIME, -5000);
  SHOW_ERROR(pthread_mutex_timedlock(&mutex, &until));
  SHOW_ERROR(pthread_mutex_clocklock(&mutex, CLOCK_PROCESS_CPUTIME_ID, &until));
  sem_post(&release);
  until = in_milliseconds(CLOCK_REALTIME, 20000);
  SHOW_ERROR(pthread_mutex_timedlock(&mutex, &until));
  SHOW_ERROR(pthread_mutex_unlock(&mutex));
  until.tv_sec = 0;
  SHOW_ERROR(pthread_mutex_timedlock(&mutex, &until));  // free: the time does not matter
  join_thread(thread);

  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
  pthread_mutex_t checked;
  pthread_mutex_init(&checked, &attributes);
  pthread_mutex_lock(&checked);
  until = in_milliseconds(CLOCK_REALTIME, 20000);
  SHOW_ERROR(pthread_mutex_timedlock(&checked, &until));
  return success();
}
