// A handler runs at once in a thread that waits for an object shared between processes, and the wait goes on: semaphore,
// mutex, robust mutex, read-write lock, condition variable, barrier. In
// threads beside others, and in the main thread when it is the only one. Handlers may wait there, begin threads, be interrupted,
// fork, and end the thread.
#include "shared.h"
#include <semaphore.h>
#include <signal.h>
#include <sys/wait.h>

enum { by_sem, by_mutex, by_robust, by_read, by_write, by_cond, by_cond_timed, by_barrier, ways };
static const char* const names[] = {"sem_wait", "mutex", "robust mutex", "rdlock", "wrlock", "cond_wait", "cond_timedwait", "barrier"};
static struct shared {
  pthread_mutex_t mutex, robust, of_cond;
  pthread_rwlock_t lock;
  pthread_cond_t cond;
  pthread_barrier_t barrier;
  sem_t semaphore;
  _Atomic int released, waiting, held, taken;
} * shared;
static _Atomic int ran, in_thread, back, nested;
static pthread_t waiter;

static void make(void) {
  shared = share(sizeof *shared);
  make_shared_mutex(&shared->mutex, (struct kind_of_mutex){0});
  make_shared_mutex(&shared->of_cond, (struct kind_of_mutex){0});
  make_shared_mutex(&shared->robust, (struct kind_of_mutex){.robustness = PTHREAD_MUTEX_ROBUST});
  make_shared_rwlock(&shared->lock);
  make_shared_cond(&shared->cond);
  make_shared_barrier(&shared->barrier, 2);
  CHECK(sem_init(&shared->semaphore, 1, 0) == 0);
}

static void wait_by(int way) {
  struct timespec until = in_milliseconds(CLOCK_REALTIME, 600000);
  switch (way) {
    case by_sem: while (sem_wait(&shared->semaphore) != 0) CHECK(errno == EINTR); break;
    case by_mutex: CHECK(pthread_mutex_lock(&shared->mutex) == 0 && pthread_mutex_unlock(&shared->mutex) == 0); break;
    case by_robust: CHECK(pthread_mutex_lock(&shared->robust) == 0 && pthread_mutex_unlock(&shared->robust) == 0); break;
    case by_read: CHECK(pthread_rwlock_rdlock(&shared->lock) == 0 && pthread_rwlock_unlock(&shared->lock) == 0); break;
    case by_write: CHECK(pthread_rwlock_wrlock(&shared->lock) == 0 && pthread_rwlock_unlock(&shared->lock) == 0); break;
    case by_cond:
    case by_cond_timed:
      CHECK(pthread_mutex_lock(&shared->of_cond) == 0);
      while (!shared->released) {
        CHECK((way == by_cond ? pthread_cond_wait(&shared->cond, &shared->of_cond)
                              : pthread_cond_timedwait(&shared->cond, &shared->of_cond, &until)) == 0);
      }
      CHECK(pthread_mutex_unlock(&shared->of_cond) == 0);
      break;
    default: CHECK(pthread_barrier_wait(&shared->barrier) != EINVAL);
  }
}
static void hold(int way) {
  shared->released = 0;
  if (way == by_mutex) CHECK(pthread_mutex_lock(&shared->mutex) == 0);
  if (way == by_robust) CHECK(pthread_mutex_lock(&shared->robust) == 0);
  if (way == by_read || way == by_write) CHECK(pthread_rwlock_wrlock(&shared->lock) == 0);
}
static void release(int way) {
  switch (way) {
    case by_sem: CHECK(sem_post(&shared->semaphore) == 0); break;
    case by_mutex: CHECK(pthread_mutex_unlock(&shared->mutex) == 0); break;
    case by_robust: CHECK(pthread_mutex_unlock(&shared->robust) == 0); break;
    case by_read:
    case by_write: CHECK(pthread_rwlock_unlock(&shared->lock) == 0); break;
    case by_cond:
    case by_cond_timed:
      CHECK(pthread_mutex_lock(&shared->of_cond) == 0);
      shared->released = 1;
      CHECK(pthread_cond_broadcast(&shared->cond) == 0 && pthread_mutex_unlock(&shared->of_cond) == 0);
      break;
    default: CHECK(pthread_barrier_wait(&shared->barrier) != EINVAL);
  }
}
static void pause_a_little(void) { nanosleep(&(struct timespec){0, 5000000}, NULL); }

static void handler(int number) {
  const int saved_errno = errno;
  in_thread = pthread_equal(pthread_self(), waiter);
  if (number == SIGUSR2) nested++;
  ran++;
  shared->taken++;
  errno = saved_errno;
}
static void* nothing(void* argument) { return argument; }
static void busy_handler(int number) {
  CHECK(number == SIGUSR1);
  const int before = ran;
  pause_a_little();
  CHECK(raise(SIGUSR2) == 0 && ran == before + 1);
  join_thread(start_thread(nothing, NULL));
  const pid_t child = fork();
  if (child == 0) _exit(7);
  int status;
  CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7);
}
static void handle(int number, void (*function)(int), int flags) {
  struct sigaction action = {.sa_handler = function, .sa_flags = flags};
  CHECK(sigaction(number, &action, NULL) == 0);
}

