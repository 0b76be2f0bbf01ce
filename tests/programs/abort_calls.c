// abort in a thread: the handler runs there; when it returns, or there is none, or the signal is ignored or blocked, the process dies
// of SIGABRT all the same; a handler may jump away.
#include "check.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static pthread_t aborting;
static sigjmp_buf back;
static int ends[2];

static void say(const char* text) { CHECK(write(1, text, strlen(text)) == (ssize_t)strlen(text)); }
static void returning(int number) {
  say(number == SIGABRT && pthread_equal(pthread_self(), aborting) ? "handler in the thread\n" : "handler elsewhere\n");
}
static void jumping(int number) {
  returning(number);
  siglongjmp(back, 1);
}
static void must_not_run(void) { say("an exit handler ran\n"); }

static void* parked(void* argument) {
  char byte;
  return read(ends[0], &byte, 1) == 1 ? argument : NULL;
}
static void* abort_here(void* argument) {
  aborting = pthread_self();
  (void)argument;
  abort();
}
static void* jump_away(void* argument) {
  aborting = pthread_self();
  if (sigsetjmp(back, 1) == 0) abort();
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, NULL, &mask);
  printf("jumped, blocked: %d\n", sigismember(&mask, SIGABRT));
  return argument;
}

static void run(const char* name, void (*handler)(int), void* (*body)(void*), int block) {
  int status;
  const pid_t child = fork();
  if (child == 0) {
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    atexit(must_not_run);
    CHECK(pipe(ends) == 0);
    signal(SIGABRT, handler);
    for (int i = 0; i < 3; i++) start_thread(parked, NULL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGABRT);
    if (block) pthread_sigmask(SIG_BLOCK, &set, NULL);
    let_others_run();
    join_thread(start_thread(body, NULL));
    _exit(3);
  }
  CHECK(waitpid(child, &status, 0) == child);
  if (WIFEXITED(status)) printf("%s: exit %d\n", name, WEXITSTATUS(status));
  else printf("%s: %s\n", name, strsignal(WTERMSIG(status)));
}

int main(void) {
  run("by default", SIG_DFL, abort_here, 0);
  run("handled", returning, abort_here, 0);
  run("blocked and handled", returning, abort_here, 1);
  run("blocked", SIG_DFL, abort_here, 1);
  run("ignored", SIG_IGN, abort_here, 0);
  run("left by a jump", jumping, jump_away, 0);
  join_thread(start_thread(parked, (write(1, "", 0), pipe(ends), write(ends[1], "x", 1), NULL)));
  return success();
}
