// pthread_exit and cancellation unwind C++ frames: destructors run, catch (...) sees it and must let it through.
#include "check.h"
#include <cxxabi.h>

static int gate[2];
struct Loud {
  const char* name;
  ~Loud() {
    sched_yield();
    printf("~%s\n", name);
  }
};
static void leave(void* cancelled) {
  Loud inner{"inner"};
  char byte;
  if (!cancelled) pthread_exit((void*)12);
  (void)!read(gate[0], &byte, 1);
}
static void* work(void* cancelled) {
  Loud outer{"outer"};
  try {
    Loud middle{"middle"};
    leave(cancelled);
  } catch (abi::__forced_unwind&) {
    puts("unwinding");
    throw;
  }
  puts("not reached");
  return nullptr;
}

int main() {
  CHECK(pipe(gate) == 0);
  printf("pthread_exit: %ld\n", (long)(intptr_t)join_thread(start_thread(work, nullptr)));
  pthread_t thread = start_thread(work, (void*)1);
  let_others_run();
  CHECK(pthread_cancel(thread) == 0);
  printf("cancelled: %d\n", join_thread(thread) == PTHREAD_CANCELED);
  return success();
}
