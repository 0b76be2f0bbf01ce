// Built with -O2 -D_FORTIFY_SOURCE=2: __read_chk, __recv_chk, __recvfrom_chk, __poll_chk, __ppoll_chk and friends wait too.
#include "pairs.h"
#include <poll.h>

static int ends[2], count;
static void* look(void* argument) {
  char text[16];
  struct pollfd polled[2] = {{.fd = ends[0], .events = POLLIN}, {.fd = -1}};
  struct timespec time = {10, 0};
  size_t size = (size_t)count;  // not known at compile time, so that the checked names are called
  CHECK(read(ends[0], text, size) == 4);
  CHECK(recv(ends[0], text, size, 0) == 4);
  CHECK(recvfrom(ends[0], text, size, 0, NULL, NULL) == 4);
  CHECK(poll(polled, (nfds_t)(count / 4), 10000) == 1);
  CHECK(ppoll(polled, (nfds_t)(count / 4), &time, NULL) == 1);
  CHECK(read(ends[0], text, size) == 4);
  printf("%.*s\n", 4, text);
  FILE* stream = fdopen(dup(ends[0]), "r");
  CHECK(fgets(text, count * 2, stream));
  printf("%s", text);
  CHECK(fread(text, 1, size, stream) == 4);
  printf("%.*s\n", 4, text);
  fclose(stream);
  fprintf(stdout, "%s %d\n", "printf_chk", count);
  dprintf(1, "%s\n", "dprintf_chk");
  return argument;
}

int main(int argc, char** argv) {
  (void)argv;
  count = argc * 4;
  make_pair(UNIX_STREAM, ends);
  CHECK(write(ends[1], "one!", 4) == 4);
  pthread_t thread = start_thread(look, NULL);
  const char* const words[] = {"two!", "tri!", "four", "fgt\n", "frd!"};
  int sent;
  for (int i = 0; i < 5; i++) {
    do let_others_run();  // one after another: each read finds just its own
    while (recv(ends[0], &sent, 1, MSG_PEEK | MSG_DONTWAIT) == 1);
    CHECK(write(ends[1], words[i], 4) == 4);
  }
  join_thread(thread);
  int large = argc * 20;
  char small[16];
  success();
  CHECK(write(ends[1], "overflow", 8) == 8);
  (void)!read(ends[0], small, (size_t)large);  // must be stopped: __read_chk → abort
  puts("not stopped");
  return 0;
}
