// flock and fcntl locks on separate descriptions exclude threads and processes, and wait without holding up the others.
#include "check.h"
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>

static long counter;
static void* by_flock(void* argument) {
  int fd = open("lock", O_RDWR);
  for (int i = 0; i < 20; i++) {
    CHECK(flock(fd, LOCK_EX) == 0);
    long seen = counter;
    sched_yield();
    counter = seen + 1;
    CHECK(flock(fd, LOCK_UN) == 0);
  }
  close(fd);
  return argument;
}
static void* by_fcntl(void* argument) {
  int fd = open("lock", O_RDWR);
  for (int i = 0; i < 20; i++) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    CHECK(fcntl(fd, F_OFD_SETLKW, &lock) == 0);
    long seen = counter;
    sched_yield();
    counter = seen + 1;
    lock.l_type = F_UNLCK;
    CHECK(fcntl(fd, F_OFD_SETLK, &lock) == 0);
  }
  close(fd);
  return argument;
}

int main(void) {
  int fd = open("lock", O_RDWR | O_CREAT, 0600);
  CHECK(fd >= 0);
  for (int way = 0; way < 2; way++) {
    pthread_t threads[8];
    counter = 0;
    for (int i = 0; i < 8; i++) threads[i] = start_thread(way ? by_fcntl : by_flock, NULL);
    for (int i = 0; i < 8; i++) join_thread(threads[i]);
    printf("%s: %ld\n", way ? "fcntl" : "flock", counter);
  }
  int held[2], release[2];
  CHECK(pipe(held) == 0 && pipe(release) == 0);
  pid_t child = fork();
  if (child == 0) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    CHECK(fcntl(fd, F_SETLKW, &lock) == 0);
    CHECK(write(held[1], "", 1) == 1);
    char byte;
    CHECK(read(release[0], &byte, 1) == 1);
    _exit(0);  // and the lock is gone with us
  }
  char byte;
  CHECK(read(held[0], &byte, 1) == 1);
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  SHOW(fcntl(fd, F_SETLK, &lock));
  SHOW(lockf(fd, F_TLOCK, 0));
  CHECK(write(release[1], "", 1) == 1);
  SHOW(fcntl(fd, F_SETLKW, &lock));
  int other = open("lock", O_RDWR);
  SHOW(flock(fd, LOCK_EX));
  SHOW(flock(other, LOCK_EX | LOCK_NB));
  SHOW(waitpid(child, NULL, 0) == child);
  return success();
}
