// longjmp within a thread, across calls that blocked in between.
#include "check.h"
#include <setjmp.h>

static pthread_barrier_t barrier;
static void deep(jmp_buf where, int depth) {
  char padding[200];
  memset(padding, depth, sizeof padding);
  if (depth == 0) longjmp(where, 5);
  sched_yield();
  deep(where, depth - 1);
  CHECK(padding[0] == depth);
}
static void* work(void* argument) {
  volatile int jumps = 0;
  for (volatile int i = 0; i < 50; i++) {
    jmp_buf where;
    int value = setjmp(where);
    if (value == 0) {
      pthread_barrier_wait(&barrier);
      deep(where, 20);
    }
    jumps += value;
  }
  CHECK(argument == NULL);
  return (void*)(intptr_t)jumps;
}

int main(void) {
  pthread_barrier_init(&barrier, NULL, 8);
  pthread_t threads[8];
  long sum = 0;
  for (int i = 0; i < 8; i++) threads[i] = start_thread(work, NULL);
  for (int i = 0; i < 8; i++) sum += (long)(intptr_t)join_thread(threads[i]);
  printf("sum %ld\n", sum);
  return success();
}
