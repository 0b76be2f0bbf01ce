// Every thread has a kernel id of its own; main's is the process id.
#include "check.h"
#include <signal.h>
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

static sigset_t both;

// Takes the signals that are sent to the process by the id of another thread.
static void* take_signals(void* unused) {
  pthread_barrier_wait(&barrier);
  int numbers = 0, number = 0;
  for (int i = 0; i < 2; i++) {
    CHECK(sigwait(&both, &number) == 0);
    numbers += number;
  }
  CHECK(numbers == SIGUSR1 + SIGUSR2);
  pthread_barrier_wait(&barrier);
  return unused;
}

static void* sleep_until_taken(void* id) {
  *(pid_t*)id = gettid();
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  return NULL;
}

static void kill_by_thread_id(void) {
  sigemptyset(&both);
  sigaddset(&both, SIGUSR1);
  sigaddset(&both, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &both, NULL);
  pid_t id = 0;
  pthread_barrier_init(&barrier, NULL, 3);
  pthread_t taker = start_thread(take_signals, NULL);
  pthread_t sleeper = start_thread(sleep_until_taken, &id);
  pthread_barrier_wait(&barrier);
  SHOW(kill(id, 0));
  SHOW(kill(id, SIGUSR1));
  SHOW(sigqueue(id, SIGUSR2, (union sigval){.sival_int = 1}));
  pthread_barrier_wait(&barrier);
  join_thread(taker);
  join_thread(sleeper);
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
  kill_by_thread_id();
  return success();
}
