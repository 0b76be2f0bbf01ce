// What signals do to the process: default actions from any thread, abort with and without a handler, stop and continue;
// and which mask a new thread and a new program begin with.
#include "check.h"
#include <signal.h>
#include <sys/wait.h>

static void handler(int number) { dprintf(1, "handler: SIGABRT %d\n", number == SIGABRT); }
static void* aborting(void* with_handler) {
  if (with_handler) signal(SIGABRT, handler);
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, NULL);
  abort();
}
static void* raising(void* number) {
  raise((int)(intptr_t)number);
  return NULL;
}
static void* faulting(void* null) {
  *(volatile int*)null = 1;
  return NULL;
}
static void* show_mask(void* argument) {
  sigset_t mask;
  CHECK(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0);
  printf("blocked: SIGUSR1 %d, SIGUSR2 %d\n", sigismember(&mask, SIGUSR1), sigismember(&mask, SIGUSR2));
  return argument;
}
static void* executing(void* argument) {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &mask, NULL);
  signal(SIGQUIT, SIG_IGN);
  signal(SIGHUP, handler);
  execlp("sh", "sh", "-c", "grep -E '^Sig(Blk|Ign)' /proc/self/status", (char*)NULL);
  return argument;
}
static int in_child(void* (*run)(void*), void* argument) {
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    join_thread(start_thread(run, argument));
    _exit(3);
  }
  int status;
  CHECK(waitpid(pid, &status, WUNTRACED) == pid);
  if (WIFSTOPPED(status)) {
    printf("stopped by %d, ", WSTOPSIG(status));
    CHECK(kill(pid, SIGCONT) == 0 && waitpid(pid, &status, 0) == pid);
  }
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

int main(void) {
  join_thread(start_thread(show_mask, NULL));
  printf("abort: %d\n", in_child(aborting, NULL));
  printf("abort: %d\n", in_child(aborting, (void*)1));
  const int numbers[] = {SIGTERM, SIGINT, SIGKILL, SIGSEGV, SIGFPE, SIGHUP, SIGALRM, SIGPIPE, SIGCHLD, SIGSTOP};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    printf("%s: %d\n", sigabbrev_np(numbers[i]), in_child(raising, (void*)(intptr_t)numbers[i]));
  printf("fault: %d\n", in_child(faulting, NULL));
  pthread_attr_t attributes;
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR2);
  pthread_attr_init(&attributes);
  CHECK(pthread_attr_setsigmask_np(&attributes, &mask) == 0);
  pthread_t thread;
  CHECK(pthread_create(&thread, &attributes, show_mask, NULL) == 0);
  join_thread(thread);
  printf("exec: %d\n", in_child(executing, NULL));
  SHOW(system("grep -E '^Sig(Blk|Ign)' /proc/self/status"));
  return success();
}
