// exit() in a thread ends the process with that status, after the atexit handlers, whatever the others wait for.
#include "check.h"

static int ends[2];
static void at_end(void) { success(); }
static void* parked(void* argument) {
  char byte;
  CHECK(read(ends[0], &byte, 1) == 1);
  return argument;
}
static void* ending(void* argument) {
  let_others_run();
  puts("calling exit");
  exit((int)(intptr_t)argument);
}

int main(void) {
  CHECK(pipe(ends) == 0);
  atexit(at_end);
  for (int i = 0; i < 10; i++) start_thread(parked, NULL);
  join_thread(start_thread(ending, (void*)7));
  puts("not reached");
  return 1;
}
