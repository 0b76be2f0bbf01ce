// A thread opens a file on which the process has a lease, and waits until another thread gives that up, which was sent a
// signal for it (fcntl(2)).
#include "check.h"
#include <fcntl.h>
#include <signal.h>

static void* open_it(void* flags) {
  const int fd = open("leased", (int)(intptr_t)flags);
  CHECK(fd >= 0 && close(fd) == 0);
  return NULL;
}

static void* truncate_it(void* unused) {
  CHECK(truncate("leased", 1) == 0);
  return unused;
}

static int cannot_take(int fd) {
  if (fcntl(fd, F_SETLEASE, F_WRLCK) == 0) return 0;
  printf("skipped: a lease cannot be had: %s\n", errno_name(errno));
  return 77;
}

static void give_up(int fd, const sigset_t* io, pthread_t waits) {
  int number;
  CHECK(sigwait(io, &number) == 0 && number == SIGIO);
  SHOW(fcntl(fd, F_SETLEASE, F_UNLCK));  // EAGAIN if the kernel has taken it away meanwhile
  join_thread(waits);
}

int main(void) {
  sigset_t io;
  sigemptyset(&io);
  sigaddset(&io, SIGIO);
  CHECK(pthread_sigmask(SIG_BLOCK, &io, NULL) == 0);
  const int fd = open("leased", O_RDWR | O_CREAT, 0600);
  CHECK(fd >= 0);
  if (cannot_take(fd)) return 77;
  give_up(fd, &io, start_thread(open_it, (void*)O_RDWR));
  CHECK(fcntl(fd, F_SETLEASE, F_WRLCK) == 0 && fcntl(fd, F_GETLEASE) == F_WRLCK);
  give_up(fd, &io, start_thread(open_it, (void*)O_RDONLY));
  CHECK(fcntl(fd, F_SETLEASE, F_WRLCK) == 0);
  give_up(fd, &io, start_thread(truncate_it, NULL));
  return success();
}
