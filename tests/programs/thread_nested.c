// Threads create threads that create threads, 300 deep, each joining its child.
#include "check.h"

static void* deeper(void* argument) {
  intptr_t depth = (intptr_t)argument;
  if (depth == 0) return (void*)1;
  return (void*)((intptr_t)join_thread(start_thread(deeper, (void*)(depth - 1))) + 1);
}

int main(void) {
  printf("chain of %ld\n", (long)(intptr_t)join_thread(start_thread(deeper, (void*)300)));
  return success();
}
