// Many threads poll the same pipes, more than fit on the stack: for each the memory comes from an arena of its own, and for
// the ninth arena malloc reads a file. What becomes ready meanwhile is not missed.
#include "check.h"
#include <poll.h>

enum { threads = 16, count = 20 };
static int pipes[count][2];
static void* look(void* argument) {
  struct pollfd polled[count];
  for (int i = 0; i < count; i++) polled[i] = (struct pollfd){.fd = pipes[i][0], .events = POLLIN};
  CHECK(poll(polled, count, -1) == 1 && polled[7].revents == POLLIN);
  return argument;
}

int main(void) {
  pthread_t ids[threads];
  for (int i = 0; i < count; i++) CHECK(pipe(pipes[i]) == 0);
  for (int i = 0; i < threads; i++) ids[i] = start_thread(look, NULL);
  sched_yield();
  CHECK(write(pipes[7][1], "x", 1) == 1);
  for (int i = 0; i < threads; i++) join_thread(ids[i]);
  return success();
}
