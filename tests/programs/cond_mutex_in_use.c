// A mutex whose only users wait for a condition cannot be destroyed, and can afterwards.
#include "check.h"

static pthread_mutex_t mutex;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int waiting, go;

static void* wait_for_it(void* argument) {
  pthread_mutex_lock(&mutex);
  waiting = 1;
  while (!go) pthread_cond_wait(&condition, &mutex);
  pthread_mutex_unlock(&mutex);
  return argument;
}

static int is_waiting(void) {
  pthread_mutex_lock(&mutex);
  int seen = waiting;
  pthread_mutex_unlock(&mutex);
  return seen;
}

int main(void) {
  const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK};
  for (int i = 0; i < 3; i++) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, types[i]);
    CHECK(pthread_mutex_init(&mutex, &attributes) == 0);
    waiting = go = 0;
    pthread_t waiter = start_thread(wait_for_it, NULL);
    while (!is_waiting()) sched_yield();
    SHOW_ERROR(pthread_mutex_destroy(&mutex));
    pthread_mutex_lock(&mutex);
    go = 1;
    pthread_cond_signal(&condition);
    pthread_mutex_unlock(&mutex);
    join_thread(waiter);
    SHOW_ERROR(pthread_mutex_destroy(&mutex));
  }
  return success();
}
