// A mutex of several processes: it excludes threads here and in a child, times out, and lets a handler run in whoever waits.
#include "shared.h"
#include <signal.h>
#include <sys/wait.h>

enum { threads = 4, rounds = 500 };
static struct shared {
  pthread_mutex_t plain, recursive, checking;
  long counter;
} * shared;
static _Atomic int ran, going;

static void* count(void* argument) {
  for (int i = 0; i < rounds; i++) {
    CHECK(pthread_mutex_lock(&shared->plain) == 0);
    const long before = shared->counter;
    if (i % 16 == 0) sched_yield();
    shared->counter = before + 1;
    CHECK(pthread_mutex_unlock(&shared->plain) == 0);
  }
  return argument;
}

static void count_with_threads(void) {
  pthread_t counting[threads];
  for (int i = 0; i < threads; i++) counting[i] = start_thread(count, NULL);
  for (int i = 0; i < threads; i++) join_thread(counting[i]);
}

// A thread of the child must not be taken for one of the parent's.
static void* hold_recursive(void* argument) {
  const int* ends = argument;
  CHECK(pthread_mutex_lock(&shared->recursive) == 0);
  CHECK(write(ends[1], "x", 1) == 1 && waitpid(-1, NULL, 0) > 0);
  CHECK(pthread_mutex_unlock(&shared->recursive) == 0);
  return NULL;
}

static void* try_recursive(void* argument) {
  char byte;
  CHECK(read(*(int*)argument, &byte, 1) == 1);
  SHOW_ERROR(pthread_mutex_trylock(&shared->recursive));
  return NULL;
}

static void count_in_two_processes(void) {
  const pid_t child = fork();
  CHECK(child >= 0);
  count_with_threads();
  if (child == 0) _exit(0);
  CHECK(waitpid(child, NULL, 0) == child);
  printf("counter %ld\n", shared->counter);
}

static void own_in_two_processes(void) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  const pid_t child = fork();
  CHECK(child >= 0);
  join_thread(start_thread(child ? hold_recursive : try_recursive, ends));
  if (child == 0) _exit(0);
}

static void handler(int number) { ran = number; }

static void* wait_for_each(void* argument) {
  struct timespec soon = in_milliseconds(CLOCK_REALTIME, 30), later = in_milliseconds(CLOCK_MONOTONIC, 60000);
  struct timespec never = {-1, 0}, invalid = {0, 1000000000};
  SHOW_ERROR(pthread_mutex_trylock(&shared->plain));
  SHOW_ERROR(pthread_mutex_timedlock(&shared->plain, &soon));
  SHOW_ERROR(pthread_mutex_timedlock(&shared->plain, &never));
  SHOW_ERROR(pthread_mutex_timedlock(&shared->plain, &invalid));
  going = 1;
  SHOW_ERROR(pthread_mutex_clocklock(&shared->plain, CLOCK_MONOTONIC, &later));
  SHOW_ERROR(pthread_mutex_unlock(&shared->plain));
  SHOW_ERROR(pthread_mutex_lock(&shared->recursive));
  SHOW_ERROR(pthread_mutex_lock(&shared->recursive));
  SHOW_ERROR(pthread_mutex_unlock(&shared->recursive));
  SHOW_ERROR(pthread_mutex_unlock(&shared->recursive));
  SHOW_ERROR(pthread_mutex_unlock(&shared->recursive));
  SHOW_ERROR(pthread_mutex_lock(&shared->checking));
  SHOW_ERROR(pthread_mutex_lock(&shared->checking));
  SHOW_ERROR(pthread_mutex_timedlock(&shared->checking, &later));
  SHOW_ERROR(pthread_mutex_unlock(&shared->checking));
  return argument;
}

int main(void) {
  const struct timespec a_little = {0, 5000000};
  const struct sigaction action = {.sa_handler = handler};
  shared = share(sizeof *shared);
  make_shared_mutex(&shared->plain, (struct kind_of_mutex){.type = PTHREAD_MUTEX_NORMAL});
  make_shared_mutex(&shared->recursive, (struct kind_of_mutex){.type = PTHREAD_MUTEX_RECURSIVE});
  make_shared_mutex(&shared->checking, (struct kind_of_mutex){.type = PTHREAD_MUTEX_ERRORCHECK});
  count_in_two_processes();
  own_in_two_processes();
  sigaction(SIGUSR1, &action, NULL);
  pthread_mutex_lock(&shared->plain);
  const pthread_t thread = start_thread(wait_for_each, NULL);
  while (!going) sched_yield();
  nanosleep(&a_little, NULL);  // before it waits, or while it does
  SHOW_ERROR(pthread_kill(thread, SIGUSR1));
  while (!ran) sched_yield();  // though the mutex is held
  pthread_mutex_unlock(&shared->plain);
  join_thread(thread);
  return success();
}
