// A library whose constructor makes a thread. It does not know guv, and begins before it.
#include <pthread.h>
#include <stdlib.h>

static int ran;

static void* body(void* argument) {
  ran = 1;
  return argument;
}

__attribute__((constructor)) static void begin(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, body, NULL) != 0 || pthread_join(thread, NULL) != 0) abort();
}

int early_thread_ran(void) { return ran; }
