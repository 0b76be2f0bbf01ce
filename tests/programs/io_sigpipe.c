// Writing to nobody: EPIPE with SIGPIPE ignored, handled or held back by MSG_NOSIGNAL; by default the process dies.
#include "pairs.h"
#include <signal.h>
#include <sys/uio.h>

static volatile sig_atomic_t signals;
static void handler(int number) { signals += number == SIGPIPE; }
static void* look(void* argument) {
  struct iovec vector = {(char*)"text", 4};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  int ends[2];
  CHECK(pipe(ends) == 0);
  close(ends[0]);
  SHOW(write(ends[1], "text", 4));
  SHOW(writev(ends[1], &vector, 1));
  close(ends[1]);
  make_pair(UNIX_STREAM, ends);
  close(ends[1]);
  SHOW(write(ends[0], "text", 4));
  SHOW(send(ends[0], "text", 4, 0));
  SHOW(sendmsg(ends[0], &message, 0));
  printf("signals: %d\n", (int)signals);
  SHOW(send(ends[0], "text", 4, MSG_NOSIGNAL));
  SHOW(sendmsg(ends[0], &message, MSG_NOSIGNAL));
  printf("signals: %d\n", (int)signals);
  close(ends[0]);
  make_pair(TCP, ends);
  CHECK(shutdown(ends[0], SHUT_WR) == 0);
  SHOW(send(ends[0], "text", 4, 0));
  SHOW(write(ends[0], "text", 4));
  printf("signals: %d\n", (int)signals);
  return argument;
}
static void* die(void* argument) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  close(ends[0]);
  success();
  (void)!write(ends[1], "text", 4);
  puts("survived");
  return argument;
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  join_thread(start_thread(look, NULL));
  struct sigaction action = {.sa_handler = handler};
  sigaction(SIGPIPE, &action, NULL);
  join_thread(start_thread(look, NULL));
  signal(SIGPIPE, SIG_DFL);
  join_thread(start_thread(die, NULL));
  return 0;
}
