// How long fork takes while N threads are parked, and until its child has ended.   fork_parked [N]
// The child is alone, and starts a thread of its own to prove that it can. Prints  threads=N fork_us=US child_us=US
#include "bench.h"
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t released = PTHREAD_COND_INITIALIZER, arrived = PTHREAD_COND_INITIALIZER;
static long parked, wanted;
static int release;

static void* park(void* argument) {
  pthread_mutex_lock(&mutex);
  if (++parked == wanted) pthread_cond_signal(&arrived);
  while (!release) pthread_cond_wait(&released, &mutex);
  pthread_mutex_unlock(&mutex);
  return argument;
}

static void* alone(void* argument) {
  pthread_mutex_lock(&mutex);
  release = 1;  // in the child only
  pthread_mutex_unlock(&mutex);
  return argument;
}

static void start(pthread_t* thread, void* (*run)(void*)) { check(pthread_create(thread, NULL, run, NULL), "pthread_create"); }

static void live_in_child(void) {
  pthread_t thread;
  start(&thread, alone);
  check(pthread_join(thread, NULL), "pthread_join");
  _exit(0);
}

int main(int argc, char** argv) {
  enum { times = 9 };
  double fork_us[times], child_us[times];
  wanted = argc > 1 ? atol(argv[1]) : 10000;
  pthread_t* threads = calloc((size_t)wanted, sizeof *threads);
  if (threads == NULL) return 1;
  for (long i = 0; i < wanted; ++i) start(&threads[i], park);
  pthread_mutex_lock(&mutex);
  while (parked < wanted) pthread_cond_wait(&arrived, &mutex);
  pthread_mutex_unlock(&mutex);
  for (int i = 0; i < times; ++i) {
    int64_t began = now_ns();
    pid_t child = fork();
    if (child == 0) live_in_child();
    int64_t forked = now_ns();
    int status = -1;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
      fprintf(stderr, "the child ended with status %d\n", status);
      return 1;
    }
    fork_us[i] = (double)(forked - began) / 1e3;
    child_us[i] = (double)(now_ns() - began) / 1e3;
  }
  pthread_mutex_lock(&mutex);
  release = 1;
  pthread_cond_broadcast(&released);
  pthread_mutex_unlock(&mutex);
  for (long i = 0; i < wanted; ++i) check(pthread_join(threads[i], NULL), "pthread_join");
  printf("threads=%ld fork_us=%.0f child_us=%.0f\n", wanted, median(fork_us, times), median(child_us, times));
}
