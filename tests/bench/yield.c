// ns per switch between two ready threads that only sched_yield. Counts switches that happened, not calls: a kernel may
// let the caller go on.   yield [MILLISECONDS]
#include "bench.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static _Atomic int running, ready, stop;
static uint64_t switches;  // only the running thread writes it, and both are on one CPU
static int64_t length, began, ended;

static void* yielder(void* argument) {
  int me = *(int*)argument;
  atomic_fetch_add(&ready, 1);
  while (atomic_load(&ready) < 2) sched_yield();
  if (me == 1) began = now_ns();
  for (uint64_t turn = 0; !atomic_load_explicit(&stop, memory_order_relaxed); ++turn) {
    if (atomic_load_explicit(&running, memory_order_relaxed) != me) {
      atomic_store_explicit(&running, me, memory_order_relaxed);
      ++switches;
    }
    if (me == 1 && turn % 256 == 0 && now_ns() - began > length) {
      ended = now_ns();
      atomic_store(&stop, 1);
    }
    sched_yield();
  }
  return NULL;
}

int main(int argc, char** argv) {
  length = duration_ns(argc, argv, 200);
  int names[] = {1, 2};
  pthread_t threads[2];
  for (int i = 0; i < 2; ++i) check(pthread_create(&threads[i], NULL, yielder, &names[i]), "pthread_create");
  for (int i = 0; i < 2; ++i) check(pthread_join(threads[i], NULL), "pthread_join");
  printf("%.1f\n", (double)(ended - began) / (double)(switches ? switches : 1));
}
