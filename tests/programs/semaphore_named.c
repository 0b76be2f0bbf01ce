// Named semaphores: opened twice they are one; a child process takes part; unlink and errors.
#include "check.h"
#include <fcntl.h>
#include <semaphore.h>
#include <sys/wait.h>

static void* poster(void* semaphore) {
  for (int i = 0; i < 50; i++) sem_post(semaphore);
  return NULL;
}

int main(void) {
  char name[64];
  snprintf(name, sizeof name, "/guv-test-%d", (int)getpid());
  sem_t* semaphore = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
  CHECK(semaphore != SEM_FAILED);
  printf("again with O_EXCL: %s\n", sem_open(name, O_CREAT | O_EXCL, 0600, 0) == SEM_FAILED ? errno_name(errno) : "opened");
  sem_t* same = sem_open(name, 0);
  printf("the same: %d\n", same == semaphore);
  pthread_t thread = start_thread(poster, same);
  for (int i = 0; i < 50; i++) CHECK(sem_wait(semaphore) == 0);
  join_thread(thread);
  SHOW(sem_trywait(semaphore));

  pid_t child = fork();
  if (child == 0) {
    sem_t* theirs = sem_open(name, 0);
    for (int i = 0; i < 50; i++) sem_post(theirs);
    _exit(3);
  }
  for (int i = 0; i < 50; i++) CHECK(sem_wait(semaphore) == 0);
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  printf("child: %d\n", WEXITSTATUS(status));
  SHOW(sem_close(same));
  SHOW(sem_unlink(name));
  SHOW(sem_unlink(name));
  printf("gone: %s\n", sem_open(name, 0) == SEM_FAILED ? errno_name(errno) : "opened");
  SHOW(sem_close(semaphore));
  return success();
}
