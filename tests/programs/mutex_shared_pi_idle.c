// Threads that wait for another process's mutex with priority inheritance leave the processor alone meanwhile.
#include "shared.h"
#include <sys/resource.h>
#include <sys/wait.h>

enum { THREADS = 20, SECONDS = 1 };
static pthread_mutex_t* mutex;

static void* wait_for_it(void* argument) {
  CHECK(pthread_mutex_lock(mutex) == 0);
  CHECK(pthread_mutex_unlock(mutex) == 0);
  return argument;
}

static long switches(void) {
  struct rusage usage;
  CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
  return usage.ru_nvcsw;
}

int main(void) {
  mutex = share(sizeof *mutex);
  make_shared_mutex(mutex, (struct kind_of_mutex){.protocol = PTHREAD_PRIO_INHERIT});
  int locked[2];
  CHECK(pipe(locked) == 0);
  const pid_t child = fork();
  if (child == 0) {
    CHECK(pthread_mutex_lock(mutex) == 0);
    CHECK(write(locked[1], "", 1) == 1);
    sleep(SECONDS);
    CHECK(pthread_mutex_unlock(mutex) == 0);
    _exit(0);
  }
  char byte;
  CHECK(read(locked[0], &byte, 1) == 1);
  pthread_t threads[THREADS];
  const long before = switches();
  for (int i = 0; i < THREADS; i++) threads[i] = start_thread(wait_for_it, NULL);
  for (int i = 0; i < THREADS; i++) join_thread(threads[i]);
  printf("hardly ever awake: %d\n", switches() - before < 300);
  int status;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  return success();
}
