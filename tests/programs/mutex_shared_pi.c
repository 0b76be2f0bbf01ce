// A priority-inheritance mutex of several processes: it excludes their threads, also the main ones, and times out; a robust
// one goes to the next when its owner dies.
#include "shared.h"
#include <sys/wait.h>

enum { processes = 3, threads = 3, rounds = 60 };
static struct shared {
  pthread_mutex_t plain, checking, robust;
  long counter;
} * shared;

static void make(pthread_mutex_t* mutex, int type, int robustness) {
  make_shared_mutex(mutex, (struct kind_of_mutex){type, PTHREAD_PRIO_INHERIT, robustness});
}

static void* count(void* mutex) {
  for (int i = 0; i < rounds; i++) {
    CHECK(pthread_mutex_lock(mutex) == 0);
    const long before = shared->counter;
    if (i % 4 == 0) usleep(1);
    shared->counter = before + 1;
    CHECK(pthread_mutex_unlock(mutex) == 0);
  }
  return NULL;
}

static void count_in_processes(pthread_mutex_t* mutex) {
  shared->counter = 0;
  for (int i = 0; i < processes; i++) {
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child) continue;
    pthread_t counting[threads];
    for (int j = 0; j < threads; j++) counting[j] = start_thread(count, mutex);
    count(mutex);
    for (int j = 0; j < threads; j++) join_thread(counting[j]);
    _exit(0);
  }
  for (int i = 0; i < processes; i++) {
    int status;
    CHECK(wait(&status) > 0);
    printf("status %d\n", status);
  }
  printf("counter %ld\n", shared->counter);
}

static void* wait_for_it(void* mutex) {
  struct timespec soon = in_milliseconds(CLOCK_REALTIME, 30), soon_too = in_milliseconds(CLOCK_MONOTONIC, 30);
  const struct timespec never = {-1, 0}, invalid = {0, 1000000000};
  SHOW_ERROR(pthread_mutex_trylock(mutex));
  SHOW_ERROR(pthread_mutex_timedlock(mutex, &soon));
  SHOW_ERROR(pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &soon_too));
  SHOW_ERROR(pthread_mutex_timedlock(mutex, &never));
  SHOW_ERROR(pthread_mutex_timedlock(mutex, &invalid));
  SHOW_ERROR(pthread_mutex_unlock(mutex));
  return NULL;
}

static void* die_holding(void* mutex) {
  CHECK(pthread_mutex_lock(mutex) == 0);
  return NULL;
}

static void* inherit(void* mutex) {
  SHOW_ERROR(pthread_mutex_lock(mutex));
  SHOW_ERROR(pthread_mutex_consistent(mutex));
  SHOW_ERROR(pthread_mutex_unlock(mutex));
  SHOW_ERROR(pthread_mutex_lock(mutex));
  SHOW_ERROR(pthread_mutex_unlock(mutex));
  return NULL;
}

int main(void) {
  shared = share(sizeof *shared);
  make(&shared->plain, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED);
  make(&shared->checking, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_STALLED);
  make(&shared->robust, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST);
  count_in_processes(&shared->plain);
  count_in_processes(&shared->robust);

  puts("-- held");
  SHOW_ERROR(pthread_mutex_lock(&shared->checking));
  SHOW_ERROR(pthread_mutex_lock(&shared->checking));
  join_thread(start_thread(wait_for_it, &shared->checking));
  SHOW_ERROR(pthread_mutex_unlock(&shared->checking));

  puts("-- its owner died");
  join_thread(start_thread(die_holding, &shared->robust));
  join_thread(start_thread(inherit, &shared->robust));
  join_thread(start_thread(die_holding, &shared->robust));
  inherit(&shared->robust);
  return success();
}
