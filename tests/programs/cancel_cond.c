// A thread cancelled in pthread_cond_wait holds the mutex again in its cleanup handler.
#include "check.h"

static pthread_mutex_t mutex;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int waiting;
static void unlock(void* argument) {
  (void)argument;
  int error = pthread_mutex_unlock(&mutex);  // an errorcheck mutex says EPERM if it were not ours
  printf("cleanup: unlock %s\n", errno_name(error));
}
static void* work(void* argument) {
  pthread_mutex_lock(&mutex);
  pthread_cleanup_push(unlock, NULL);
  waiting = 1;
  for (;;) {
    if (argument) {
      struct timespec until = in_milliseconds(CLOCK_REALTIME, 30000);
      pthread_cond_timedwait(&cond, &mutex, &until);
    } else {
      pthread_cond_wait(&cond, &mutex);
    }
  }
  pthread_cleanup_pop(0);
  return NULL;
}

int main(void) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
  pthread_mutex_init(&mutex, &attributes);
  for (intptr_t timed = 0; timed < 2; timed++) {
    waiting = 0;
    pthread_t thread = start_thread(work, (void*)timed);
    for (int seen = 0; !seen; sched_yield()) {
      pthread_mutex_lock(&mutex);
      seen = waiting;  // and since we hold the mutex, it is in the wait
      pthread_mutex_unlock(&mutex);
    }
    CHECK(pthread_cancel(thread) == 0);
    printf("result: %s\n", join_thread(thread) == PTHREAD_CANCELED ? "PTHREAD_CANCELED" : "other");
  }
  return success();
}
