// Spin locks exclude each other, also when the holder gives way.
#include "check.h"

static pthread_spinlock_t spin;
static long counter;
static void* work(void* argument) {
  for (int i = 0; i < 500; i++) {
    pthread_spin_lock(&spin);
    long seen = counter;
    if (i % 50 == 0) sched_yield();
    counter = seen + 1;
    pthread_spin_unlock(&spin);
  }
  return argument;
}
static void* try_it(void* argument) {
  CHECK(argument == NULL);
  return (void*)(intptr_t)pthread_spin_trylock(&spin);
}

int main(void) {
  CHECK(pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE) == 0);
  SHOW_ERROR(pthread_spin_trylock(&spin));
  printf("by another: %s\n", errno_name((int)(intptr_t)join_thread(start_thread(try_it, NULL))));
  SHOW_ERROR(pthread_spin_unlock(&spin));
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) threads[i] = start_thread(work, NULL);
  for (int i = 0; i < 4; i++) join_thread(threads[i]);
  printf("counter %ld\n", counter);
  return success();
}
