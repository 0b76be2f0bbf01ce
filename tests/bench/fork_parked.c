// How long fork takes while N threads are parked, and until its child has ended.   fork_parked [N]
// The child is alone, and starts a thread of its own to prove that it can. Prints  threads=N fork_us=US child_us=US
#include "parked.h"
#include <sys/wait.h>
#include <unistd.h>

static void* alone(void* argument) {
  pthread_mutex_lock(&mutex);
  release = 1;  // in the child only
  pthread_mutex_unlock(&mutex);
  return argument;
}

static void live_in_child(void) {
  pthread_t thread;
  check(pthread_create(&thread, NULL, alone, NULL), "pthread_create");
  check(pthread_join(thread, NULL), "pthread_join");
  _exit(0);
}

int main(int argc, char** argv) {
  enum { times = 9 };
  double fork_us[times], child_us[times];
  pthread_t* threads = park_threads(argc, argv);
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
  release_and_join(threads);
  printf("threads=%ld fork_us=%.0f child_us=%.0f\n", wanted, median(fork_us, times), median(child_us, times));
}
