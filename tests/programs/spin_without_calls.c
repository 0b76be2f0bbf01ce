// Threads that run on without a call do not keep the others from running: timers fire, a flag is seen, memory that one is
// allocating is had by another, floating point and errno are everyone's own, and cancellation at any point is just that.
#include "check.h"

static _Atomic int stop, turn, ready;

static void* spin(void* argument) {
  const double step = (double)(intptr_t)argument;
  volatile double sum = 0;
  errno = (int)step;
  ready++;
  long rounds = 0;
  while (!stop) {
    sum = sum + step;
    rounds++;
  }
  CHECK(errno == (int)step);
  return (void*)(intptr_t)(sum == step * (double)rounds && rounds > 0);
}

static void* allocate(void* argument) {
  ready++;
  unsigned long rounds = 0;
  while (!stop) {
    const size_t size = 100 + rounds++ % 5000;
    char* memory = malloc(size);
    memset(memory, (int)(intptr_t)argument, size);
    for (size_t i = 0; i < size; i++) CHECK(memory[i] == (char)(intptr_t)argument);
    free(memory);
  }
  return (void*)1;
}

static void* take_turns(void* argument) {
  const int mine = (int)(intptr_t)argument;
  for (int i = 0; i < 10; i++) {
    while (turn != mine) continue;
    turn = !mine;
  }
  return NULL;
}

static void* for_ever(void* argument) {
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
  ready++;
  for (volatile int i = 0;; i++) continue;
  return argument;
}

int main(void) {
  pthread_t threads[4];
  for (intptr_t i = 0; i < 4; i++) threads[i] = start_thread(i < 2 ? spin : allocate, (void*)(i + 1));
  while (ready < 4) continue;
  const struct timespec a_little = {0, 2000000};
  for (int i = 0; i < 5; i++) nanosleep(&a_little, NULL);
  stop = 1;
  for (int i = 0; i < 4; i++) printf("%ld\n", (long)(intptr_t)join_thread(threads[i]));

  threads[0] = start_thread(take_turns, (void*)0);
  threads[1] = start_thread(take_turns, (void*)1);
  for (int i = 0; i < 2; i++) join_thread(threads[i]);
  puts("they took turns");

  ready = 0;
  threads[0] = start_thread(for_ever, NULL);
  while (!ready) continue;
  SHOW_ERROR(pthread_cancel(threads[0]));
  printf("%s\n", join_thread(threads[0]) == PTHREAD_CANCELED ? "cancelled" : "not cancelled");
  return success();
}
