// A program with more thread-local variables than a small stack would hold.
#include "check.h"

static _Thread_local char large[700 * 1024];

static void* work(void* argument) {
  for (size_t i = 0; i < sizeof large; i += 4096) CHECK(large[i] == 0);
  memset(large, (int)(intptr_t)argument, sizeof large);
  usleep(1000);
  for (size_t i = 0; i < sizeof large; i += 4096) CHECK(large[i] == (char)(intptr_t)argument);
  return NULL;
}

int main(void) {
  pthread_t threads[8];
  for (int round = 0; round < 3; round++) {
    for (intptr_t i = 0; i < 8; i++) threads[i] = start_thread(work, (void*)(i + 1));
    for (int i = 0; i < 8; i++) join_thread(threads[i]);
  }
  CHECK(large[4096] == 0);
  return success();
}
