// What gdb_test.py looks at: threads that wait, each kind in a function of its own, and one that has not begun. Then it
// stops itself.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static int channel[2];

static void wait_for_bytes(int secret) {
  char byte;
  if (read(channel[0], &byte, 1) == secret) abort();
}

static void wait_for_signal(void) {
  pthread_mutex_lock(&mutex);
  for (;;) pthread_cond_wait(&never, &mutex);
}

static void* reader(void* argument) {
  wait_for_bytes(4711);
  return argument;
}

static void* waiter(void* argument) {
  wait_for_signal();
  return argument;
}

static void* not_begun(void* argument) { return argument; }

int main(void) {
  pthread_t thread;
  if (pipe(channel) != 0 || pthread_create(&thread, NULL, reader, NULL) != 0) return 1;
  pthread_setname_np(thread, "reader");
  for (int i = 0; i < 3; ++i)
    if (pthread_create(&thread, NULL, waiter, NULL) != 0) return 1;
  sched_yield();  // returns when all of them wait
  if (pthread_create(&thread, NULL, not_begun, NULL) != 0) return 1;
  raise(SIGSTOP);
}
