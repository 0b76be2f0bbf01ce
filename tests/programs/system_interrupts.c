// While threads are in system(), SIGINT and SIGQUIT are ignored by the process and not by the shell; SIGCHLD waits in the thread that
// called; afterwards all is as before.
#include "check.h"
#include <signal.h>
#include <sys/wait.h>

static _Atomic int interrupts, children;
static void on_interrupt(int number) { interrupts += number > 0; }
static void on_child(int number) { children += number > 0; }

static void* one(void* argument) {
  int status = system("kill -INT $PPID; kill -QUIT $PPID; exit 3");
  printf("exit %d, interrupts %d\n", WEXITSTATUS(status), interrupts);
  status = system("kill -INT $$; exit 4");
  printf("%s, interrupts %d\n", WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "survived", interrupts);
  return argument;
}

static void* many(void* argument) {
  for (int i = 0; i < 5; i++) CHECK(system("kill -INT $PPID; exit 5") == W_EXITCODE(5, 0));
  return argument;
}

int main(void) {
  struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART}, now;
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGQUIT, &action, NULL);
  join_thread(start_thread(one, NULL));
  sigaction(SIGINT, NULL, &now);
  printf("handled again: %d\n", now.sa_handler == on_interrupt);
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) threads[i] = start_thread(many, NULL);
  for (int i = 0; i < 4; i++) join_thread(threads[i]);
  CHECK(interrupts == 0 && raise(SIGINT) == 0 && interrupts == 1);
  sigaction(SIGQUIT, NULL, &now);
  printf("handled again: %d\n", now.sa_handler == on_interrupt);
  // In a process with one thread who could take it, it waits until system is back.
  action.sa_handler = on_child;
  sigaction(SIGCHLD, &action, NULL);
  CHECK(system("exit 6") == W_EXITCODE(6, 0));
  printf("SIGCHLD: %d\n", children);
  return success();
}
