// pthread_once runs the initialiser once; everybody else waits for it, even when it blocks.
#include "check.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int gate[2], runs, value;

static void initialise(void) {
  char byte;
  CHECK(read(gate[0], &byte, 1) == 1);
  runs++;
  value = byte;
}
static void* work(void* argument) {
  (void)argument;
  CHECK(pthread_once(&once, initialise) == 0);
  return (void*)(intptr_t)value;
}

int main(void) {
  CHECK(pipe(gate) == 0);
  pthread_t threads[20];
  for (int i = 0; i < 20; i++) threads[i] = start_thread(work, NULL);
  let_others_run();
  printf("before: %d runs\n", runs);
  CHECK(write(gate[1], "\5", 1) == 1);
  for (int i = 0; i < 20; i++) CHECK((intptr_t)join_thread(threads[i]) == 5);
  printf("after: %d run, value %d\n", runs, value);
  return success();
}
