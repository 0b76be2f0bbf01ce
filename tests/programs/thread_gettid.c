// Every thread has a kernel id of its own; main's is the process id.
#include "check.h"
#include <sys/syscall.h>

enum { threads = 20 };
static pthread_barrier_t barrier;
static void* work(void* argument) {
  pid_t id = gettid();
  CHECK(id == syscall(SYS_gettid));
  pthread_barrier_wait(&barrier);
  CHECK(id == gettid());
  *(pid_t*)argument = id;
  return NULL;
}

int main(void) {
  pthread_t ids[threads];
  pid_t tids[threads + 1];
  pthread_barrier_init(&barrier, NULL, threads);
  for (int i = 0; i < threads; i++) ids[i] = start_thread(work, &tids[i]);
  for (int i = 0; i < threads; i++) join_thread(ids[i]);
  tids[threads] = gettid();
  printf("main: %s\n", gettid() == getpid() ? "gettid is getpid" : "differs");
  int same = 0;
  for (int i = 0; i <= threads; i++)
    for (int j = 0; j < i; j++) same += tids[i] == tids[j];
  printf("equal ids: %d\n", same);
  return success();
}
