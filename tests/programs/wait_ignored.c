// While SIGCHLD is ignored, or has SA_NOCLDWAIT, children leave nothing behind: whoever waits, for any or for one, in however many
// threads, waits until all have gone and gets ECHILD.
#include "check.h"
#include <signal.h>
#include <sys/wait.h>

enum { children = 4, waiters = 8 };
static pid_t pids[children];
static _Atomic int waiting, done;

static void* wait_somehow(void* argument) {
  const int way = (int)(intptr_t)argument;
  int status;
  siginfo_t info;
  waiting++;
  errno = 0;
  long result = 0;
  switch (way % 4) {
    case 0: result = wait(&status); break;
    case 1: result = waitpid(-1, &status, 0); break;
    case 2: result = waitpid(pids[way % children], &status, 0); break;
    case 3: result = waitid(P_ALL, 0, &info, WEXITED); break;
  }
  CHECK(result == -1 && errno == ECHILD);
  done++;
  return NULL;
}

static void run(const char* name) {
  int gate[2];
  CHECK(pipe(gate) == 0);
  for (int i = 0; i < children; i++) {
    pids[i] = fork();
    if (pids[i] == 0) {
      char byte;
      close(gate[1]);
      _exit((int)read(gate[0], &byte, 1));
    }
  }
  pthread_t threads[waiters];
  waiting = done = 0;
  for (intptr_t i = 0; i < waiters; i++) threads[i] = start_thread(wait_somehow, (void*)i);
  while (waiting < waiters) sched_yield();
  usleep(50000);
  printf("%s: done too early: %d\n", name, done);
  close(gate[0]);
  close(gate[1]);
  for (int i = 0; i < waiters; i++) join_thread(threads[i]);
  printf("%s: done: %d\n", name, done);
  SHOW(waitpid(-1, NULL, WNOHANG));
}

int main(void) {
  signal(SIGCHLD, SIG_IGN);
  run("ignored");
  struct sigaction action = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
  sigaction(SIGCHLD, &action, NULL);
  run("SA_NOCLDWAIT");
  action.sa_flags = 0;
  sigaction(SIGCHLD, &action, NULL);
  return success();
}
