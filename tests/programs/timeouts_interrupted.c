// A call with a time-out that is disturbed by signals which no handler takes in the end still ends when it was to end; a
// futex(2) wait with a time-out ends with EINTR even after a handler with SA_RESTART.
#include "shared.h"
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/syscall.h>

enum { by_semtimedop, by_poll, by_epoll_wait, by_cpu_clock, by_shared_futex, ways };
static const char* const names[] = {"semtimedop", "poll", "epoll_wait", "clock_nanosleep", "shared futex"};
static const struct timespec limit = {0, 300000000};
static int set, nested;
static uint32_t* shared_word;
static uint32_t private_word;
static _Atomic int back;

static void handler(int number) { (void)number; }

static long wait_for_word(uint32_t* word, int operation, long seconds) {
  const struct timespec timeout = {seconds, seconds ? 0 : limit.tv_nsec};
  return syscall(SYS_futex, word, operation, 0, &timeout, NULL, 0);
}

static void* wait_by(void* argument) {
  struct sembuf down = {0, -1, 0};
  struct pollfd polled = {.fd = nested, .events = POLLIN};
  struct epoll_event event;
  switch ((intptr_t)argument) {
    case by_semtimedop: CHECK(semtimedop(set, &down, 1, &limit) == -1 && (errno == EAGAIN || errno == EINTR)); break;
    case by_poll: CHECK(poll(&polled, 1, 300) == 0 || errno == EINTR); break;
    case by_epoll_wait: CHECK(epoll_wait(nested, &event, 1, 300) == 0 || errno == EINTR); break;
    case by_cpu_clock: errno = clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &limit, NULL); CHECK(errno == 0 || errno == EINTR); break;
    case by_shared_futex: CHECK(wait_for_word(shared_word, FUTEX_WAIT, 0) == -1 && (errno == ETIMEDOUT || errno == EINTR)); break;
  }
  back = 1;
  return NULL;
}

static void* wait_with_restart(void* argument) {
  SHOW(wait_for_word(argument, argument == shared_word ? FUTEX_WAIT : FUTEX_WAIT_PRIVATE, 60));
  back = 1;
  return NULL;
}

static void disturb(pthread_t thread, int restart) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = restart}, ignore = {.sa_handler = SIG_IGN};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  CHECK(back || pthread_kill(thread, SIGUSR1) == 0);
  if (!restart) CHECK(sigaction(SIGUSR1, &ignore, NULL) == 0);
  const double pause = seconds_now() + 0.02;
  while (seconds_now() < pause) sched_yield();  // the processor's clock must go on
}

int main(void) {
  // More deeply nested than another epoll instance would take.
  for (int depth = 0, inner = -1; depth < 5; depth++, inner = nested) {
    struct epoll_event event = {.events = EPOLLIN};
    nested = epoll_create1(0);
    CHECK(nested >= 0 && (inner < 0 || epoll_ctl(nested, EPOLL_CTL_ADD, inner, &event) == 0));
  }
  set = semget(IPC_PRIVATE, 1, 0600);
  shared_word = share(sizeof *shared_word);
  CHECK(set >= 0);
  for (intptr_t way = 0; way < ways; way++) {
    back = 0;
    const double began = seconds_now();
    pthread_t thread = start_thread(wait_by, (void*)way);
    while (!back && seconds_now() < began + 20) disturb(thread, 0);
    printf("%s: %s\n", names[way], back ? "ended" : "goes on");
    join_thread(thread);
  }
  for (int private = 0; private < 2; private++) {
    back = 0;
    pthread_t thread = start_thread(wait_with_restart, private ? &private_word : shared_word);
    while (!back) disturb(thread, SA_RESTART);
    join_thread(thread);
  }
  semctl(set, 0, IPC_RMID);
  return success();
}
