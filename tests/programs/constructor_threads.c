// Threads begin, wait and are sent signals in the constructor of a library, which may run before guv's, and again in main.
#include "check.h"

extern _Atomic int handled;
extern int early_sum;
int run_threads(void);

int main(void) {
  printf("in the constructor: %d, %d signals\n", early_sum, handled);
  printf("in main: %d\n", run_threads());
  printf("%d signals\n", handled);
  return success();
}
