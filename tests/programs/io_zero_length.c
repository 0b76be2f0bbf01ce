// Reading or writing nothing never waits where it does not natively, and takes nothing.
#include "pairs.h"
#include <sys/uio.h>

static void* look(void* argument) {
  char text[10];
  int ends[2];
  CHECK(pipe(ends) == 0);
  SHOW(read(ends[0], text, 0));
  SHOW(write(ends[1], text, 0));
  struct iovec empty = {text, 0};
  SHOW(readv(ends[0], &empty, 1));
  SHOW(readv(ends[0], &empty, 0));
  SHOW(writev(ends[1], &empty, 1));
  close_pair(ends);
  for (int kind = 0; kind < KINDS; kind++) {
    printf("-- %s\n", kind_names[kind]);
    make_pair(kind, ends);
    SHOW(read(ends[0], text, 0));
    CHECK(send(ends[1], "full", 4, 0) == 4);
    SHOW(read(ends[0], text, 0));
    SHOW(recv(ends[0], text, 10, MSG_PEEK));
    if (kind == TCP || kind == UNIX_STREAM) {
      SHOW(recv(ends[0], text, 0, 0));
      SHOW(send(ends[1], text, 0, 0));
      SHOW(write(ends[1], text, 0));
    }
    SHOW(recv(ends[0], text, 10, 0));
    if (kind == UNIX_DATAGRAM || kind == UDP) {
      SHOW(send(ends[1], text, 0, 0));
      SHOW(recv(ends[0], text, 10, 0));
    }
    SHOW(recv(ends[0], text, 0, MSG_DONTWAIT));
    close_pair(ends);
  }
  SHOW(read(-1, text, 0));
  SHOW(write(ends[0], text, 0));
  return argument;
}

int main(void) {
  join_thread(start_thread(look, NULL));
  return success();
}
