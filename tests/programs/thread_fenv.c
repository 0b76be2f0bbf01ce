// The rounding mode and exception flags of the FPU belong to the thread; a new one inherits its creator's mode.
#include "check.h"
#include <fenv.h>

static pthread_barrier_t barrier;
static volatile double one = 1, three = 3;
static void* work(void* argument) {
  int mode = (int)(intptr_t)argument;
  CHECK(fesetround(mode) == 0);
  for (int i = 0; i < 200; i++) {
    pthread_barrier_wait(&barrier);
    CHECK(fegetround() == mode);
    double third = one / three;
    CHECK((third * 3 > 1 || third > 0.33333333333333331) == (mode == FE_UPWARD));
  }
  return NULL;
}
static void* inherited(void* argument) {
  (void)argument;
  return (void*)(intptr_t)fegetround();
}

int main(void) {
  pthread_barrier_init(&barrier, NULL, 2);
  pthread_t up = start_thread(work, (void*)FE_UPWARD), down = start_thread(work, (void*)FE_DOWNWARD);
  join_thread(up);
  join_thread(down);
  CHECK(fegetround() == FE_TONEAREST);
  CHECK(fesetround(FE_TOWARDZERO) == 0);
  printf("inherited: %d\n", (intptr_t)join_thread(start_thread(inherited, NULL)) == FE_TOWARDZERO);
  return success();
}
