// A thread of its own takes all signals with sigwait, as servers do; sigwaitinfo and sigtimedwait tell more.
#include "check.h"
#include <semaphore.h>
#include <signal.h>

static sem_t got;
static sigset_t set;
static const char* name_of(int number) {
  return number == SIGTERM ? "SIGTERM" : number == SIGHUP ? "SIGHUP" : number == SIGUSR1 ? "SIGUSR1" : "other";
}
static void* take(void* argument) {
  for (int i = 0; i < 3; i++) {
    int number;
    CHECK(sigwait(&set, &number) == 0);
    printf("sigwait: %s\n", name_of(number));
    sem_post(&got);
  }
  siginfo_t info;
  SHOW(sigwaitinfo(&set, &info) == SIGUSR1);
  printf("value %d, from %s\n", info.si_value.sival_int, info.si_pid == getpid() ? "ourselves" : "another");
  return argument;
}
static void* parked(void* argument) {
  sem_wait(argument);
  return NULL;
}

int main(void) {
  sem_t stop;
  sem_init(&stop, 0, 0);
  sem_init(&got, 0, 0);
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);
  sigaddset(&set, SIGUSR1);
  CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
  pthread_t others[5], taker = start_thread(take, NULL);
  for (int i = 0; i < 5; i++) others[i] = start_thread(parked, &stop);
  let_others_run();
  const int numbers[] = {SIGTERM, SIGHUP, SIGUSR1};
  for (int i = 0; i < 3; i++) {
    CHECK((i == 1 ? pthread_kill(taker, numbers[i]) : kill(getpid(), numbers[i])) == 0);
    sem_wait(&got);
  }
  let_others_run();
  CHECK(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 99}) == 0);
  join_thread(taker);
  for (int i = 0; i < 5; i++) sem_post(&stop);
  for (int i = 0; i < 5; i++) join_thread(others[i]);

  struct timespec time = {0, 50000000};
  double began = seconds_now();
  SHOW(sigtimedwait(&set, NULL, &time));
  CHECK_TOOK(began, 50);
  time.tv_nsec = 0;
  SHOW(sigtimedwait(&set, NULL, &time));
  raise(SIGHUP);
  sigset_t pending;
  CHECK(sigpending(&pending) == 0);
  printf("pending: %d %d\n", sigismember(&pending, SIGHUP), sigismember(&pending, SIGTERM));
  SHOW(sigtimedwait(&set, NULL, &time) == SIGHUP);
  return success();
}
