// Loops of sched_yield make progress together; a flag set by another thread is seen.
#include "check.h"

static int turn, finished;
static void* work(void* argument) {
  int me = (int)(intptr_t)argument;
  for (int i = 0; i < 200; i++) {
    while (__atomic_load_n(&turn, __ATOMIC_SEQ_CST) != me) sched_yield();
    __atomic_store_n(&turn, (me + 1) % 5, __ATOMIC_SEQ_CST);
  }
  __atomic_add_fetch(&finished, 1, __ATOMIC_SEQ_CST);
  return NULL;
}

int main(void) {
  for (intptr_t i = 0; i < 5; i++) {
    pthread_t thread = start_thread(work, (void*)i);
    CHECK(pthread_detach(thread) == 0);
  }
  while (__atomic_load_n(&finished, __ATOMIC_SEQ_CST) < 5) sched_yield();
  printf("finished %d\n", finished);
  return success();
}
