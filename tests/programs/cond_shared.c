// A process-shared condition variable with a mutex of this process alone: who stands in line for the mutex gets it when a waiter
// gives it up.
#include "shared.h"

enum { threads = 6, rounds = 200 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond;
static int turn;
static long entered;

static void* work(void* argument) {
  const int me = (int)(intptr_t)argument;
  for (int i = 0; i < rounds; i++) {
    pthread_mutex_lock(&mutex);
    sched_yield();  // the others come to wait for the mutex
    while (turn != me) pthread_cond_wait(&cond, &mutex);
    entered++;
    turn = (turn + 1) % threads;
    pthread_cond_broadcast(&cond);
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}

int main(void) {
  make_shared_cond(&cond);
  pthread_t started[threads];
  for (intptr_t i = 0; i < threads; i++) started[i] = start_thread(work, (void*)i);
  for (int i = 0; i < threads; i++) join_thread(started[i]);
  printf("entered: %ld\n", entered);
  pthread_mutex_lock(&mutex);
  struct timespec until = in_milliseconds(CLOCK_REALTIME, 20);
  SHOW_ERROR(pthread_cond_timedwait(&cond, &mutex, &until));
  pthread_mutex_unlock(&mutex);
  SHOW_ERROR(pthread_cond_destroy(&cond));
  return success();
}
