// Cancellation can be disabled, waits for the next cancellation point, and can be asynchronous.
#include "check.h"
#include <semaphore.h>

static sem_t ready, go;
static void note(void* text) { puts((const char*)text); }
static void* disabled(void* argument) {
  int old;
  SHOW_ERROR(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old));
  printf("it was %s\n", old == PTHREAD_CANCEL_ENABLE ? "enabled" : "disabled");
  sem_post(&ready);
  sem_wait(&go);  // cancelled by now, but disabled
  usleep(1000);
  puts("still here");
  pthread_cleanup_push(note, "cancelled at the test");
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
  pthread_testcancel();
  pthread_cleanup_pop(0);
  puts("not reached");
  return argument;
}
static void* asynchronous(void* argument) {
  pthread_cleanup_push(note, "cancelled asynchronously");
  SHOW_ERROR(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL));
  sem_post(&ready);
  for (;;) sched_yield();  // not a cancellation point
  pthread_cleanup_pop(0);
  return argument;
}
static void* not_a_point(void* argument) {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cancel(pthread_self());
  pthread_mutex_lock(&mutex);  // neither of these is a cancellation point
  pthread_mutex_unlock(&mutex);
  puts("a mutex is no cancellation point");
  pthread_cleanup_push(note, "read is one, even when there is something to read");
  int ends[2];
  CHECK(pipe(ends) == 0);
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
  CHECK(write(ends[1], "x", 1) == 1);
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
  char byte;
  (void)!read(ends[0], &byte, 1);
  pthread_cleanup_pop(0);
  puts("not reached");
  return argument;
}

int main(void) {
  sem_init(&ready, 0, 0);
  sem_init(&go, 0, 0);
  pthread_t thread = start_thread(disabled, NULL);
  sem_wait(&ready);
  CHECK(pthread_cancel(thread) == 0);
  sem_post(&go);
  CHECK(join_thread(thread) == PTHREAD_CANCELED);
  thread = start_thread(asynchronous, NULL);
  sem_wait(&ready);
  CHECK(pthread_cancel(thread) == 0);
  CHECK(join_thread(thread) == PTHREAD_CANCELED);
  CHECK(join_thread(start_thread(not_a_point, NULL)) == PTHREAD_CANCELED);
  return success();
}
