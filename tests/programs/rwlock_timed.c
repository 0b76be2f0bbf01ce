// Timed rwlock calls give up at their time; a waiting writer goes first where that was asked for.
#include "check.h"
#include <semaphore.h>

static pthread_rwlock_t lock;
static sem_t ready, go;
static void* hold(void* argument) {
  CHECK((argument ? pthread_rwlock_wrlock(&lock) : pthread_rwlock_rdlock(&lock)) == 0);
  sem_post(&ready);
  sem_wait(&go);
  CHECK(pthread_rwlock_unlock(&lock) == 0);
  return NULL;
}

static void* write_in_vain(void* argument) {
  struct timespec until = in_milliseconds(CLOCK_REALTIME, 300);
  (void)argument;
  return (void*)(intptr_t)pthread_rwlock_timedwrlock(&lock, &until);
}

static int try_to_read(void) {
  int error = pthread_rwlock_tryrdlock(&lock);
  if (error == 0) pthread_rwlock_unlock(&lock);
  return error;
}

// The lock is read; a writer waits for it for a while, and a reader stands back for the writer.
static void writer_gives_up(void) {
  pthread_rwlock_rdlock(&lock);
  pthread_t writer = start_thread(write_in_vain, NULL);
  for (double began = seconds_now(); try_to_read() == 0 && seconds_now() < began + 0.2;) sched_yield();
  SHOW_ERROR(pthread_rwlock_rdlock(&lock));
  printf("the writer: %s\n", errno_name((int)(intptr_t)join_thread(writer)));
  pthread_rwlock_unlock(&lock);
  pthread_rwlock_unlock(&lock);
}

int main(void) {
  sem_init(&ready, 0, 0);
  sem_init(&go, 0, 0);
  pthread_rwlock_init(&lock, NULL);
  for (intptr_t write = 0; write < 2; write++) {
    pthread_t holder = start_thread(hold, (void*)write);
    sem_wait(&ready);
    printf("-- while %s\n", write ? "written" : "read");
    double began = seconds_now();
    struct timespec until = in_milliseconds(CLOCK_REALTIME, 40);
    SHOW_ERROR(pthread_rwlock_timedwrlock(&lock, &until));
    CHECK_TOOK(began, 40);
    until = in_milliseconds(CLOCK_MONOTONIC, 40);
    SHOW_ERROR(pthread_rwlock_clockwrlock(&lock, CLOCK_MONOTONIC, &until));
    until = in_milliseconds(CLOCK_REALTIME, 40);
    int error;
    SHOW_ERROR(error = pthread_rwlock_timedrdlock(&lock, &until));
    if (error == 0) pthread_rwlock_unlock(&lock);
    until = in_milliseconds(CLOCK_MONOTONIC, 40);
    SHOW_ERROR(error = pthread_rwlock_clockrdlock(&lock, CLOCK_MONOTONIC, &until));
    if (error == 0) pthread_rwlock_unlock(&lock);
    until.tv_nsec = 2000000000;
    SHOW_ERROR(pthread_rwlock_timedwrlock(&lock, &until));
    sem_post(&go);
    until = in_milliseconds(CLOCK_REALTIME, 20000);
    SHOW_ERROR(pthread_rwlock_timedwrlock(&lock, &until));
    SHOW_ERROR(pthread_rwlock_unlock(&lock));
    join_thread(holder);
  }
  puts("-- a writer waits");
  pthread_rwlockattr_t attributes;
  pthread_rwlockattr_init(&attributes);
  SHOW_ERROR(pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP));
  pthread_rwlock_init(&lock, &attributes);
  pthread_rwlock_rdlock(&lock);
  pthread_t writer = start_thread(hold, (void*)1);
  int error;
  for (double began = seconds_now(); (error = pthread_rwlock_tryrdlock(&lock)) == 0 && seconds_now() < began + 5;) {
    pthread_rwlock_unlock(&lock);
    sched_yield();
  }
  printf("a new reader: %s\n", errno_name(error));
  if (error == 0) pthread_rwlock_unlock(&lock);
  SHOW_ERROR(pthread_rwlock_unlock(&lock));
  sem_post(&go);
  join_thread(writer);
  writer_gives_up();
  return success();
}
