// A thread gives memory back: malloc asks how by a file, with its arena locked, where no kernel thread can be made to read it.
#include "check.h"

enum { blocks = 64, size = 65536 };
static pthread_barrier_t freed;
static void* wait_for_it(void* argument) {
  pthread_barrier_wait(&freed);
  return argument;
}

static void* give_back(void* argument) {
  char* held[blocks];
  for (int i = 0; i < blocks; i++) {
    held[i] = malloc(size);
    CHECK(held[i]);
    memset(held[i], 1, size);
  }
  for (int i = blocks - 1; i >= 0; i--) free(held[i]);
  pthread_barrier_wait(&freed);
  return argument;
}

int main(void) {
  CHECK(pthread_barrier_init(&freed, NULL, 2) == 0);
  const pthread_t waiter = start_thread(wait_for_it, NULL), giver = start_thread(give_back, NULL);
  join_thread(waiter);
  join_thread(giver);
  return success();
}
