// Endless recursion in a thread ends in SIGSEGV, not in somebody else's memory.
#include "check.h"

static int recurse(int depth) {
  volatile char block[512];
  block[0] = (char)depth;
  return recurse(depth + 1) + block[0];
}
static void* work(void* argument) { return (void*)(intptr_t)recurse((int)(intptr_t)argument); }

int main(void) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 << 10);
  pthread_t thread;
  success();  // the last line it gets to
  CHECK(pthread_create(&thread, &attributes, work, (void*)1) == 0);
  pthread_join(thread, NULL);
  puts("survived?");
  return 0;
}
