// A detached thread runs to its end by itself; it cannot be joined or detached again.
#include "check.h"
#include <semaphore.h>

static sem_t go, done;
static void* work(void* argument) {
  if (argument) CHECK(pthread_detach(pthread_self()) == 0);
  sem_wait(&go);
  sem_post(&done);
  return NULL;
}

int main(void) {
  sem_init(&go, 0, 0);
  sem_init(&done, 0, 0);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  CHECK(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0);
  pthread_t born_detached, detached;
  CHECK(pthread_create(&born_detached, &attributes, work, NULL) == 0);
  CHECK(pthread_create(&detached, NULL, work, NULL) == 0);
  start_thread(work, (void*)1);
  SHOW_ERROR(pthread_join(born_detached, NULL));
  SHOW_ERROR(pthread_detach(born_detached));
  SHOW_ERROR(pthread_detach(detached));
  SHOW_ERROR(pthread_detach(detached));
  SHOW_ERROR(pthread_join(detached, NULL));
  int state = -1;
  pthread_attr_getdetachstate(&attributes, &state);
  printf("detach state: %d\n", state == PTHREAD_CREATE_DETACHED);
  for (int i = 0; i < 3; i++) sem_post(&go);
  for (int i = 0; i < 3; i++) sem_wait(&done);

  for (int i = 0; i < 500; i++) {
    pthread_t thread;
    CHECK(pthread_create(&thread, &attributes, work, NULL) == 0);
    sem_post(&go);
  }
  for (int i = 0; i < 500; i++) sem_wait(&done);
  puts("503 detached threads ran");
  return success();
}
