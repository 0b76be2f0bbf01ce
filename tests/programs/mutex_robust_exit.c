// A robust mutex of several processes is recovered when one of them ends while a thread of it has the mutex.
#include "shared.h"
#include <sys/wait.h>

static struct shared {
  pthread_mutex_t by_thread, by_main;
} * shared;

static void* lock_and_wait(void* locked) {
  CHECK(pthread_mutex_lock(&shared->by_thread) == 0);
  pthread_barrier_wait(locked);
  pause();
  return NULL;
}

static void lock_and_exit(int at_once) {
  pthread_barrier_t locked;
  pthread_barrier_init(&locked, NULL, 2);
  CHECK(pthread_mutex_lock(&shared->by_main) == 0);
  start_thread(lock_and_wait, &locked);
  pthread_barrier_wait(&locked);
  if (at_once) _exit(0);
  exit(0);
}

static void recover(pthread_mutex_t* mutex) {
  SHOW_ERROR(pthread_mutex_lock(mutex));
  SHOW_ERROR(pthread_mutex_consistent(mutex));
  SHOW_ERROR(pthread_mutex_unlock(mutex));
}

static void* recover_both(void* unused) {
  recover(&shared->by_thread);
  recover(&shared->by_main);
  return unused;
}

int main(void) {
  shared = share(sizeof *shared);
  const struct kind_of_mutex robust = {.robustness = PTHREAD_MUTEX_ROBUST};
  make_shared_mutex(&shared->by_thread, robust);
  make_shared_mutex(&shared->by_main, robust);
  for (int at_once = 0; at_once < 2; at_once++) {
    pid_t child = fork();
    if (child == 0) lock_and_exit(at_once);
    CHECK(waitpid(child, NULL, 0) == child);
    join_thread(start_thread(recover_both, NULL));
  }
  return success();
}
