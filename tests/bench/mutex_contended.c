// ns per lock + unlock when 50 threads want one mutex and its owner is rescheduled while it holds it.
//   mutex_contended [MILLISECONDS]
#include "bench.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { threads = 50 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static uint64_t total;
static int64_t until;
static _Atomic int stop;

static void* contend(void* argument) {
  uint64_t mine = 0;
  while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
    pthread_mutex_lock(&mutex);
    if (++total % 64 == 0 && now_ns() > until) atomic_store(&stop, 1);
    sched_yield();  // inside: the others find it locked
    pthread_mutex_unlock(&mutex);
    ++mine;
  }
  *(uint64_t*)argument = mine;
  return NULL;
}

int main(int argc, char** argv) {
  pthread_t thread[threads];
  uint64_t counts[threads], sum = 0;
  pthread_mutex_lock(&mutex);  // nobody starts before all are there
  for (int i = 0; i < threads; ++i) check(pthread_create(&thread[i], NULL, contend, &counts[i]), "pthread_create");
  int64_t start = now_ns();
  until = start + duration_ns(argc, argv, 200);
  pthread_mutex_unlock(&mutex);
  for (int i = 0; i < threads; ++i) check(pthread_join(thread[i], NULL), "pthread_join");
  int64_t end = now_ns();
  for (int i = 0; i < threads; ++i) sum += counts[i];
  if (sum != total) {
    fprintf(stderr, "mutual exclusion failed: %llu locks, counted %llu\n", (unsigned long long)sum, (unsigned long long)total);
    return 1;
  }
  printf("%.1f\n", (double)(end - start) / (double)total);
}
