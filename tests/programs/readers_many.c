// Several readers of one pipe or socket: every message goes to one of them, none is lost, each gets the end.
#include "pairs.h"

enum { readers = 8, messages = 2000 };
static int fd, seen[messages];
static void* reader(void* argument) {
  for (int number; read(fd, &number, sizeof number) == sizeof number;) {
    CHECK(number >= 0 && number < messages);
    CHECK(__atomic_add_fetch(&seen[number], 1, __ATOMIC_SEQ_CST) == 1);
  }
  return argument;
}

int main(void) {
  for (int kind = 0; kind < 3; kind++) {
    int ends[2];
    if (kind == 0) CHECK(pipe(ends) == 0);
    else CHECK(socketpair(AF_UNIX, kind == 1 ? SOCK_STREAM : SOCK_SEQPACKET, 0, ends) == 0);
    fd = ends[0];
    memset(seen, 0, sizeof seen);
    pthread_t threads[readers];
    for (int i = 0; i < readers; i++) threads[i] = start_thread(reader, NULL);
    let_others_run();
    for (int i = 0; i < messages; i++) CHECK(write(ends[1], &i, sizeof i) == sizeof i);
    close(ends[1]);
    for (int i = 0; i < readers; i++) join_thread(threads[i]);
    int total = 0;
    for (int i = 0; i < messages; i++) total += seen[i];
    printf("%s: %d messages\n", kind == 0 ? "pipe" : kind == 1 ? "stream" : "seqpacket", total);
    close(fd);
  }
  return success();
}
