// SIGPIPE and SIGXFSZ are for the thread whose call brought them about, also where nobody handles them: who blocks one keeps
// it pending, and ends the process when it unblocks it.
#include "check.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static sigset_t only(int number) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  return set;
}

static void write_to_nobody(void) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  close(ends[0]);
  SHOW(write(ends[1], "text", 4));
  close(ends[1]);
}

static void write_too_much(void) {
  char path[] = "/tmp/guv-sigpipe-blocked-XXXXXX";
  const int fd = mkstemp(path);
  CHECK(fd >= 0 && unlink(path) == 0);
  SHOW(pwrite(fd, "text", 4, 1 << 20));
  close(fd);
}

static void raise_by_call(int number) {
  if (number == SIGPIPE) {
    write_to_nobody();
  } else {
    write_too_much();
  }
}

// As libraries do that must not change the program's disposition.
static void* call_with_it_blocked(void* argument) {
  const int number = *(int*)argument;
  const sigset_t set = only(number);
  const struct timespec at_once = {0, 0};
  sigset_t before, pending;
  siginfo_t info;
  CHECK(pthread_sigmask(SIG_BLOCK, &set, &before) == 0);
  raise_by_call(number);
  CHECK(sigpending(&pending) == 0);
  printf("pending %d\n", sigismember(&pending, number));
  SHOW(sigtimedwait(&set, &info, &at_once));
  printf("from %s\n", info.si_pid == getpid() || info.si_code == SI_KERNEL ? "here" : "elsewhere");
  CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
  return NULL;
}

static void* look_for_it(void* argument) {
  const sigset_t set = only(*(int*)argument);
  sigset_t pending;
  CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0 && sigpending(&pending) == 0);
  printf("pending for another %d\n", sigismember(&pending, *(int*)argument));
  return NULL;
}

static void* call_and_unblock_it(void* argument) {
  const sigset_t set = only(*(int*)argument);
  CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
  raise_by_call(*(int*)argument);
  join_thread(start_thread(look_for_it, argument));
  fflush(stdout);
  CHECK(pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0);
  puts("survived");
  return NULL;
}

static void* call_with_it_open(void* argument) {
  raise_by_call(*(int*)argument);
  puts("survived");
  return NULL;
}

static void ends(void* (*body)(void*), int number) {
  fflush(stdout);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    join_thread(start_thread(call_with_it_blocked, &number));
    join_thread(start_thread(body, &number));
    _exit(0);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  printf("ended by signal %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

int main(void) {
  const struct rlimit small = {1 << 16, 1 << 16}, no_core = {0, 0};
  int numbers[] = {SIGPIPE, SIGXFSZ};
  CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0 && setrlimit(RLIMIT_CORE, &no_core) == 0);
  for (int i = 0; i < 2; i++) {
    join_thread(start_thread(call_with_it_blocked, &numbers[i]));
    ends(call_and_unblock_it, numbers[i]);
    ends(call_with_it_open, numbers[i]);
  }
  return success();
}
