// The process changes its identity while a thread waits in a call that only a kernel thread can wait in: that one too.
#include "check.h"
#include <fcntl.h>
#include <sys/stat.h>

static char fifo[64];

static void* work(void* argument) {
  const int fd = open(fifo, O_RDONLY);  // until somebody opens it for writing
  CHECK(fd >= 0);
  printf("real user %d\n", (int)getuid());
  close(fd);
  return argument;
}

int main(void) {
  snprintf(fifo, sizeof fifo, "/tmp/guv-setid-fifo-%d", getpid());
  unlink(fifo);
  CHECK(mkfifo(fifo, 0666) == 0);
  const pthread_t thread = start_thread(work, NULL);
  const struct timespec a_little = {0, 10000000};
  nanosleep(&a_little, NULL);  // it waits, or will
  SHOW(setgid(getgid()));
  SHOW(setuid(getuid()));
  for (int i = 0; i < 20; i++) CHECK(setuid(getuid()) == 0);
  const int fd = open(fifo, O_WRONLY);
  CHECK(fd >= 0);
  join_thread(thread);
  close(fd);
  unlink(fifo);
  return success();
}
