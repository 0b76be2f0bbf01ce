// A thread has itself told by a signal when a descriptor can be read (F_SETOWN_EX with F_OWNER_TID), and waits for that.
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

static sigset_t set;

static void* be_told(void* argument) {
  const struct f_owner_ex owner = {F_OWNER_TID, gettid()};
  siginfo_t info;
  int ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  SHOW(fcntl(ends[0], F_SETOWN_EX, &owner));
  SHOW(fcntl(ends[0], F_SETSIG, SIGRTMIN + 2));
  SHOW(fcntl(ends[0], F_SETFL, O_ASYNC));
  CHECK(write(ends[1], "x", 1) == 1);
  CHECK(sigwaitinfo(&set, &info) == SIGRTMIN + 2);
  printf("of the descriptor %d\n", info.si_fd == ends[0]);
  return argument;
}

int main(void) {
  const struct f_owner_ex nobody = {F_OWNER_TID, 1 << 27};
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 2);
  CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
  join_thread(start_thread(be_told, NULL));
  SHOW(fcntl(STDIN_FILENO, F_SETOWN_EX, &nobody));
  return success();
}
