// The main thread is cancelled while it waits for a condition of several processes, which only a kernel thread can wait for.
// It alone ends; the thread that cancelled it ends the process.
#include "check.h"
#include <sys/mman.h>

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
  SHOW_ERROR(pthread_cancel(main_thread));
  while (!cleaned_up) sched_yield();
  pthread_testcancel();
  nanosleep(&a_little, NULL);
  exit(success());
  return argument;
}

int main(void) {
  main_thread = pthread_self();
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_mutexattr_t mutex_attributes;
  pthread_mutexattr_init(&mutex_attributes);
  pthread_mutexattr_setpshared(&mutex_attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&shared->mutex, &mutex_attributes);
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_cond_init(&shared->cond, &attributes);
  pthread_mutex_lock(&shared->mutex);
  start_thread(work, NULL);
  pthread_cleanup_push(cleanup, &shared->mutex);
  for (;;) pthread_cond_wait(&shared->cond, &shared->mutex);
  pthread_cleanup_pop(0);
}
