// With SA_RESTART calls go on after the handler; poll, sleeps and the like end with EINTR all the same.
#include "pairs.h"
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>

static volatile sig_atomic_t handled;
static int pipes[2], pair[2], listener, gate[2], ready[2], more;
static sem_t semaphore, returned;
static pid_t child;
static void handler(int number) { handled += number == SIGTERM; }
static void provide(int which) {
  switch (which) {
    case 0: CHECK(write(pipes[1], "x", 1) == 1); break;
    case 1: CHECK(write(pair[1], "x", 1) == 1); break;
    case 2: connected(SOCK_STREAM, listener); break;
    case 3: sem_post(&semaphore); break;
    case 4: CHECK(close(gate[1]) == 0); break;
  }
}
static void* interrupter(void* argument) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, NULL);
  for (int i = 0; i < 8; i++) {
    char byte;
    CHECK(read(ready[0], &byte, 1) == 1);
    int seen = handled, rounds = 0;
    do {
      kill(getpid(), SIGTERM);
      for (int j = 0; j < 200; j++) sched_yield();
    } while (handled < seen + 3 || rounds++ < 3 || (i >= 5 && sem_trywait(&returned) == -1));
    if (i < 5) provide(i);
  }
  return argument;
}
static int settle(void) {  // no signal of the last round is on its way any more
  sched_yield();
  return 0;
}
#define CALL(call)                                    \
  do {                                                \
    CHECK(write(ready[1], "", 1) == 1);               \
    errno = 0;                                        \
    long result = (long)(call), error = errno;        \
    if (more++ >= 5) sem_post(&returned);             \
    printf("%s: %ld %s\n", #call, result, errno_name((int)error)); \
    settle();                                         \
  } while (0)

int main(void) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
  sigaction(SIGTERM, &action, NULL);
  CHECK(pipe(pipes) == 0 && pipe(gate) == 0 && pipe(ready) == 0);
  make_pair(TCP, pair);
  listener = tcp_listener(5);
  sem_init(&semaphore, 0, 0);
  sem_init(&returned, 0, 0);
  int epoll = epoll_create1(0), status;
  char byte;
  struct pollfd polled = {.fd = epoll, .events = POLLIN};
  struct timespec minute = {60, 0};
  struct epoll_event event;
  child = fork();
  if (child == 0) {
    close(gate[1]);
    (void)!read(gate[0], &byte, 1);
    _exit(5);
  }
  pthread_t sender = start_thread(interrupter, NULL);
  CALL(read(pipes[0], &byte, 1));
  CALL(recv(pair[0], &byte, 1, 0));
  CALL(accept(listener, NULL, NULL) > 0);
  CALL(sem_wait(&semaphore));
  CALL(waitpid(child, &status, 0) == child);
  CALL(poll(&polled, 1, -1));
  CALL(nanosleep(&minute, NULL));
  CALL(epoll_wait(epoll, &event, 1, -1));
  join_thread(sender);
  printf("handled: %d\n", handled > 5);
  return success();
}
