// Reads of an inotify descriptor wait for something to happen.
#include "check.h"
#include <fcntl.h>
#include <sys/inotify.h>

static int watch;
static void* wait_for_it(void* argument) {
  char block[4096] __attribute__((aligned(8)));
  ssize_t got = read(watch, block, sizeof block);
  CHECK(got > 0);
  struct inotify_event* event = (struct inotify_event*)block;
  printf("%s: %s\n", event->mask & IN_CREATE ? "created" : "other", event->name);
  return argument;
}

int main(void) {
  watch = inotify_init1(0);
  CHECK(inotify_add_watch(watch, ".", IN_CREATE) >= 0);
  pthread_t thread = start_thread(wait_for_it, NULL);
  let_others_run();
  CHECK(open("new-file", O_CREAT | O_WRONLY, 0600) >= 0);
  join_thread(thread);
  CHECK(fcntl(watch, F_SETFL, O_NONBLOCK) == 0);
  char block[4096];
  SHOW(read(watch, block, sizeof block));
  return success();
}
