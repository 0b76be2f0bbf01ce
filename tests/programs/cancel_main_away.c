// The main thread is cancelled while it waits for a condition of several processes, which only a kernel thread can wait for.
// It alone ends; the thread that cancelled it ends the process.
#include "shared.h"

static struct shared {
  pthread_mutex_t mutex;
  pthread_cond_t cond;
} * shared;
static pthread_t main_thread;
static _Atomic int cleaned_up;

static void cleanup(void* mutex) {
  puts("main: cleanup");
  pthread_mutex_unlock(mutex);
  cleaned_up = 1;
}

static void* work(void* argument) {
  const struct timespec a_little = {0, 10000000};
  pthread_mutex_lock(&shared->mutex);  // main waits
  pthread_mutex_unlock(&shared->mutex);
  nanosleep(&a_little, NULL);
  const int error = pthread_cancel(main_thread);
  while (!cleaned_up) sched_yield();
  printf("pthread_cancel: %s\n", errno_name(error));
  pthread_testcancel();
  nanosleep(&a_little, NULL);
  exit(success());
  return argument;
}

int main(void) {
  main_thread = pthread_self();
  shared = share(sizeof *shared);
  make_shared_mutex(&shared->mutex, (struct kind_of_mutex){0});
  make_shared_cond(&shared->cond);
  pthread_mutex_lock(&shared->mutex);
  start_thread(work, NULL);
  pthread_cleanup_push(cleanup, &shared->mutex);
  for (;;) pthread_cond_wait(&shared->cond, &shared->mutex);
  pthread_cleanup_pop(0);
}
