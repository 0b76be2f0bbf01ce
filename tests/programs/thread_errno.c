// errno belongs to the thread: kept over others' failures, untouched by calls that succeed after blocking.
#include "check.h"

static int ends[2][2];
static void* work(void* argument) {
  int me = (int)(intptr_t)argument;
  char byte;
  for (int i = 0; i < 300; i++) {
    errno = 1000 + me;
    CHECK(read(ends[me][0], &byte, 1) == 1);
    CHECK(errno == 1000 + me);
    CHECK(close(-1) == -1 && errno == EBADF);
    errno = 2000 + me;
    sched_yield();
    CHECK(errno == 2000 + me);
    CHECK(write(ends[1 - me][1], "", 1) == 1);
    CHECK(errno == 2000 + me);
  }
  return NULL;
}

int main(void) {
  CHECK(pipe(ends[0]) == 0 && pipe(ends[1]) == 0);
  errno = 77;
  pthread_t a, b;
  CHECK(pthread_create(&a, NULL, work, (void*)0) == 0);
  CHECK(pthread_create(&b, NULL, work, (void*)1) == 0);
  printf("after pthread_create: %d\n", errno);
  CHECK(write(ends[0][1], "", 1) == 1);
  CHECK(pthread_join(a, NULL) == 0 && pthread_join(b, NULL) == 0);
  printf("after pthread_join: %d\n", errno);
  return success();
}
