// An OpenMP team computes, waits and takes locks: that of the main thread, and that of another while some wait for it.
#include <omp.h>
#include "check.h"

enum { waiters = 10, team = 4, rounds = 50, items = 1000 };
static pthread_barrier_t computed;

static long compute(void) {
  long sum = 0, turns = 0;
  for (int round = 0; round < rounds; round++) {
#pragma omp parallel num_threads(team)
    {
#pragma omp for reduction(+ : sum) schedule(dynamic, 16)
      for (int i = 0; i < items; i++) sum += i;
#pragma omp critical
      turns++;
#pragma omp barrier
#pragma omp single
      CHECK(turns == (long)(round + 1) * team);
    }
  }
  return sum;
}

static void* work(void* argument) {
  (void)argument;
  const long sum = compute();
  pthread_barrier_wait(&computed);
  return (void*)sum;
}

static void* wait_for_it(void* argument) {
  pthread_barrier_wait(&computed);
  return argument;
}

int main(void) {
  omp_set_dynamic(0);
  printf("before the first thread: %ld\n", compute());
  CHECK(pthread_barrier_init(&computed, NULL, waiters + 1) == 0);
  pthread_t ids[waiters];
  for (int i = 0; i < waiters; i++) ids[i] = start_thread(wait_for_it, NULL);
  printf("in a thread: %ld\n", (long)join_thread(start_thread(work, NULL)));
  for (int i = 0; i < waiters; i++) join_thread(ids[i]);
  printf("after them: %ld\n", compute());
  return success();
}
