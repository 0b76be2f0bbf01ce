// The older ways to ask for signals, and other names of the newer ones.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#include "by_name.h"

#include <signal.h>
#include <sys/wait.h>

typedef void (*handler)(int);
typedef handler (*set_handler)(int, handler);
static _Atomic int handled, waiting, passed;
static void count(int signal) { handled += signal == SIGUSR1; }
static void* nothing(void* unused) { return unused; }

static void check_handles(const char* name) {
  handled = 0;
  CHECK(raise(SIGUSR1) == 0);
  CHECK(handled == 1);
  printf("%s handles\n", name);
}

static int blocked(int signal) {
  sigset_t now;
  CHECK(sigprocmask(SIG_SETMASK, NULL, &now) == 0);
  return sigismember(&now, signal);
}

int bsd_sigpause(int mask_or_signal, int is_signal);
enum { SUSPEND, XPG_PAUSE, PAUSE, OLD_PAUSE, WAYS };

static void* waiter(void* how) {
  sigset_t all_but;
  CHECK(sighold(SIGUSR1) == 0);
  CHECK(pthread_sigmask(SIG_SETMASK, NULL, &all_but) == 0);
  sigdelset(&all_but, SIGUSR1);
  waiting = 1;
  errno = 0;
  switch ((int)(intptr_t)how) {
    case SUSPEND: CHECK(BY_NAME(__sigsuspend, sigsuspend)(&all_but) == -1); break;
    case XPG_PAUSE: CHECK(BY_NAME(__xpg_sigpause, raise)(SIGUSR1) == -1); break;
    case PAUSE: CHECK(BY_NAME(sigpause, raise)(0) == -1); break;  // the BSD one: a mask
    case OLD_PAUSE: CHECK(BY_NAME(__sigpause, bsd_sigpause)(SIGUSR1, 1) == -1); break;
  }
  CHECK(errno == EINTR);
  CHECK(blocked(SIGUSR1));
  passed = 1;
  return NULL;
}

int main(void) {
  join_thread(start_thread(nothing, NULL));

  // Setting a handler.
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = count;
  CHECK(BY_NAME(__sigaction, sigaction)(SIGUSR1, &action, NULL) == 0);
  check_handles("__sigaction");
  set_handler setters[] = {BY_NAME(bsd_signal, signal), BY_NAME(ssignal, signal), BY_NAME(sigset, signal)};
  static const char* const names[] = {"bsd_signal", "ssignal", "sigset"};
  for (int i = 0; i < 3; i++) {
    if (!setters[i]) continue;
    signal(SIGUSR1, SIG_DFL);
    CHECK(setters[i](SIGUSR1, count) == SIG_DFL);
    check_handles(names[i]);
  }
  // These forget the handler when it runs.
  set_handler forgetful[] = {BY_NAME(sysv_signal, signal), BY_NAME(__sysv_signal, signal)};
  for (int i = 0; i < 2; i++) {
    CHECK(forgetful[i](SIGUSR1, count) != SIG_ERR);
    check_handles("sysv_signal");
    CHECK(signal(SIGUSR1, count) == SIG_DFL);
  }
  CHECK(siginterrupt(SIGUSR1, 1) == 0 && sigaction(SIGUSR1, NULL, &action) == 0 && !(action.sa_flags & SA_RESTART));
  CHECK(siginterrupt(SIGUSR1, 0) == 0 && sigaction(SIGUSR1, NULL, &action) == 0 && (action.sa_flags & SA_RESTART));
  CHECK(sigignore(SIGUSR1) == 0 && sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler == SIG_IGN);

  // Masks.
  signal(SIGUSR1, count);
  handled = 0;
  CHECK(sighold(SIGUSR1) == 0 && blocked(SIGUSR1));
  raise(SIGUSR1);
  CHECK(handled == 0);
  CHECK(sigrelse(SIGUSR1) == 0 && handled == 1 && !blocked(SIGUSR1));
  CHECK(sigblock(1 << (SIGUSR2 - 1)) == 0 && blocked(SIGUSR2));
  CHECK(siggetmask() == (1 << (SIGUSR2 - 1)));
  CHECK(sigsetmask(0) == (1 << (SIGUSR2 - 1)) && !blocked(SIGUSR2));
  CHECK(sigset(SIGUSR2, SIG_HOLD) != SIG_ERR && blocked(SIGUSR2));
  CHECK(sigrelse(SIGUSR2) == 0 && !blocked(SIGUSR2));

  // Sending.
  handled = 0;
  CHECK(BY_NAME(gsignal, raise)(SIGUSR1) == 0 && handled == 1);
  CHECK(tgkill(getpid(), gettid(), SIGUSR1) == 0 && SOON(handled == 2));
  CHECK(pthread_sigqueue(pthread_self(), SIGUSR1, (union sigval){.sival_int = 3}) == 0 && SOON(handled == 3));

  // Waiting.
  for (int how = 0; how < WAYS; how++) {
    waiting = passed = handled = 0;
    pthread_t thread = start_thread(waiter, (void*)(intptr_t)how);
    CHECK(SOON(waiting));
    let_others_run();
    CHECK(!passed);
    CHECK(pthread_kill(thread, SIGUSR1) == 0);
    join_thread(thread);
    CHECK(handled == 1);
    printf("way to wait %d\n", how);
  }

  fflush(stdout);
  pid_t child = fork();
  if (child == 0) _Exit(7);
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7);
  return success();
}
