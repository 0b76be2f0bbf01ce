// A thread that waits in a loop without calls, on a stack that it made itself, does not keep the others from running, and
// its handlers run there.
#include "check.h"
#include <signal.h>
#include <ucontext.h>

enum { turns = 10 };
static _Atomic int turn;
static volatile sig_atomic_t handled;
static ucontext_t home, coroutine;
static char stack[64 * 1024];

static void take_turns(int mine) {
  volatile double sum = 0;
  for (int i = 0; i < turns; i++) {
    errno = mine;
    while (turn % 2 != mine) sum = sum + 1;
    CHECK(errno == mine);
    turn++;
  }
}

static void handle(int number) { handled = number; }

static void on_coroutine(void) {
  take_turns(0);
  while (!handled) continue;
}

static void* on_own_stack(void* argument) {
  take_turns(1);
  const double begin = seconds_now();
  while (seconds_now() < begin + 0.1) continue;
  CHECK(kill(getpid(), SIGUSR1) == 0);  // for the main thread, which is not running
  while (!handled) continue;
  return argument;
}

int main(void) {
  CHECK(getcontext(&coroutine) == 0);
  coroutine.uc_stack.ss_sp = stack;
  coroutine.uc_stack.ss_size = sizeof stack;
  coroutine.uc_link = &home;
  makecontext(&coroutine, on_coroutine, 0);
  CHECK(signal(SIGUSR1, handle) != SIG_ERR);
  const pthread_t other = start_thread(on_own_stack, NULL);
  CHECK(swapcontext(&home, &coroutine) == 0);
  join_thread(other);
  printf("%d turns\n", turn);
  return success();
}
