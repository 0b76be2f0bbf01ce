// pthread_exit in main ends only main; the process ends with status 0 when the last thread has.
#include "check.h"
#include <semaphore.h>

static sem_t main_gone;
static void at_end(void) { success(); }
static void post(void* semaphore) { sem_post(semaphore); }
static void* work(void* argument) {
  pthread_t main_thread = *(pthread_t*)argument;
  sem_wait(&main_gone);
  void* result;
  CHECK(pthread_join(main_thread, &result) == 0);
  printf("main's result: %ld\n", (long)(intptr_t)result);
  for (int i = 0; i < 100; i++) sched_yield();
  puts("the last thread ends");
  return (void*)5;
}

int main(void) {
  static pthread_t self;
  self = pthread_self();
  sem_init(&main_gone, 0, 0);
  atexit(at_end);
  start_thread(work, &self);
  pthread_cleanup_push(post, &main_gone);
  pthread_exit((void*)9);
  pthread_cleanup_pop(0);
}
