// poll and ppoll: timeouts of zero, some and none, no fds at all, bad fds, several ready ones, negative fds.
#include "pairs.h"
#include <poll.h>
#include <signal.h>

static int ends[2], sockets[2];
static void* wake(void* argument) {
  let_others_run();
  CHECK(write((int)(intptr_t)argument, "x", 1) == 1);
  return NULL;
}
static void* look(void* argument) {
  char byte;
  struct pollfd polled[4] = {{.fd = ends[0], .events = POLLIN}, {.fd = -1, .events = POLLIN},
                             {.fd = sockets[0], .events = POLLIN | POLLOUT}, {.fd = sockets[1], .events = POLLIN}};
  SHOW(poll(polled, 1, 0));
  double began = seconds_now();
  SHOW(poll(polled, 2, 50));
  CHECK_TOOK(began, 50);
  began = seconds_now();
  SHOW(poll(NULL, 0, 50));
  CHECK_TOOK(began, 50);
  struct timespec time = {0, 50000000};
  began = seconds_now();
  SHOW(ppoll(polled, 1, &time, NULL));
  CHECK_TOOK(began, 50);
  sigset_t none;
  sigemptyset(&none);
  time.tv_nsec = 0;
  SHOW(ppoll(NULL, 0, &time, &none));
  time.tv_nsec = -1;
  SHOW(ppoll(polled, 1, &time, NULL));
  SHOW(poll(polled, 3, -1));
  printf("revents %d %d %d\n", polled[0].revents, polled[1].revents, polled[2].revents == POLLOUT);

  polled[2].events = POLLIN;
  pthread_t waker = start_thread(wake, (void*)(intptr_t)ends[1]);
  SHOW(poll(polled, 4, -1));
  printf("pipe: %d\n", polled[0].revents == POLLIN);
  join_thread(waker);
  CHECK(read(ends[0], &byte, 1) == 1);
  waker = start_thread(wake, (void*)(intptr_t)sockets[0]);
  SHOW(ppoll(polled, 4, NULL, NULL));
  printf("socket: %d\n", polled[3].revents == POLLIN);
  join_thread(waker);
  CHECK(read(sockets[1], &byte, 1) == 1);

  struct pollfd bad[2] = {{.fd = 1000, .events = POLLIN}, {.fd = ends[0], .events = POLLIN}};
  SHOW(poll(bad, 2, -1));
  printf("bad: %d\n", bad[0].revents == POLLNVAL);
  struct pollfd file = {.fd = fileno(tmpfile()), .events = POLLIN | POLLOUT};
  SHOW(poll(&file, 1, -1));
  return argument;
}
static void* one_of_many(void* argument) {  // each waits for its own pipe among all
  int (*pipes)[2] = argument;
  struct pollfd polled[50];
  for (int i = 0; i < 50; i++) polled[i] = (struct pollfd){.fd = pipes[i][0], .events = POLLIN};
  long sum = 0;
  for (int left = 50; left > 0;) {
    CHECK(poll(polled, 50, -1) > 0);
    for (int i = 0; i < 50; i++) {
      if (!polled[i].revents) continue;
      sum += i;
      left--;
      polled[i].fd = -1;
    }
  }
  return (void*)sum;
}

int main(void) {
  CHECK(pipe(ends) == 0);
  make_pair(UNIX_STREAM, sockets);
  join_thread(start_thread(look, NULL));
  look(NULL);
  static int pipes[50][2];
  for (int i = 0; i < 50; i++) CHECK(pipe(pipes[i]) == 0);
  pthread_t threads[10];
  for (int i = 0; i < 10; i++) threads[i] = start_thread(one_of_many, pipes);
  for (int i = 49; i >= 0; i--) {
    CHECK(write(pipes[i][1], "x", 1) == 1);
    sched_yield();
  }
  for (int i = 0; i < 10; i++) printf("%ld ", (long)join_thread(threads[i]));
  puts("");
  return success();
}
