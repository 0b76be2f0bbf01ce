// fork while other threads are parked in all kinds of calls: they go on in the parent and do not exist in the child.
#include "check.h"
#include <poll.h>
#include <semaphore.h>
#include <sys/wait.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;
static int ends[2], flag, finished;
static void* parked(void* argument) {
  char byte;
  struct pollfd polled = {.fd = ends[0], .events = POLLIN};
  switch ((intptr_t)argument) {
    case 0: CHECK(read(ends[0], &byte, 1) == 1); break;
    case 1: CHECK(sem_wait(&semaphore) == 0); break;
    case 2:
      pthread_mutex_lock(&mutex);
      while (!flag) pthread_cond_wait(&cond, &mutex);
      pthread_mutex_unlock(&mutex);
      break;
    case 3: CHECK(poll(&polled, 1, -1) == 1); break;
    case 4: usleep(100000); break;
  }
  __atomic_add_fetch(&finished, 1, __ATOMIC_SEQ_CST);
  return argument;
}
static void* work(void* argument) {
  sched_yield();
  return argument;
}
static void* forking(void* argument) {
  pid_t child = fork();
  if (child == 0) {
    int before = finished;
    usleep(120000);  // the sleeper of the parent does not wake up here
    CHECK(__atomic_load_n(&finished, __ATOMIC_SEQ_CST) == before);
    CHECK(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0);
    pthread_t threads[20];
    for (intptr_t i = 0; i < 20; i++) threads[i] = start_thread(work, (void*)i);
    for (intptr_t i = 0; i < 20; i++) CHECK((intptr_t)join_thread(threads[i]) == i);
    int own[2];
    char byte;
    CHECK(pipe(own) == 0 && write(own[1], "x", 1) == 1 && read(own[0], &byte, 1) == 1);
    exit(21);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  printf("child: %d\n", WEXITSTATUS(status));
  return argument;
}

int main(void) {
  CHECK(pipe(ends) == 0);
  sem_init(&semaphore, 0, 0);
  for (int round = 0; round < 2; round++) {
    flag = finished = 0;
    pthread_t threads[5];
    for (intptr_t i = 0; i < 5; i++) threads[i] = start_thread(parked, (void*)i);
    let_others_run();
    if (round) join_thread(start_thread(forking, NULL));
    else forking(NULL);
    pthread_mutex_lock(&mutex);
    flag = 1;
    pthread_cond_broadcast(&cond);
    pthread_mutex_unlock(&mutex);
    sem_post(&semaphore);
    CHECK(write(ends[1], "xy", 2) == 2);
    for (int i = 0; i < 5; i++) join_thread(threads[i]);
    printf("parent: %d finished\n", finished);
    char byte;
    CHECK(read(ends[0], &byte, 1) == 1);
  }
  return success();
}
