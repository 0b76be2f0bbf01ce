// What is asked for a set of signals writes the eight bytes that the kernel has of it, and no more: also where sigemptyset is
// that of an older libc, which clears all of its type.
#include "check.h"
#include <signal.h>

int sigemptyset(sigset_t* set) {
  memset(set, 0, sizeof *set);
  return 0;
}

static int written(int (*ask)(sigset_t*)) {
  unsigned char bytes[sizeof(sigset_t)];
  memset(bytes, 0x55, sizeof bytes);
  CHECK(ask((sigset_t*)bytes) == 0);
  size_t size = sizeof bytes;
  while (size > 0 && bytes[size - 1] == 0x55) size--;
  return (int)size;
}

static int mask_of_thread(sigset_t* set) { return pthread_sigmask(SIG_BLOCK, NULL, set); }
static int mask_of_process(sigset_t* set) { return sigprocmask(SIG_BLOCK, NULL, set); }

static void* ask(void* argument) {
  printf("pthread_sigmask: %d\n", written(mask_of_thread));
  printf("sigprocmask: %d\n", written(mask_of_process));
  printf("sigpending: %d\n", written(sigpending));
  return argument;
}

int main(void) {
  ask(NULL);
  join_thread(start_thread(ask, NULL));
  return success();
}
