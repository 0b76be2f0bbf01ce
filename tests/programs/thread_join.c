// join waits for the end of a thread and hands over its result; joining oneself is EDEADLK.
#include "check.h"

static void* times_three(void* argument) { return (void*)((intptr_t)argument * 3); }
static void* by_exit(void* argument) { pthread_exit(argument); }
static void* join_myself(void* argument) {
  (void)argument;
  return (void*)(intptr_t)pthread_join(pthread_self(), NULL);
}
static void* join_it(void* thread) { return (void*)(intptr_t)pthread_join((pthread_t)thread, NULL); }
static int ends[2];
static void* blocked(void* argument) {
  char byte = 0;
  CHECK(read(ends[0], &byte, 1) == 1);
  return (void*)((intptr_t)argument + byte);
}

int main(void) {
  pthread_t threads[100];
  intptr_t sum = 0;
  for (intptr_t i = 0; i < 100; i++) threads[i] = start_thread(times_three, (void*)i);
  for (int i = 0; i < 100; i++) sum += (intptr_t)join_thread(threads[i]);
  printf("sum of results: %ld\n", (long)sum);
  printf("pthread_exit: %ld\n", (long)(intptr_t)join_thread(start_thread(by_exit, (void*)41)));
  printf("join(self): %s\n", errno_name((int)(intptr_t)join_thread(start_thread(join_myself, NULL))));
  SHOW_ERROR(pthread_join(pthread_self(), NULL));

  pthread_t joins_me = start_thread(join_it, (void*)pthread_self());
  let_others_run();
  CHECK(pthread_cancel(joins_me) == 0);
  printf("join of who joins me, cancelled: %s\n", join_thread(joins_me) == PTHREAD_CANCELED ? "PTHREAD_CANCELED" : "?");

  CHECK(pipe(ends) == 0);
  pthread_t parked = start_thread(blocked, (void*)100);
  let_others_run();
  CHECK(!pthread_equal(parked, pthread_self()));
  CHECK(pthread_equal(parked, parked));
  CHECK(write(ends[1], "\7", 1) == 1);
  printf("after blocking: %ld\n", (long)(intptr_t)join_thread(parked));
  return success();
}
