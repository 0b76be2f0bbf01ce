// A timer with SIGEV_THREAD_ID sends to that thread, whether it handles the signal, waits for it, or blocks it for now; nobody
// gets the signal once the thread has ended.
#include "check.h"
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif
enum { threads = 4 };
static _Thread_local int number = -1;
static _Atomic int handled_in[threads], elsewhere;
static sem_t stop, ready;

static void handler(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)context;
  if (info->si_code == SI_TIMER && info->si_value.sival_int == number) handled_in[number]++;
  else elsewhere++;
}

static timer_t timer_for(pid_t tid, int signal, int value, long milliseconds) {
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = signal, .sigev_value = {.sival_int = value}};
  event.sigev_notify_thread_id = tid;
  const struct itimerspec when = {{0, milliseconds * 1000000}, {0, milliseconds * 1000000}};
  timer_t timer;
  if (value % 2) {
    int id;
    CHECK(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id) == 0);
    timer = (timer_t)(intptr_t)id;
  } else {
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
  }
  CHECK(timer_settime(timer, 0, &when, NULL) == 0);
  return timer;
}

static void* by_handler(void* argument) {
  number = (int)(intptr_t)argument;
  const timer_t timer = timer_for(gettid(), SIGUSR1, number, 10);
  while (handled_in[number] < 3) CHECK(sem_wait(&stop) == 0 || errno == EINTR);
  CHECK(timer_delete(timer) == 0);
  return NULL;
}

static void* by_waiting(void* argument) {
  number = (int)(intptr_t)argument;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  const timer_t timer = timer_for(gettid(), SIGRTMIN, number, 10);
  for (int i = 0; i < 3; i++) {
    siginfo_t info;
    CHECK(sigwaitinfo(&set, &info) == SIGRTMIN && info.si_code == SI_TIMER && info.si_value.sival_int == number);
  }
  CHECK(timer_delete(timer) == 0);
  return NULL;
}

static void* by_unblocking(void* argument) {
  number = (int)(intptr_t)argument;
  sigset_t set, pending;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  const timer_t timer = timer_for(gettid(), SIGUSR1, number, 10);
  do {
    usleep(1000);
    sigpending(&pending);
  } while (!sigismember(&pending, SIGUSR1));
  CHECK(handled_in[number] == 0);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  CHECK(handled_in[number] > 0);
  CHECK(timer_delete(timer) == 0);
  return NULL;
}

static timer_t left_behind;
static void* leave(void* argument) {
  number = (int)(intptr_t)argument;
  left_behind = timer_for(gettid(), SIGUSR2, number, 1);
  return NULL;
}

static void run(const char* name, void* (*run)(void*)) {
  pthread_t started[threads];
  for (intptr_t i = 0; i < threads; i++) handled_in[i] = 0;
  for (intptr_t i = 0; i < threads; i++) started[i] = start_thread(run, (void*)i);
  for (intptr_t i = 0; i < threads; i++) join_thread(started[i]);
  printf("%s: elsewhere %d\n", name, elsewhere);
}

int main(void) {
  sem_init(&stop, 0, 0);
  sem_init(&ready, 0, 0);
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &action, NULL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  run("handlers", by_handler);
  run("sigwaitinfo", by_waiting);
  run("unblocked", by_unblocking);
  number = 7;
  const timer_t own = timer_for(gettid(), SIGUSR1, 7, 900);
  CHECK(timer_delete(own) == 0);
  // By default SIGUSR2 would kill.
  join_thread(start_thread(leave, (void*)0));
  usleep(20000);
  CHECK(timer_delete(left_behind) == 0);
  struct sigevent nobody = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
  nobody.sigev_notify_thread_id = (1 << 28) - 1;
  SHOW(timer_create(CLOCK_MONOTONIC, &nobody, &left_behind));
  return success();
}
