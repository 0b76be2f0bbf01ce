// __thread variables: fresh in each thread, kept over blocking calls, at addresses of their own.
#include "check.h"

enum { threads = 50 };
static __thread int counter = 42;
static __thread char zeroed[5000];
static __thread _Alignas(64) int aligned = 7;
static pthread_barrier_t barrier;

static void* work(void* argument) {
  intptr_t me = (intptr_t)argument;
  CHECK(counter == 42 && aligned == 7 && zeroed[0] == 0 && zeroed[4999] == 0);
  CHECK((uintptr_t)&aligned % 64 == 0);
  memset(zeroed, (int)me, sizeof zeroed);
  counter = (int)me;
  int* where = &counter;
  for (int i = 0; i < 20; i++) {
    pthread_barrier_wait(&barrier);
    CHECK(counter == me + i && where == &counter && zeroed[2500] == (char)me);
    counter++;
  }
  return where;
}

int main(void) {
  pthread_t ids[threads];
  void* where[threads];
  pthread_barrier_init(&barrier, NULL, threads);
  counter = 1;
  for (intptr_t i = 0; i < threads; i++) ids[i] = start_thread(work, (void*)i);
  for (int i = 0; i < threads; i++) where[i] = join_thread(ids[i]);
  for (int i = 0; i < threads; i++)
    for (int j = 0; j < i; j++) CHECK(where[i] != where[j]);
  printf("main's own: %d\n", counter);
  return success();
}