static void* work(void* argument) {
  waiter = pthread_self();
  shared->waiting = 1;
  wait_by((int)(intptr_t)argument);
  back = 1;
  return NULL;
}
static void signal_and_see(int way, int flags, int from_process) {
  hold(way);
  back = ran = nested = 0;
  shared->waiting = 0;
  handle(SIGUSR1, handler, flags);
  handle(SIGUSR2, handler, flags);
  pthread_t thread = start_thread(work, (void*)(intptr_t)way);
  while (!shared->waiting) sched_yield();
  for (int i = 1; i <= 3; i++) {
    pause_a_little();
    if (from_process) CHECK(kill(getpid(), SIGUSR1) == 0);
    else CHECK(pthread_kill(thread, SIGUSR1) == 0);
    while (ran < i) sched_yield();
    if (!from_process) CHECK(in_thread);
  }
  handle(SIGUSR1, busy_handler, flags);
  pthread_kill(thread, SIGUSR1);
  while (!nested) pause_a_little();
  pause_a_little();
  CHECK(!back);
  release(way);
  join_thread(thread);
  printf("%s: %s, ran while it waited\n", names[way], flags ? "SA_RESTART" : "no restart");
}

// Nobody else is left in the process. A child holds the object, sends, and lets go once the handler has run.
static void alone(int way) {
  shared->held = shared->waiting = shared->taken = shared->released = 0;
  waiter = pthread_self();
  handle(SIGTERM, handler, 0);
  const pid_t parent = getpid(), child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    alarm(60);  // should the parent be gone
    hold(way);
    shared->held = 1;
    while (!shared->waiting) sched_yield();
    pause_a_little();
    CHECK(kill(parent, SIGTERM) == 0);
    while (!shared->taken) pause_a_little();
    release(way);
    _exit(0);
  }
  while (!shared->held) sched_yield();
  shared->waiting = 1;
  wait_by(way);
  int status;
  while (waitpid(child, &status, 0) != child) CHECK(errno == EINTR);
  printf("%s: alone, the handler ran: %d %d\n", names[way], shared->taken, status);
}

// Two threads hand over to each other while both are sent signals all the time: no hand-over is lost.
enum { rounds = 100 };
static int turn;
static void* hand_over(void* argument) {
  const int me = (int)(intptr_t)argument;
  for (int i = 0; i < rounds; i++) {
    CHECK(pthread_mutex_lock(&shared->of_cond) == 0);
    while (turn != me) CHECK(pthread_cond_wait(&shared->cond, &shared->of_cond) == 0);
    turn = !me;
    CHECK(pthread_cond_signal(&shared->cond) == 0 && pthread_mutex_unlock(&shared->of_cond) == 0);
    pthread_barrier_wait(&shared->barrier);
  }
  back++;
  return NULL;
}
static void under_fire(void) {
  back = ran = 0;
  handle(SIGUSR1, handler, 0);
  pthread_t threads[2];
  for (intptr_t i = 0; i < 2; i++) threads[i] = start_thread(hand_over, (void*)i);
  while (back < 2) {
    for (int i = 0; i < 2; i++) pthread_kill(threads[i], SIGUSR1);
    sched_yield();
  }
  for (int i = 0; i < 2; i++) join_thread(threads[i]);
  printf("under fire: %d handed over, signals: %d\n", 2 * rounds, ran > 0);
}

// A handler that ends the thread: it leaves the wait with the mutex held.
static void unlock(void* mutex) { printf("unlocked in the end: %s\n", errno_name(pthread_mutex_unlock(mutex))); }
static void* end_in_wait(void* argument) {
  CHECK(pthread_mutex_lock(&shared->of_cond) == 0);
  shared->waiting = 1;
  pthread_cleanup_push(unlock, &shared->of_cond);
  for (;;) pthread_cond_wait(&shared->cond, &shared->of_cond);
  pthread_cleanup_pop(0);
  return argument;
}
static void exit_handler(int number) { pthread_exit((void*)(intptr_t)number); }
static void ended_by_handler(void) {
  shared->waiting = 0;
  handle(SIGUSR1, exit_handler, 0);
  pthread_t thread = start_thread(end_in_wait, NULL);
  while (!shared->waiting) sched_yield();
  CHECK(pthread_mutex_lock(&shared->of_cond) == 0);  // so it waits
  pause_a_little();
  pthread_kill(thread, SIGUSR1);
  pause_a_little();
  CHECK(pthread_mutex_unlock(&shared->of_cond) == 0);
  printf("its result: %ld\n", (long)(intptr_t)join_thread(thread));
}

int main(void) {
  make();
  for (int way = 0; way < ways; way++) {
    for (int flags = 0; flags < 2; flags++) signal_and_see(way, flags ? SA_RESTART : 0, 0);
  }
  signal_and_see(by_cond, 0, 1);
  for (int way = 0; way < ways; way++) alone(way);
  under_fire();
  ended_by_handler();
  return success();
}
