// Threads that compute without calling anything do not keep the others from running.
#include "check.h"

static volatile int stop;
static volatile unsigned long rounds[3];

static void* compute(void* argument) {
  while (!stop) rounds[(intptr_t)argument]++;
  return argument;
}

static void* call_in_a_circle(void* argument) {
  pthread_attr_t attributes;
  while (!stop) {
    pthread_attr_init(&attributes);
    pthread_attr_destroy(&attributes);
    rounds[(intptr_t)argument]++;
  }
  return argument;
}

static void* compute_for_ever(void* argument) {
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
  for (stop = 0;;) rounds[0]++;
  return argument;
}

int main(void) {
  pthread_t threads[] = {start_thread(compute, (void*)0), start_thread(compute, (void*)1),
                         start_thread(call_in_a_circle, (void*)2)};
  const double began = seconds_now();
  usleep(300000);
  CHECK_TOOK(began, 300);
  // Arithmetic survives being interrupted anywhere.
  volatile double sum = 0;
  for (int i = 1; i <= 20000000; i++) sum += 1.0 / i;
  printf("sum %.6f\n", sum);
  for (int i = 0; i < 3; i++) CHECK(rounds[i] > 0);
  stop = 1;
  for (int i = 0; i < 3; i++) CHECK(join_thread(threads[i]) == (void*)(intptr_t)i);

  pthread_t endless = start_thread(compute_for_ever, NULL);
  usleep(50000);
  CHECK(pthread_cancel(endless) == 0);
  CHECK(join_thread(endless) == PTHREAD_CANCELED);

  // A tick is nothing that a new program would notice.
  fflush(stdout);
  execl("/bin/echo", "echo", "EXIT-SUCCESS", NULL);
  return 1;
}
