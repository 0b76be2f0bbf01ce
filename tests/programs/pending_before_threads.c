// What a thread was sent, and blocks, is pending for it alone: also what came before there was a second thread.
#include "check.h"
#include <signal.h>

static void show_pending(const char* who) {
  sigset_t pending;
  CHECK(sigpending(&pending) == 0);
  printf("%s: USR1 %d USR2 %d RT %d\n", who, sigismember(&pending, SIGUSR1), sigismember(&pending, SIGUSR2),
         sigismember(&pending, SIGRTMIN));
}

static void* look(void* argument) {
  show_pending("thread");
  return argument;
}

int main(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGUSR2);
  sigaddset(&set, SIGRTMIN);
  CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
  CHECK(raise(SIGUSR1) == 0);
  for (int i = 0; i < 2; i++) {
    union sigval value = {.sival_int = i};
    CHECK(pthread_sigqueue(pthread_self(), SIGRTMIN, value) == 0);
  }
  CHECK(kill(getpid(), SIGUSR2) == 0);  // the process's: everybody's
  join_thread(start_thread(look, NULL));
  show_pending("main");
  for (int i = 0; i < 4; i++) {
    siginfo_t info;
    const int signal = sigwaitinfo(&set, &info);
    const char* name = signal == SIGUSR1 ? "USR1" : signal == SIGUSR2 ? "USR2" : "RT";
    printf("taken: %s code %d value %d\n", name, info.si_code, signal == SIGRTMIN ? info.si_value.sival_int : 0);
  }
  show_pending("main");
  return success();
}
