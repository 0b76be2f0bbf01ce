// pthread_exit from deep inside runs the cleanup handlers in reverse order, then the key destructors.
#include "check.h"

static pthread_key_t key;
static int gate[2];
static void say(void* text) { puts((const char*)text); }
static void key_gone(void* value) { printf("key destructor: %s\n", (const char*)value); }

static void inner(int depth) {
  pthread_cleanup_push(say, depth % 2 ? "cleanup odd" : "cleanup even");
  if (depth == 0) {
    char byte;
    CHECK(read(gate[0], &byte, 1) == 1);
    pthread_exit((void*)77);
  }
  inner(depth - 1);
  pthread_cleanup_pop(0);
}
static void* work(void* argument) {
  CHECK(pthread_setspecific(key, argument) == 0);
  pthread_cleanup_push(say, "popped and run");
  pthread_cleanup_pop(1);
  pthread_cleanup_push(say, "outermost");
  inner(3);
  pthread_cleanup_pop(0);
  return NULL;
}

int main(void) {
  CHECK(pipe(gate) == 0);
  CHECK(pthread_key_create(&key, key_gone) == 0);
  pthread_t thread = start_thread(work, (void*)"value");
  let_others_run();
  CHECK(write(gate[1], "", 1) == 1);
  printf("result: %ld\n", (long)(intptr_t)join_thread(thread));
  return success();
}
