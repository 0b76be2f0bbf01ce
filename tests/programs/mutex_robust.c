// A robust mutex tells its next owner that the last one died, also when that one was waiting already.
#include "check.h"
#include <semaphore.h>

static pthread_mutex_t mutex;
static sem_t ready, go;
static void* die_holding(void* argument) {
  CHECK(pthread_mutex_lock(&mutex) == 0);
  if (argument) {
    sem_post(&ready);
    sem_wait(&go);
    pthread_exit(NULL);
  }
  return NULL;
}
static void* wait_for_it(void* argument) {
  sem_post(&ready);
  int error = pthread_mutex_lock(&mutex);
  if (error == EOWNERDEAD) {
    CHECK(pthread_mutex_consistent(&mutex) == 0);
    CHECK(pthread_mutex_unlock(&mutex) == 0);
  }
  return argument ? argument : (void*)(intptr_t)error;
}
static void make(void) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  CHECK(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
  CHECK(pthread_mutex_init(&mutex, &attributes) == 0);
}

int main(void) {
  sem_init(&ready, 0, 0);
  sem_init(&go, 0, 0);
  make();
  join_thread(start_thread(die_holding, NULL));
  SHOW_ERROR(pthread_mutex_lock(&mutex));
  SHOW_ERROR(pthread_mutex_lock(&mutex));
  SHOW_ERROR(pthread_mutex_consistent(&mutex));
  SHOW_ERROR(pthread_mutex_consistent(&mutex));
  SHOW_ERROR(pthread_mutex_unlock(&mutex));
  SHOW_ERROR(pthread_mutex_lock(&mutex));
  SHOW_ERROR(pthread_mutex_unlock(&mutex));

  puts("-- not made consistent");
  join_thread(start_thread(die_holding, NULL));
  SHOW_ERROR(pthread_mutex_trylock(&mutex));
  SHOW_ERROR(pthread_mutex_unlock(&mutex));
  SHOW_ERROR(pthread_mutex_lock(&mutex));
  SHOW_ERROR(pthread_mutex_trylock(&mutex));
  SHOW_ERROR(pthread_mutex_destroy(&mutex));

  puts("-- while another waits");
  make();
  pthread_t owner = start_thread(die_holding, (void*)1);
  sem_wait(&ready);
  pthread_t waiter = start_thread(wait_for_it, NULL);
  sem_wait(&ready);
  let_others_run();
  sem_post(&go);
  printf("the waiter got %s\n", errno_name((int)(intptr_t)join_thread(waiter)));
  join_thread(owner);
  SHOW_ERROR(pthread_mutex_lock(&mutex));
  SHOW_ERROR(pthread_mutex_unlock(&mutex));
  return success();
}
