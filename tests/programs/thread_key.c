// pthread keys: a value per thread; destructors run in rounds while they set values again, at most four times.
#include "check.h"

static pthread_key_t once_more, stubborn, plain, deleted, keys[60];
static int again, endless, plains, many;
static void gone_once_more(void* value) {
  if (++again < 3) pthread_setspecific(once_more, value);
}
static void gone_stubborn(void* value) {
  endless++;
  pthread_setspecific(stubborn, value);
}
static void gone_plain(void* value) {
  CHECK(pthread_getspecific(plain) == NULL);
  plains += *(int*)value;
  sched_yield();
}
static void gone_deleted(void* value) { printf("wrong: destructor of a deleted key, %p\n", value); }
static void gone_many(void* value) { many += (int)(intptr_t)value; }

static void* work(void* argument) {
  CHECK(pthread_getspecific(plain) == NULL);
  pthread_setspecific(once_more, argument);
  pthread_setspecific(stubborn, argument);
  pthread_setspecific(plain, argument);
  pthread_setspecific(deleted, argument);
  for (intptr_t i = 0; i < 60; i++) pthread_setspecific(keys[i], (void*)(i + 1));
  sched_yield();
  for (intptr_t i = 0; i < 60; i++) CHECK(pthread_getspecific(keys[i]) == (void*)(i + 1));
  CHECK(pthread_key_delete(deleted) == 0);
  return NULL;
}

int main(void) {
  int value = 11;
  pthread_key_create(&once_more, gone_once_more);
  pthread_key_create(&stubborn, gone_stubborn);
  pthread_key_create(&plain, gone_plain);
  pthread_key_create(&deleted, gone_deleted);
  for (int i = 0; i < 60; i++) CHECK(pthread_key_create(&keys[i], gone_many) == 0);
  pthread_setspecific(plain, &value);
  join_thread(start_thread(work, &value));
  printf("once more: %d, stubborn: %d, plain: %d, many: %d\n", again, endless, plains, many);
  CHECK(pthread_getspecific(plain) == &value);
  SHOW_ERROR(pthread_key_delete(deleted));
  SHOW_ERROR(pthread_setspecific(deleted, &value));
  int created = 0;
  pthread_key_t key;
  while (pthread_key_create(&key, NULL) == 0) created++;
  printf("EAGAIN after many keys: %d\n", created > 900);
  return success();
}
