// sigsuspend, pause, ppoll and sigwaitinfo let exactly what they say through; queued signals keep order and value.
#include "check.h"
#include <poll.h>
#include <signal.h>

static volatile sig_atomic_t runs, last;
static pthread_t expected;
static void handler(int number) {
  runs++;
  last = number;
  CHECK(pthread_equal(expected, pthread_self()));
}
static void* in_thread(void* argument) {
  expected = pthread_self();
  sigset_t usr1, usr2, old, none;
  sigemptyset(&usr1), sigemptyset(&usr2), sigemptyset(&none);
  sigaddset(&usr1, SIGUSR1), sigaddset(&usr2, SIGUSR2);
  CHECK(pthread_sigmask(SIG_BLOCK, &usr1, &old) == 0);
  runs = 0;
  CHECK(pthread_kill(pthread_self(), SIGUSR1) == 0);
  CHECK(runs == 0);
  SHOW(sigsuspend(&none));  // pending already
  printf("ran %d\n", (int)runs);
  CHECK(pthread_kill(pthread_self(), SIGUSR1) == 0);
  SHOW(ppoll(NULL, 0, NULL, &none));
  printf("ran %d\n", (int)runs);
  int ends[2];
  CHECK(pipe(ends) == 0 && write(ends[1], "x", 1) == 1);
  struct pollfd ready = {.fd = ends[0], .events = POLLIN};
  CHECK(pthread_kill(pthread_self(), SIGUSR1) == 0);
  SHOW(ppoll(&ready, 1, NULL, &none));  // what is ready goes first, and the signal stays pending
  printf("ran %d\n", (int)runs);
  CHECK(sigpending(&none) == 0 && sigismember(&none, SIGUSR1));
  CHECK(pthread_sigmask(SIG_SETMASK, &old, NULL) == 0);
  printf("ran %d\n", (int)runs);

  sigset_t realtime;
  sigemptyset(&realtime);
  sigaddset(&realtime, SIGRTMIN), sigaddset(&realtime, SIGRTMIN + 1);
  CHECK(pthread_sigmask(SIG_BLOCK, &realtime, NULL) == 0);
  for (int i = 0; i < 5; i++) {
    CHECK(pthread_sigqueue(pthread_self(), SIGRTMIN + 1, (union sigval){.sival_int = i}) == 0);
    CHECK(pthread_sigqueue(pthread_self(), SIGRTMIN, (union sigval){.sival_int = 10 + i}) == 0);
  }
  for (int i = 0; i < 10; i++) {
    siginfo_t info;
    int number = sigwaitinfo(&realtime, &info);
    printf("%s %d %s, ", number == SIGRTMIN ? "first" : "second", info.si_value.sival_int, info.si_code == SI_QUEUE ? "queued" : "?");
  }
  puts("");
  CHECK(signal(SIGUSR2, SIG_IGN) != SIG_ERR);
  CHECK(pthread_sigmask(SIG_BLOCK, &usr2, NULL) == 0);
  CHECK(raise(SIGUSR2) == 0 && signal(SIGUSR2, SIG_IGN) == SIG_IGN);  // ignoring discards
  CHECK(sigpending(&none) == 0);
  printf("pending: %d\n", sigismember(&none, SIGUSR2));
  return argument;
}
static void* pausing(void* argument) {
  SHOW(pause());
  return argument;
}
static void again(int number) {
  static volatile int depth;
  if (depth++ == 0) {
    CHECK(raise(number) == 0);
    printf("with SA_NODEFER: %d\n", (int)depth);
  }
}

int main(void) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  join_thread(start_thread(in_thread, NULL));
  in_thread(NULL);
  CHECK(signal(SIGUSR2, SIG_DFL) == SIG_IGN);
  runs = 0;
  pthread_t thread = expected = start_thread(pausing, NULL);
  do {
    let_others_run();
    CHECK(pthread_kill(thread, SIGUSR1) == 0);
  } while (pthread_tryjoin_np(thread, NULL) == EBUSY);
  printf("paused until %d\n", last == SIGUSR1);
  struct sigaction nested = {.sa_handler = again, .sa_flags = SA_NODEFER | (int)SA_RESETHAND}, now;
  CHECK(sigaction(SIGHUP, &nested, NULL) == 0);
  nested.sa_flags = SA_NODEFER;
  CHECK(sigaction(SIGHUP, &nested, NULL) == 0);
  CHECK(raise(SIGHUP) == 0);
  nested.sa_flags = (int)SA_RESETHAND;
  nested.sa_handler = handler;
  expected = pthread_self();
  CHECK(sigaction(SIGHUP, &nested, NULL) == 0 && raise(SIGHUP) == 0);
  CHECK(sigaction(SIGHUP, NULL, &now) == 0);
  printf("reset: %d\n", now.sa_handler == SIG_DFL);
  SHOW(sigaction(SIGKILL, &nested, NULL));
  SHOW(sigaction(1000, &nested, NULL));
  SHOW_ERROR(pthread_kill(pthread_self(), 32));
  SHOW(raise(-1));
  return success();
}
