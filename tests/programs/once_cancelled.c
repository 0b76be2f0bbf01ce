// A thread is cancelled in the initialiser of pthread_once, in frames without unwind tables: the next one begins it again.
#include "check.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int gate[2], runs;

static void initialise(void) {
  if (++runs > 1) return;
  pause();
  runs = -1;  // so that this frame is there while it waits
}

static void* work(void* argument) {
  CHECK(write(gate[1], "x", 1) == 1);
  CHECK(pthread_once(&once, initialise) == 0);
  return argument;
}

int main(void) {
  CHECK(pipe(gate) == 0);
  pthread_t thread = start_thread(work, NULL);
  char byte;
  CHECK(read(gate[0], &byte, 1) == 1);
  let_others_run();
  CHECK(pthread_cancel(thread) == 0);
  printf("%s\n", join_thread(thread) == PTHREAD_CANCELED ? "cancelled" : "not cancelled");
  join_thread(start_thread(work, NULL));
  printf("%d runs\n", runs);
  return success();
}
