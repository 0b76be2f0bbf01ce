// A SIGCHLD handler reaps children while threads work; ignoring SIGCHLD reaps them by itself.
#include "check.h"
#include <semaphore.h>
#include <signal.h>
#include <sys/wait.h>

static _Atomic int reaped, sum;  // handlers may run at once, in several threads
static sem_t one_less;
static void handler(int number) {
  int saved = errno, status;
  while (waitpid(-1, &status, WNOHANG) > 0) {
    reaped++;
    sum += WEXITSTATUS(status) + (number != SIGCHLD);
    sem_post(&one_less);
  }
  errno = saved;
}
static void* forking(void* argument) {
  pid_t pid = fork();
  if (pid == 0) _exit((int)(intptr_t)argument);
  CHECK(pid > 0);
  return NULL;
}

int main(void) {
  sem_init(&one_less, 0, 0);
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART | SA_NOCLDSTOP};
  CHECK(sigaction(SIGCHLD, &action, NULL) == 0);
  pthread_t threads[10];
  for (intptr_t i = 0; i < 10; i++) threads[i] = start_thread(forking, (void*)i);
  for (int i = 0; i < 10; i++) join_thread(threads[i]);
  for (int i = 0; i < 10; i++)
    while (sem_wait(&one_less) == -1) CHECK(errno == EINTR);
  printf("reaped %d, sum %d\n", reaped, sum);
  signal(SIGCHLD, SIG_IGN);
  forking((void*)1);
  SHOW(waitpid(-1, NULL, 0));
  return success();
}
