// A thousand threads parked at once on one condition; each wakes once.
#include "check.h"

enum { threads = 1000 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER, go = PTHREAD_COND_INITIALIZER;
static int waiting, woken, open_gate;

static void* work(void* argument) {
  pthread_mutex_lock(&mutex);
  if (++waiting == threads) pthread_cond_signal(&arrived);
  while (!open_gate) pthread_cond_wait(&go, &mutex);
  woken++;
  pthread_mutex_unlock(&mutex);
  return argument;
}

int main(void) {
  static pthread_t ids[threads];
  for (intptr_t i = 0; i < threads; i++) ids[i] = start_thread(work, (void*)i);
  pthread_mutex_lock(&mutex);
  while (waiting < threads) pthread_cond_wait(&arrived, &mutex);
  printf("waiting: %d, woken: %d\n", waiting, woken);
  open_gate = 1;
  pthread_cond_broadcast(&go);
  pthread_mutex_unlock(&mutex);
  for (intptr_t i = 0; i < threads; i++) CHECK((intptr_t)join_thread(ids[i]) == i);
  printf("woken: %d\n", woken);
  return success();
}
