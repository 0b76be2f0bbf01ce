// thread_sanitizer [race]: for a build with -fsanitize=thread. Threads use mutexes, conditions, joins and pipes as they should; with
// "race" two of them also write to one variable.
#include "check.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int counter, turn, racy, ends[2];

static void* work(void* argument) {
  const int me = (int)(intptr_t)argument;
  for (int i = 0; i < 50; i++) {
    pthread_mutex_lock(&mutex);
    while (turn != me) pthread_cond_wait(&cond, &mutex);
    counter++;
    turn = 1 - me;
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&mutex);
  }
  char byte = 'x';
  CHECK(me ? write(ends[1], &byte, 1) == 1 : read(ends[0], &byte, 1) == 1);
  return NULL;
}

static void* race(void* argument) {
  for (int i = 0; i < 1000; i++) racy++;
  return argument;
}

int main(int argc, char** argv) {
  CHECK(pipe(ends) == 0);
  void* (*const body)(void*) = argc > 1 && !strcmp(argv[1], "race") ? race : work;
  pthread_t first = start_thread(body, (void*)0), second = start_thread(body, (void*)1);
  join_thread(first);
  join_thread(second);
  printf("counter %d\n", counter);
  return success();
}
