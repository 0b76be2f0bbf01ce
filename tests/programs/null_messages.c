// No message at all: EFAULT, as from the kernel.
#include "check.h"
#include <sys/socket.h>

static void* work(void* argument) {
  int ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  struct msghdr* volatile none = NULL;
  SHOW(sendmsg(ends[0], none, 0));
  SHOW(recvmsg(ends[0], none, MSG_DONTWAIT));
  SHOW(sendmsg(-1, none, 0));
  SHOW(recvmsg(-1, none, MSG_WAITALL));
  return argument;
}

int main(void) {
  join_thread(start_thread(work, NULL));
  return success();
}
