// Unnamed semaphores: counts, ping-pong, limits, timed waits.
#include "check.h"
#include <limits.h>
#include <semaphore.h>

static sem_t ping, pong, slots;
static int inside, most;
static void* play(void* argument) {
  for (int i = 0; i < 1000; i++) sem_wait(&ping), sem_post(&pong);
  return argument;
}
static void* enter(void* argument) {
  for (int i = 0; i < 20; i++) {
    sem_wait(&slots);
    int now = __atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);
    if (now > most) most = now;
    CHECK(now <= 3);
    sched_yield();
    __atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
    sem_post(&slots);
  }
  return argument;
}

int main(void) {
  int value;
  sem_t semaphore;
  SHOW(sem_init(&semaphore, 0, 2));
  SHOW(sem_init(&ping, 0, (unsigned)SEM_VALUE_MAX + 1u));
  SHOW(sem_trywait(&semaphore));
  SHOW(sem_wait(&semaphore));
  SHOW(sem_trywait(&semaphore));
  SHOW(sem_post(&semaphore));
  CHECK(sem_getvalue(&semaphore, &value) == 0);
  printf("value %d\n", value);
  sem_wait(&semaphore);
  double began = seconds_now();
  struct timespec until = in_milliseconds(CLOCK_REALTIME, 50);
  SHOW(sem_timedwait(&semaphore, &until));
  CHECK_TOOK(began, 50);
  until = in_milliseconds(CLOCK_MONOTONIC, 50);
  SHOW(sem_clockwait(&semaphore, CLOCK_MONOTONIC, &until));
  until.tv_nsec = -5;
  SHOW(sem_timedwait(&semaphore, &until));
  SHOW(sem_post(&semaphore));
  SHOW(sem_timedwait(&semaphore, &until));
  SHOW(sem_destroy(&semaphore));
  sem_init(&semaphore, 0, SEM_VALUE_MAX);
  SHOW(sem_post(&semaphore));

  sem_init(&ping, 0, 0);
  sem_init(&pong, 0, 0);
  pthread_t player = start_thread(play, NULL);
  for (int i = 0; i < 1000; i++) sem_post(&ping), sem_wait(&pong);
  join_thread(player);

  sem_init(&slots, 0, 3);
  pthread_t threads[30];
  for (int i = 0; i < 30; i++) threads[i] = start_thread(enter, NULL);
  for (int i = 0; i < 30; i++) join_thread(threads[i]);
  CHECK(most >= 1 && inside == 0);

  // Also when it need not wait.
  until.tv_nsec = 1000000000;
  SHOW(sem_timedwait(&slots, &until));
  SHOW(sem_clockwait(&slots, CLOCK_MONOTONIC, &until));
  return success();
}
