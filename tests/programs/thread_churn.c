// Many short lives: ids, keys and stacks are recycled without mixing up what belongs to whom.
#include "check.h"

static pthread_key_t key;
static int destroyed;
static __thread int mine;
static void gone(void* value) { __atomic_add_fetch((int*)value, 1, __ATOMIC_SEQ_CST); }
static void* work(void* argument) {
  CHECK(mine == 0 && errno == 0);
  CHECK(pthread_getspecific(key) == NULL);
  mine = 1;
  errno = 5;
  CHECK(pthread_setspecific(key, &destroyed) == 0);
  if ((intptr_t)argument % 3 == 0) sched_yield();
  return argument;
}

int main(void) {
  CHECK(pthread_key_create(&key, gone) == 0);
  for (intptr_t round = 0; round < 500; round++) {
    pthread_t threads[10];
    for (intptr_t i = 0; i < 10; i++) threads[i] = start_thread(work, (void*)(round + i));
    for (intptr_t i = 0; i < 10; i++) CHECK((intptr_t)join_thread(threads[i]) == round + i);
  }
  printf("%d values destroyed\n", destroyed);
  return success();
}
