// Built with -fstack-protector-all: canaries stay the same over blocking calls, on whatever stack.
#include "check.h"

static pthread_barrier_t barrier;
static int deep(int depth) {
  char block[64];
  snprintf(block, sizeof block, "%d", depth);
  pthread_barrier_wait(&barrier);
  return depth == 0 ? 0 : atoi(block) + deep(depth - 1);
}
static void* work(void* argument) {
  CHECK(argument == NULL);
  return (void*)(intptr_t)deep(50);
}

int main(void) {
  pthread_t threads[10];
  pthread_barrier_init(&barrier, NULL, 10);
  for (int i = 0; i < 10; i++) threads[i] = start_thread(work, NULL);
  for (int i = 0; i < 10; i++) CHECK((intptr_t)join_thread(threads[i]) == 1275);
  return success();
}
