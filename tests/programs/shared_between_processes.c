// Mutex, condition, rwlock, barrier and semaphore in shared memory, between threads here and in a forked child.
#include "shared.h"
#include <semaphore.h>
#include <sys/wait.h>

static struct shared {
  pthread_mutex_t mutex;
  pthread_cond_t cond;
  pthread_rwlock_t rwlock;
  pthread_barrier_t barrier;
  sem_t semaphore, done;
  long counter;
  int turn;
} * shared;
static int progress;

static void* ticker(void* argument) {  // this process must not stand still while one of its threads waits
  do {
    progress++;
    sched_yield();
  } while (!__atomic_load_n((int*)argument, __ATOMIC_SEQ_CST));  // natively it may run for the first time when all is done
  return NULL;
}
static void* work(void* argument) {
  int me = (int)(intptr_t)argument;
  for (int i = 0; i < 100; i++) {
    pthread_mutex_lock(&shared->mutex);
    while (shared->turn != me) pthread_cond_wait(&shared->cond, &shared->mutex);
    shared->counter++;
    shared->turn = 1 - me;
    pthread_cond_broadcast(&shared->cond);
    pthread_mutex_unlock(&shared->mutex);
    pthread_rwlock_wrlock(&shared->rwlock);
    shared->counter++;
    pthread_rwlock_unlock(&shared->rwlock);
    if (i % 10 == 0) pthread_barrier_wait(&shared->barrier);
    if (me) sem_post(&shared->semaphore);
    else sem_wait(&shared->semaphore);
  }
  return NULL;
}

int main(void) {
  shared = share(sizeof *shared);
  make_shared_mutex(&shared->mutex, (struct kind_of_mutex){0});
  make_shared_cond(&shared->cond);
  make_shared_rwlock(&shared->rwlock);
  make_shared_barrier(&shared->barrier, 2);
  SHOW(sem_init(&shared->semaphore, 1, 0));
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    join_thread(start_thread(work, (void*)1));
    _exit(9);
  }
  int stop = 0, status;
  pthread_t tick = start_thread(ticker, &stop), worker = start_thread(work, (void*)0);
  join_thread(worker);
  CHECK(waitpid(child, &status, 0) == child);
  __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
  join_thread(tick);
  CHECK(progress > 0);
  printf("counter near 400: %d, child's status %d\n", shared->counter > 300 && shared->counter <= 400, WEXITSTATUS(status));
  return success();
}
