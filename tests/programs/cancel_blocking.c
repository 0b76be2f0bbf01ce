// Deferred cancellation ends blocking calls: read, recv, accept, poll, select, sleep, sem_wait, join, sigwait, epoll_wait…
#include "pairs.h"
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/uio.h>

static int empty[2], listener, epoll, sockets[2];
static sem_t semaphore, ready;
static pthread_t forever;
static const char* const calls[] = {"read",  "recv",   "accept",     "poll",   "select",       "sleep",  "nanosleep", "usleep",
                                    "pause", "sem_wait", "pthread_join", "sigwait", "epoll_wait", "recvmsg", "readv", "sem_timedwait",
                                    "clock_nanosleep", "sigtimedwait", "write"};
static void cleanup(void* call) { printf("%s: cleanup\n", (const char*)call); }
static void* work(void* argument) {
  intptr_t which = (intptr_t)argument;
  char byte[1];
  struct iovec vector = {byte, 1};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  struct pollfd polled = {.fd = empty[0], .events = POLLIN};
  struct epoll_event event;
  struct timespec minute = {60, 0}, until = in_milliseconds(CLOCK_REALTIME, 60000);
  fd_set set;
  FD_ZERO(&set);
  FD_SET(empty[0], &set);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  int number;
  static char large[1 << 20];
  pthread_cleanup_push(cleanup, (void*)calls[which]);
  sem_post(&ready);
  switch (which) {
    case 0: (void)!read(empty[0], byte, 1); break;
    case 1: recv(sockets[0], byte, 1, 0); break;
    case 2: accept(listener, NULL, NULL); break;
    case 3: poll(&polled, 1, -1); break;
    case 4: select(empty[0] + 1, &set, NULL, NULL, NULL); break;
    case 5: sleep(60); break;
    case 6: nanosleep(&minute, NULL); break;
    case 7: usleep(60000000); break;
    case 8: pause(); break;
    case 9: sem_wait(&semaphore); break;
    case 10: pthread_join(forever, NULL); break;
    case 11: sigwait(&signals, &number); break;
    case 12: epoll_wait(epoll, &event, 1, -1); break;
    case 13: recvmsg(sockets[0], &message, 0); break;
    case 14: (void)!readv(empty[0], &vector, 1); break;
    case 15: sem_timedwait(&semaphore, &until); break;
    case 16: clock_nanosleep(CLOCK_MONOTONIC, 0, &minute, NULL); break;
    case 17: sigtimedwait(&signals, NULL, &minute); break;
    case 18: (void)!write(empty[1], large, sizeof large); break;
  }
  puts("came back");
  pthread_cleanup_pop(0);
  return NULL;
}
static void* for_ever(void* argument) {
  pause();
  return argument;
}

int main(void) {
  CHECK(pipe(empty) == 0);
  tcp_pair(sockets);
  listener = tcp_listener(5);
  epoll = epoll_create1(0);
  sem_init(&semaphore, 0, 0);
  sem_init(&ready, 0, 0);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &signals, NULL);
  forever = start_thread(for_ever, NULL);
  for (intptr_t i = 0; i < (intptr_t)(sizeof calls / sizeof *calls); i++) {
    pthread_t thread = start_thread(work, (void*)i);
    sem_wait(&ready);
    if (i % 2) let_others_run();  // before it blocks, or while it does: it must not matter
    CHECK(pthread_cancel(thread) == 0);
    CHECK(join_thread(thread) == PTHREAD_CANCELED);
  }
  return success();
}
