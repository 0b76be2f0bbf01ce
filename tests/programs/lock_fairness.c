// A thread that makes calls only while it has the lock, and wants it again at once, does not keep it from the others.
#include "check.h"
#include <semaphore.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static sem_t semaphore;
static int ends[2];
static _Atomic int stop;

static void call(void) {
  char byte;
  CHECK(write(ends[1], "x", 1) == 1 && read(ends[0], &byte, 1) == 1);
}

static void* hog_mutex(void* argument) {
  while (!stop) {
    pthread_mutex_lock(&mutex);
    call();
    pthread_mutex_unlock(&mutex);
  }
  return argument;
}

static void* hog_semaphore(void* argument) {
  while (!stop) {
    CHECK(sem_wait(&semaphore) == 0);
    call();
    CHECK(sem_post(&semaphore) == 0);
  }
  return argument;
}

int main(void) {
  CHECK(pipe(ends) == 0 && sem_init(&semaphore, 0, 1) == 0);
  pthread_t hog = start_thread(hog_mutex, NULL);
  for (int i = 0; i < 100; i++) {
    pthread_mutex_lock(&mutex);
    call();
    pthread_mutex_unlock(&mutex);
    sched_yield();
  }
  stop = 1;
  join_thread(hog);
  puts("mutex");
  stop = 0;
  hog = start_thread(hog_semaphore, NULL);
  for (int i = 0; i < 100; i++) {
    CHECK(sem_wait(&semaphore) == 0);
    call();
    CHECK(sem_post(&semaphore) == 0);
    sched_yield();
  }
  stop = 1;
  join_thread(hog);
  puts("semaphore");
  return success();
}
