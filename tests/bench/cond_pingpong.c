// ns per hand-over between two threads that wake each other through condition variables.   cond_pingpong [MILLISECONDS]
#include "bench.h"
#include <pthread.h>
#include <stdbool.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned[2] = {PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER};
static int turn;
static uint64_t handovers;
static int64_t until;
static bool stop;

static void* play(void* argument) {
  int me = *(int*)argument;
  pthread_mutex_lock(&mutex);
  for (;;) {
    while (turn != me && !stop) pthread_cond_wait(&turned[me], &mutex);
    if (stop) break;
    if (++handovers % 256 == 0 && now_ns() > until) stop = true;
    turn = !me;
    pthread_cond_signal(&turned[turn]);
  }
  pthread_mutex_unlock(&mutex);
  return NULL;
}

int main(int argc, char** argv) {
  int names[] = {0, 1};
  pthread_t threads[2];
  int64_t start = now_ns();
  until = start + duration_ns(argc, argv, 200);
  for (int i = 0; i < 2; ++i) check(pthread_create(&threads[i], NULL, play, &names[i]), "pthread_create");
  for (int i = 0; i < 2; ++i) check(pthread_join(threads[i], NULL), "pthread_join");
  printf("%.1f\n", (double)(now_ns() - start) / (double)handovers);
}
