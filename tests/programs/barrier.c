// A barrier lets all through together, round after round, with one serial thread each.
#include "check.h"

enum { threads = 16, rounds = 50 };
static pthread_barrier_t barrier;
static int arrived[rounds], serial[rounds];

static void* work(void* argument) {
  (void)argument;
  for (int i = 0; i < rounds; i++) {
    __atomic_add_fetch(&arrived[i], 1, __ATOMIC_SEQ_CST);
    int result = pthread_barrier_wait(&barrier);
    CHECK(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
    if (result) __atomic_add_fetch(&serial[i], 1, __ATOMIC_SEQ_CST);
    CHECK(__atomic_load_n(&arrived[i], __ATOMIC_SEQ_CST) == threads);
  }
  return NULL;
}

int main(void) {
  SHOW_ERROR(pthread_barrier_init(&barrier, NULL, 0));
  CHECK(pthread_barrier_init(&barrier, NULL, threads) == 0);
  pthread_t ids[threads];
  for (int i = 0; i < threads; i++) ids[i] = start_thread(work, NULL);
  for (int i = 0; i < threads; i++) join_thread(ids[i]);
  for (int i = 0; i < rounds; i++) CHECK(serial[i] == 1);
  printf("%d rounds of %d\n", rounds, threads);
  SHOW_ERROR(pthread_barrier_destroy(&barrier));
  return success();
}
