// A program that links libguv: its threads are green once it says so, and guv.h tells it.
#include "../programs/check.h"

#include <guv/guv.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int early_thread_ran(void);  // in a library whose constructor runs before guv's

enum { threads = 5 };

static sem_t go;
static uint64_t numbers[threads];

static void* body(void* argument) {
  sem_wait(&go);
  *(uint64_t*)argument = guv_thread_number();
  return NULL;
}

static void native_until_told(void) {
  pthread_t thread;
  uint64_t number = 77;
  sem_init(&go, 0, 1);
  CHECK(!guv_is_monkey_patched("thread") && !guv_is_monkey_patched("pthread_create"));
  CHECK(pthread_create(&thread, NULL, body, &number) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK(number == 0 && guv_active() == 0);
}

int main(void) {
  CHECK(strcmp(guv_version(), EXPECTED_VERSION) == 0);
  CHECK(early_thread_ran());
  native_until_told();
  CHECK(guv_monkey_patch(NULL) == 0);
  CHECK(guv_is_monkey_patched("all") && guv_is_monkey_patched("pthread_create"));
  // Nothing starts before the first thread.
  CHECK(guv_active() == 0);
  CHECK(guv_thread_number() == 0);
  CHECK(guv_thread_count() == 0);

  pthread_t handles[threads];
  sem_init(&go, 0, 0);
  for (int i = 0; i < threads; ++i) CHECK(pthread_create(&handles[i], NULL, body, &numbers[i]) == 0);
  CHECK(guv_active() == 1);
  CHECK(guv_thread_number() == 1);
  CHECK(guv_thread_count() == threads + 1);

  for (int i = 0; i < threads; ++i) sem_post(&go);
  for (int i = 0; i < threads; ++i) pthread_join(handles[i], NULL);
  for (int i = 0; i < threads; ++i) CHECK(numbers[i] == (uint64_t)i + 2);
  CHECK(guv_thread_count() == 1);

  // Numbers are not used again.
  CHECK(pthread_create(&handles[0], NULL, body, &numbers[0]) == 0);
  sem_post(&go);
  pthread_join(handles[0], NULL);
  CHECK(numbers[0] == threads + 2);
  return 0;
}
