// Who asked not to wait is not made to: O_NONBLOCK and MSG_DONTWAIT give EAGAIN, in threads too; FIONBIO, SOCK_NONBLOCK.
#include "pairs.h"
#include <sys/ioctl.h>
#include <sys/uio.h>

static void* look(void* argument) {
  char byte[1];
  struct iovec vector = {byte, 1};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  int ends[2];
  for (int kind = 0; kind < KINDS; kind++) {
    make_pair(kind, ends);
    printf("-- %s\n", kind_names[kind]);
    SHOW(recv(ends[0], byte, 1, MSG_DONTWAIT));
    SHOW(recvfrom(ends[0], byte, 1, MSG_DONTWAIT, NULL, NULL));
    SHOW(recvmsg(ends[0], &message, MSG_DONTWAIT));
    CHECK(fcntl(ends[0], F_SETFL, fcntl(ends[0], F_GETFL) | O_NONBLOCK) == 0);
    SHOW(read(ends[0], byte, 1));
    SHOW(readv(ends[0], &vector, 1));
    SHOW(recv(ends[0], byte, 1, 0));
    SHOW(recv(ends[0], byte, 1, kind == UNIX_DATAGRAM || kind == UDP ? 0 : MSG_WAITALL));
    SHOW(recvmsg(ends[0], &message, 0));
    printf("O_NONBLOCK: %d\n", (fcntl(ends[0], F_GETFL) & O_NONBLOCK) != 0);
    int off = 0;
    CHECK(ioctl(ends[0], FIONBIO, &off) == 0);
    printf("O_NONBLOCK: %d\n", (fcntl(ends[0], F_GETFL) & O_NONBLOCK) != 0);
    close_pair(ends);
  }
  int listener = tcp_listener(5);
  CHECK(fcntl(listener, F_SETFL, O_NONBLOCK) == 0);
  SHOW(accept(listener, NULL, NULL));
  SHOW(accept4(listener, NULL, NULL, SOCK_NONBLOCK));
  CHECK(pipe2(ends, O_NONBLOCK) == 0);
  SHOW(read(ends[0], byte, 1));
  static char large[1 << 20];
  SHOW(write(ends[1], large, sizeof large));
  SHOW(write(ends[1], large, 1));
  make_pair(UNIX_STREAM, ends);
  while (send(ends[0], large, 1000, MSG_DONTWAIT) > 0) continue;
  SHOW(send(ends[0], large, 1000, MSG_DONTWAIT));
  SHOW(sendmsg(ends[0], &message, MSG_DONTWAIT));
  CHECK(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
  SHOW(write(ends[0], large, 1));
  SHOW(writev(ends[0], &vector, 1));
  close_pair(ends);
  int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in address;
  socklen_t length = name_of(listener, &address);
  SHOW(connect(client, (struct sockaddr*)&address, length));
  CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
  SHOW(read(ends[0], byte, 1));
  return argument;
}

int main(void) {
  join_thread(start_thread(look, NULL));
  look(NULL);
  return success();
}
