// Each signal lets one waiter on, a broadcast lets all; nobody is lost when waiters time out in between.
#include "check.h"

enum { waiters = 20 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER, changed = PTHREAD_COND_INITIALIZER;
static int tokens, waiting, through;

static void* work(void* argument) {
  pthread_mutex_lock(&mutex);
  waiting++;
  pthread_cond_signal(&changed);
  while (tokens == 0) {
    struct timespec until = in_milliseconds(CLOCK_REALTIME, 1);
    if (argument) pthread_cond_timedwait(&cond, &mutex, &until);  // times out and comes back again and again
    else pthread_cond_wait(&cond, &mutex);
  }
  tokens--;
  through++;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&mutex);
  return NULL;
}

int main(void) {
  for (intptr_t impatient = 0; impatient < 2; impatient++) {
    pthread_t threads[waiters];
    waiting = through = tokens = 0;
    for (intptr_t i = 0; i < waiters; i++) threads[i] = start_thread(work, (void*)(impatient * (i % 2)));
    pthread_mutex_lock(&mutex);
    while (waiting < waiters) pthread_cond_wait(&changed, &mutex);
    for (int i = 1; i <= waiters / 2; i++) {
      tokens++;
      if (impatient) pthread_cond_broadcast(&cond);
      else pthread_cond_signal(&cond);
      while (through < i) pthread_cond_wait(&changed, &mutex);
      CHECK(through == i);
    }
    printf("after single tokens: %d\n", through);
    tokens += waiters / 2;
    pthread_cond_broadcast(&cond);
    while (through < waiters) pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < waiters; i++) join_thread(threads[i]);
    printf("after the broadcast: %d, tokens left: %d\n", through, tokens);
  }
  return success();
}
