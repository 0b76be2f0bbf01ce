// A handler without SA_RESTART ends main's blocking call with EINTR, whichever call it is; also with threads around.
#include "pairs.h"
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/uio.h>
#include <sys/wait.h>

static volatile sig_atomic_t handled;
static void handler(int number) { handled += number == SIGTERM; }

static int ready[2], returned[2];
static void* interrupter(void* argument) {  // sends again and again: the first may come before main blocks
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, NULL);
  for (char byte; read(ready[0], &byte, 1) == 1;) {
    struct pollfd over = {.fd = returned[0], .events = POLLIN};
    do kill(getpid(), SIGTERM);
    while (poll(&over, 1, 5) == 0);
    CHECK(read(returned[0], &byte, 1) == 1);
  }
  return argument;
}
static void* parked(void* argument) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, NULL);
  sem_wait(argument);
  return argument;
}
static void announce(void) { CHECK(write(ready[1], "", 1) == 1); }
static void over(void) {
  ssize_t wrote;
  do wrote = write(returned[1], "", 1);
  while (wrote == -1 && errno == EINTR);
  for (int bytes = 1; bytes;) {  // until the interrupter has seen it, and no more signals come
    struct pollfd polled = {.fd = returned[0], .events = POLLIN};
    bytes = poll(&polled, 1, 0) != 0;
    sched_yield();
  }
}
#define INTERRUPTED(call)                                                       \
  do {                                                                          \
    handled = 0;                                                                \
    announce();                                                                 \
    errno = 0;                                                                  \
    const long result = (long)(call);                                           \
    const int error = errno;                                                    \
    over();                                                                     \
    printf("%s: %ld %s%s\n", #call, result, errno_name(error), handled ? "" : ", not handled"); \
  } while (0)

int main(void) {
  struct sigaction action = {.sa_handler = handler};
  sigaction(SIGTERM, &action, NULL);
  int empty[2], full[2], pair[2], listener = tcp_listener(5), epoll = epoll_create1(0), child_gate[2];
  char byte[10];
  static char large[1 << 20];
  sem_t semaphore, stop;
  sem_init(&semaphore, 0, 0);
  sem_init(&stop, 0, 0);
  CHECK(pipe(empty) == 0 && pipe(full) == 0 && pipe(ready) == 0 && pipe(returned) == 0 && pipe(child_gate) == 0);
  fcntl(full[1], F_SETFL, O_NONBLOCK);
  while (write(full[1], large, 4096) > 0) continue;
  fcntl(full[1], F_SETFL, 0);
  make_pair(UNIX_STREAM, pair);
  pid_t child = fork();
  if (child == 0) {
    signal(SIGTERM, SIG_DFL);
    close(child_gate[1]);
    (void)!read(child_gate[0], byte, 1);
    _exit(0);
  }
  pthread_t threads[4], sender = start_thread(interrupter, NULL);
  for (int i = 0; i < 4; i++) threads[i] = start_thread(parked, &stop);
  struct iovec vector = {byte, 1};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  struct pollfd polled = {.fd = empty[0], .events = POLLIN};
  struct epoll_event event;
  struct timespec minute = {60, 0}, until = in_milliseconds(CLOCK_REALTIME, 60000);
  struct timeval minute_too = {60, 0};
  fd_set set;
  FD_ZERO(&set);
  FD_SET(empty[0], &set);
  sigset_t none, usr1;
  sigemptyset(&none);
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  siginfo_t info;
  INTERRUPTED(read(empty[0], byte, 1));
  INTERRUPTED(readv(empty[0], &vector, 1));
  INTERRUPTED(write(full[1], "x", 1));
  INTERRUPTED(read(pair[0], byte, 1));
  INTERRUPTED(recv(pair[0], byte, 1, 0));
  INTERRUPTED(recvfrom(pair[0], byte, 1, 0, NULL, NULL));
  INTERRUPTED(recvmsg(pair[0], &message, 0));
  INTERRUPTED(accept(listener, NULL, NULL));
  INTERRUPTED(poll(&polled, 1, -1));
  INTERRUPTED(poll(&polled, 1, 60000));
  INTERRUPTED(ppoll(&polled, 1, &minute, &none));
  INTERRUPTED(select(empty[0] + 1, &set, NULL, NULL, &minute_too));
  INTERRUPTED(pselect(empty[0] + 1, &set, NULL, NULL, NULL, &none));
  INTERRUPTED(epoll_wait(epoll, &event, 1, -1));
  INTERRUPTED(epoll_pwait(epoll, &event, 1, -1, &none));
  INTERRUPTED(nanosleep(&minute, NULL));
  INTERRUPTED(clock_nanosleep(CLOCK_MONOTONIC, 0, &minute, NULL) == EINTR);
  INTERRUPTED(sleep(60) > 50);
  INTERRUPTED(usleep(60000000));
  INTERRUPTED(sem_wait(&semaphore));
  INTERRUPTED(sem_timedwait(&semaphore, &until));
  INTERRUPTED(waitpid(child, NULL, 0));
  INTERRUPTED(waitid(P_PID, (id_t)child, &info, WEXITED));
  INTERRUPTED(pause());
  INTERRUPTED(sigsuspend(&none));
  INTERRUPTED(sigtimedwait(&usr1, NULL, &minute));
  ssize_t partial = 0;  // a write that moved something says how much
  int big[2];
  CHECK(pipe(big) == 0);
  announce();
  partial = write(big[1], large, sizeof large);
  over();
  printf("partial write: %d\n", partial == 65536);
  close(ready[1]);
  close(child_gate[1]);
  join_thread(sender);
  for (int i = 0; i < 4; i++) sem_post(&stop);
  for (int i = 0; i < 4; i++) join_thread(threads[i]);
  CHECK(waitpid(child, NULL, 0) == child);
  return success();
}
