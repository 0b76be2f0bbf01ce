// Cleanup handlers of a cancelled thread, and of one that has called pthread_exit, may wait as ever.
#include "check.h"
#include <semaphore.h>

static sem_t started, go_on;

static void wait_in_cleanup(void* argument) {
  sem_post(&started);
  SHOW(sem_wait(&go_on));
  SHOW(usleep(20000));
  printf("cleaned up %s\n", (const char*)argument);
}

static void* wait_to_be_cancelled(void* argument) {
  pthread_cleanup_push(wait_in_cleanup, argument);
  sem_post(&started);
  for (;;) pause();
  pthread_cleanup_pop(0);
  return NULL;
}

static void* leave(void* argument) {
  pthread_cleanup_push(wait_in_cleanup, argument);
  pthread_exit(argument);
  pthread_cleanup_pop(0);
  return NULL;
}

int main(void) {
  sem_init(&started, 0, 0);
  sem_init(&go_on, 0, 0);
  pthread_t thread = start_thread(wait_to_be_cancelled, "after a cancellation");
  sem_wait(&started);
  CHECK(pthread_cancel(thread) == 0);
  sem_wait(&started);  // it is in its cleanup handler
  let_others_run();
  CHECK(pthread_cancel(thread) == 0);  // once more: nothing comes of it
  sem_post(&go_on);
  CHECK(join_thread(thread) == PTHREAD_CANCELED);

  static char word[] = "after pthread_exit";
  thread = start_thread(leave, word);
  sem_wait(&started);
  let_others_run();
  CHECK(pthread_cancel(thread) == 0);  // too late
  sem_post(&go_on);
  CHECK(join_thread(thread) == word);
  return success();
}
