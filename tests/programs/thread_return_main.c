// Returning from main ends the process although threads are parked, and flushes stdio.
#include "check.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static void* parked(void* argument) {
  pthread_mutex_lock(&mutex);
  puts("not reached");
  return argument;
}

int main(void) {
  setvbuf(stdout, NULL, _IOFBF, 4096);
  pthread_mutex_lock(&mutex);
  for (int i = 0; i < 10; i++) start_thread(parked, NULL);
  let_others_run();
  puts("flushed at exit");
  success();
  return 3;
}
