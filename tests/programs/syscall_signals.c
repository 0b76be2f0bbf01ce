// Signals by syscall(2), past libc's functions: dispositions in the kernel's own form, a queued signal for one thread, and
// SYS_exit, which ends only the calling thread, the main one too.
#include "check.h"
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct kernel_action {
  void (*handler)(int);
  unsigned long flags;
  void (*restorer)(void);
  uint64_t mask;
};
static pthread_t runner;
static _Atomic int ran, ready, value;
static _Atomic pid_t tid;

static void handler(int number) { ran = pthread_equal(pthread_self(), runner) ? number : -1; }
static void with_info(int number, siginfo_t* info, void* context) {
  (void)context;
  value = info->si_value.sival_int;
  handler(number);
}

static void* wait_for_it(void* argument) {
  runner = pthread_self();
  tid = gettid();
  ready = 1;
  while (!ran) usleep(1000);
  return argument;
}

static void* end_by_number(void* argument) {
  if (argument) join_thread(*(pthread_t*)argument);
  puts("SYS_exit in a thread");
  syscall(SYS_exit, 6);
  puts("came back");
  return NULL;
}

static void at_exit(void) { puts("an exit handler ran"); }

static int status_of(void (*body)(void)) {
  int status;
  const pid_t child = fork();
  if (child == 0) body();
  CHECK(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void main_first(void) {
  static pthread_t self;
  self = pthread_self();
  atexit(at_exit);
  start_thread(end_by_number, &self);
  syscall(SYS_exit, 6);
}

static void thread_first(void) {
  atexit(at_exit);
  join_thread(start_thread(end_by_number, NULL));
  syscall(SYS_exit, 6);
}

int main(void) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
  sigaddset(&action.sa_mask, SIGUSR2);
  pthread_t thread = start_thread(wait_for_it, NULL);
  while (!ready) sched_yield();
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  struct kernel_action old = {0}, fresh;
  SHOW(syscall(SYS_rt_sigaction, SIGUSR1, NULL, &old, 8));
  printf("ours: %d, restarts: %d, mask: %llx\n", old.handler == handler, (old.flags & SA_RESTART) != 0, (unsigned long long)old.mask);
  fresh = old;
  fresh.handler = SIG_IGN;
  SHOW(syscall(SYS_rt_sigaction, SIGUSR1, &fresh, &old, 8));
  CHECK(old.handler == handler && raise(SIGUSR1) == 0 && !ran);
  SHOW(syscall(SYS_rt_sigaction, SIGUSR1, &fresh, &old, 4));
  SHOW(syscall(SYS_rt_sigaction, SIGKILL, &fresh, NULL, 8));
  action.sa_sigaction = with_info;
  action.sa_flags = SA_SIGINFO;
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  siginfo_t info = {.si_code = SI_QUEUE};
  info.si_pid = getpid();
  info.si_value.sival_int = 42;
  SHOW(syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, SIGUSR1, &info));
  join_thread(thread);
  printf("handler: %d, value %d\n", ran == SIGUSR1, value);
  printf("main first: %d\n", status_of(main_first));
  printf("thread first: %d\n", status_of(thread_first));
  return success();
}
