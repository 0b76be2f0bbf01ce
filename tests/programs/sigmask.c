// Each thread has its own signal mask, inherited from its creator; a blocked signal stays pending for that thread.
#include "check.h"
#include <semaphore.h>
#include <signal.h>

static pthread_barrier_t barrier;
static volatile sig_atomic_t handled;
static __thread volatile int handled_here;
static void handler(int number) {
  handled += number != 0;
  handled_here++;
}
static int blocked(int number) {
  sigset_t now;
  CHECK(pthread_sigmask(SIG_SETMASK, NULL, &now) == 0);
  return sigismember(&now, number);
}
static void* work(void* argument) {
  intptr_t me = (intptr_t)argument;
  CHECK(blocked(SIGUSR2) && !blocked(SIGUSR1));  // inherited
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, me ? SIGUSR1 : SIGHUP);
  CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
  for (int i = 0; i < 50; i++) {
    pthread_barrier_wait(&barrier);
    CHECK(blocked(SIGUSR1) == (me != 0) && blocked(SIGHUP) == (me == 0) && blocked(SIGUSR2));
  }
  CHECK(pthread_kill(pthread_self(), SIGUSR1) == 0);
  CHECK(handled_here == (me == 0));
  sigset_t pending;
  CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1) == (me != 0));
  sched_yield();
  CHECK(handled_here == (me == 0));
  CHECK(pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0);
  CHECK(handled_here == 1);
  return NULL;
}

int main(void) {
  struct sigaction action = {.sa_handler = handler};
  sigaction(SIGUSR1, &action, NULL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
  pthread_barrier_init(&barrier, NULL, 2);
  pthread_t one = start_thread(work, (void*)0), other = start_thread(work, (void*)1);
  join_thread(one);
  join_thread(other);
  printf("main: %d %d %d\n", blocked(SIGUSR1), blocked(SIGUSR2), blocked(SIGHUP));
  printf("handled %d\n", (int)handled);
  SHOW_ERROR(pthread_sigmask(99, &set, NULL));
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  SHOW_ERROR(pthread_attr_setsigmask_np(&attributes, &set));
  return success();
}
