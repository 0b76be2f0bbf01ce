// The default action of SIGTERM ends the process while its threads are parked and main joins one of them.
#include "check.h"
#include <signal.h>

static int ends[2];
static void* parked(void* argument) {
  char byte;
  CHECK(read(ends[0], &byte, 1) == 1);
  return argument;
}
static void* killer(void* argument) {
  let_others_run();
  success();
  kill(getpid(), SIGTERM);
  return argument;
}

int main(void) {
  CHECK(pipe(ends) == 0);
  pthread_t thread = start_thread(parked, NULL);
  start_thread(killer, NULL);
  join_thread(thread);
  puts("not reached");
  return 0;
}
