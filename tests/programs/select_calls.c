// select and pselect: timeouts, the time that is left, sets on return, bad fds.
#include "check.h"
#include <signal.h>
#include <sys/select.h>
#include <sys/time.h>

static int ends[2];
static void* wake(void* argument) {
  let_others_run();
  CHECK(write(ends[1], "x", 1) == 1);
  return argument;
}
static void* look(void* argument) {
  fd_set in, out;
  FD_ZERO(&in);
  FD_ZERO(&out);
  FD_SET(ends[0], &in);
  struct timeval time = {0, 50000};
  double began = seconds_now();
  SHOW(select(ends[0] + 1, &in, NULL, NULL, &time));
  CHECK_TOOK(began, 50);
  printf("left %ld.%06ld, set %d\n", (long)time.tv_sec, (long)time.tv_usec, FD_ISSET(ends[0], &in) != 0);
  time = (struct timeval){0, 30000};
  began = seconds_now();
  SHOW(select(0, NULL, NULL, NULL, &time));
  CHECK_TOOK(began, 30);
  time = (struct timeval){0, 0};
  FD_SET(ends[0], &in);
  SHOW(select(ends[0] + 1, &in, NULL, NULL, &time));
  const struct timespec constant = {0, 30000000};
  FD_SET(ends[0], &in);
  SHOW(pselect(ends[0] + 1, &in, NULL, NULL, &constant, NULL));

  FD_SET(ends[0], &in);
  FD_SET(ends[1], &out);
  SHOW(select(ends[1] + 1, &in, &out, NULL, NULL));
  printf("in %d, out %d\n", FD_ISSET(ends[0], &in) != 0, FD_ISSET(ends[1], &out) != 0);
  FD_SET(ends[0], &in);
  pthread_t waker = start_thread(wake, NULL);
  time = (struct timeval){100, 0};
  SHOW(select(ends[0] + 1, &in, NULL, NULL, &time));
  printf("set %d, most of the time left %d\n", FD_ISSET(ends[0], &in) != 0, time.tv_sec >= 90 && time.tv_sec < 100);
  join_thread(waker);
  char byte;
  CHECK(read(ends[0], &byte, 1) == 1);
  waker = start_thread(wake, NULL);
  sigset_t none;
  sigemptyset(&none);
  SHOW(pselect(ends[0] + 1, &in, NULL, NULL, NULL, &none));
  join_thread(waker);
  CHECK(read(ends[0], &byte, 1) == 1);

  FD_ZERO(&in);
  int closed = dup(0);
  close(closed);
  FD_SET(closed, &in);
  SHOW(select(closed + 1, &in, NULL, NULL, NULL));
  SHOW(select(-1, NULL, NULL, NULL, NULL));
  time = (struct timeval){-1, 0};
  SHOW(select(0, NULL, NULL, NULL, &time));
  return argument;
}

int main(void) {
  CHECK(pipe(ends) == 0);
  join_thread(start_thread(look, NULL));
  look(NULL);
  return success();
}
