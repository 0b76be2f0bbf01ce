// waitpid, wait4, waitid and wait wait for children in several threads at once; WNOHANG, WNOWAIT, ECHILD, statuses.
#include "check.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static int gates[2];
static pid_t child(int status) {  // waits for the gate to close
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    close(gates[1]);
    char byte;
    (void)!read(gates[0], &byte, 1);
    if (status < 0) raise(-status);
    _exit(status);
  }
  return pid;
}
static void* wait_for_one(void* argument) {
  int me = (int)(intptr_t)argument, status = -1;
  pid_t pid = child(me + 20);
  siginfo_t info = {0};
  struct rusage usage;
  switch (me % 4) {
    case 0: CHECK(waitpid(pid, &status, 0) == pid); break;
    case 1: CHECK(wait4(pid, &status, 0, &usage) == pid); break;
    case 2:
      CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED) == 0);
      CHECK(info.si_pid == pid && info.si_code == CLD_EXITED);
      return (void*)(intptr_t)info.si_status;
    case 3:
      CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
      CHECK(waitpid(pid, &status, 0) == pid);
      break;
  }
  return (void*)(intptr_t)WEXITSTATUS(status);
}

int main(void) {
  CHECK(pipe(gates) == 0);
  int status;
  SHOW(waitpid(-1, &status, 0));
  SHOW(wait(NULL));
  pid_t pid = child(5);
  SHOW(waitpid(pid, &status, WNOHANG));
  SHOW(wait4(-1, &status, WNOHANG, NULL));
  siginfo_t info = {0};
  SHOW(waitid(P_ALL, 0, &info, WEXITED | WNOHANG));
  printf("nobody: %d\n", info.si_pid == 0);
  pthread_t threads[12];
  for (intptr_t i = 0; i < 12; i++) threads[i] = start_thread(wait_for_one, (void*)i);
  let_others_run();
  pid_t killed = child(-SIGKILL);
  close(gates[1]);
  for (intptr_t i = 0; i < 12; i++) CHECK((intptr_t)join_thread(threads[i]) == i + 20);
  puts("12 children");
  CHECK(waitpid(killed, &status, 0) == killed);
  printf("killed by %d\n", WTERMSIG(status));
  CHECK(wait(&status) == pid);
  printf("status %d\n", WEXITSTATUS(status));
  SHOW(waitpid(pid, &status, 0));
  SHOW(waitid(P_ALL, 0, &info, WEXITED));

  CHECK(pipe(gates) == 0);
  pid = child(6);
  CHECK(kill(pid, SIGSTOP) == 0);
  CHECK(waitpid(pid, &status, WUNTRACED) == pid);
  printf("stopped: %d\n", WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
  CHECK(kill(pid, SIGCONT) == 0);
  CHECK(waitpid(pid, &status, WCONTINUED) == pid);
  printf("continued: %d\n", WIFCONTINUED(status) != 0);
  close(gates[1]);
  CHECK(waitpid(0, &status, 0) == pid);
  printf("status %d\n", WEXITSTATUS(status));
  return success();
}
