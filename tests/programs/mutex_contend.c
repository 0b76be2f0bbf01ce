// Many threads contend for mutexes of every type, giving way and blocking inside; no increment is lost.
#include "check.h"

enum { threads = 30, rounds = 100 };
static pthread_mutex_t mutex;
static long counter;
static int ends[2];
static void* work(void* argument) {
  int recursive = argument != NULL;
  for (int i = 0; i < rounds; i++) {
    CHECK(pthread_mutex_lock(&mutex) == 0);
    if (recursive) CHECK(pthread_mutex_lock(&mutex) == 0);
    long seen = counter;
    if (i % 10 == 0) sched_yield();
    if (i % 25 == 0) {
      char byte = 1;
      CHECK(write(ends[1], &byte, 1) == 1 && read(ends[0], &byte, 1) == 1);
    }
    counter = seen + 1;
    if (recursive) CHECK(pthread_mutex_unlock(&mutex) == 0);
    CHECK(pthread_mutex_unlock(&mutex) == 0);
  }
  return NULL;
}

int main(void) {
  CHECK(pipe(ends) == 0);
  const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ADAPTIVE_NP};
  for (int i = 0; i < 4; i++) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, types[i]);
    pthread_mutex_init(&mutex, &attributes);
    counter = 0;
    pthread_t ids[threads];
    for (int j = 0; j < threads; j++) ids[j] = start_thread(work, types[i] == PTHREAD_MUTEX_RECURSIVE ? &mutex : NULL);
    for (int j = 0; j < threads; j++) join_thread(ids[j]);
    printf("type %d: %ld\n", types[i], counter);
    SHOW_ERROR(pthread_mutex_destroy(&mutex));
  }
  return success();
}
