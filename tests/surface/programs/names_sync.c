// Locks, threads and sleep by their other names.
#include "by_name.h"

#include <threads.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static mtx_t plain;
static cnd_t condition;
static tss_t slot;
static pthread_key_t key;
static _Atomic int waiting, passed, once_count, destroyed;
static int word;
static int told;

static void* lock_mutex(void* unused) {
  (void)unused;
  waiting++;
  CHECK(BY_NAME(__pthread_mutex_lock, pthread_mutex_lock)(&mutex) == 0);
  passed++;
  CHECK(BY_NAME(__pthread_mutex_unlock, pthread_mutex_unlock)(&mutex) == 0);
  return NULL;
}

static void* read_lock(void* unused) {
  (void)unused;
  waiting++;
  CHECK(BY_NAME(__pthread_rwlock_rdlock, pthread_rwlock_rdlock)(&rwlock) == 0);
  passed++;
  CHECK(BY_NAME(__pthread_rwlock_unlock, pthread_rwlock_unlock)(&rwlock) == 0);
  return NULL;
}

static void* write_lock(void* unused) {
  (void)unused;
  waiting++;
  CHECK(BY_NAME(__pthread_rwlock_wrlock, pthread_rwlock_wrlock)(&rwlock) == 0);
  passed++;
  CHECK(BY_NAME(__pthread_rwlock_unlock, pthread_rwlock_unlock)(&rwlock) == 0);
  return NULL;
}

static void slow(void) {
  for (int i = 0; i < 100; i++) sched_yield();
  once_count++;
}
static void* run_once(void* unused) {
  (void)unused;
  CHECK(BY_NAME(__pthread_once, pthread_once)(&once, slow) == 0);
  CHECK(once_count == 1);
  return NULL;
}

void wait_private(int*);
static void* lock_libc(void* unused) {
  (void)unused;
  void (*wait)(int*) = BY_NAME(__lll_lock_wait_private, wait_private);
  waiting++;
  wait(&word);
  passed++;
  return NULL;
}

static void* c11_waiter(void* unused) {
  (void)unused;
  CHECK(mtx_lock(&plain) == thrd_success);
  waiting++;
  while (!told) CHECK(cnd_wait(&condition, &plain) == thrd_success);
  mtx_unlock(&plain);
  passed++;
  return NULL;
}

static void count_destruction(void* value) {
  (void)value;
  destroyed++;
}
static void* set_values(void* unused) {
  (void)unused;
  CHECK(pthread_setspecific(key, &key) == 0);
  CHECK(tss_set(slot, &slot) == thrd_success);
  return NULL;
}

#define HELD_UP(run, release)                  \
  do {                                         \
    waiting = passed = 0;                      \
    pthread_t thread = start_thread(run, NULL); \
    CHECK(SOON(waiting));                      \
    let_others_run();                          \
    CHECK(!passed);                            \
    release;                                   \
    join_thread(thread);                       \
    CHECK(passed);                             \
    puts(#run);                                \
  } while (0)

static void free_word(void) {
  void (*wake)(int*) = BY_NAME(__lll_lock_wake_private, wait_private);
  __atomic_exchange_n(&word, 0, __ATOMIC_SEQ_CST);
  wake(&word);
}

static void tell(void) {
  mtx_lock(&plain);
  told = 1;
  mtx_unlock(&plain);
  CHECK(cnd_signal(&condition) == thrd_success);
}

int main(void) {
  join_thread(start_thread(run_once, NULL));
  pthread_t both[2] = {start_thread(run_once, NULL), start_thread(run_once, NULL)};
  for (int i = 0; i < 2; i++) join_thread(both[i]);

  CHECK(BY_NAME(__pthread_mutex_trylock, pthread_mutex_trylock)(&mutex) == 0);
  CHECK(BY_NAME(__pthread_mutex_trylock, pthread_mutex_trylock)(&mutex) == EBUSY);
  HELD_UP(lock_mutex, CHECK(BY_NAME(__pthread_mutex_unlock, pthread_mutex_unlock)(&mutex) == 0));

  CHECK(BY_NAME(__pthread_rwlock_trywrlock, pthread_rwlock_trywrlock)(&rwlock) == 0);
  CHECK(BY_NAME(__pthread_rwlock_tryrdlock, pthread_rwlock_tryrdlock)(&rwlock) == EBUSY);
  HELD_UP(read_lock, pthread_rwlock_unlock(&rwlock));
  CHECK(BY_NAME(__pthread_rwlock_tryrdlock, pthread_rwlock_tryrdlock)(&rwlock) == 0);
  HELD_UP(write_lock, pthread_rwlock_unlock(&rwlock));

  word = 1;
  HELD_UP(lock_libc, free_word());

  CHECK(mtx_init(&plain, mtx_timed) == thrd_success && cnd_init(&condition) == thrd_success);
  HELD_UP(c11_waiter, tell());
  CHECK(mtx_lock(&plain) == thrd_success);
  struct timespec until = in_milliseconds(CLOCK_REALTIME, 20);
  double began = seconds_now();
  CHECK(mtx_timedlock(&plain, &until) == thrd_timedout);
  CHECK_TOOK(began, 20);
  mtx_unlock(&plain);

  CHECK(BY_NAME(__pthread_key_create, pthread_key_create)(&key, count_destruction) == 0);
  CHECK(tss_create(&slot, count_destruction) == thrd_success);
  join_thread(start_thread(set_values, NULL));
  CHECK(destroyed == 2);
  tss_delete(slot);
  join_thread(start_thread(run_once, NULL));

  int (*yields[])(void) = {BY_NAME(__sched_yield, sched_yield), BY_NAME(pthread_yield, sched_yield)};
  for (int i = 0; i < 2; i++) {
    if (yields[i]) CHECK(yields[i]() == 0);
  }
  const struct timespec moment = {0, 5000000};
  began = seconds_now();
  CHECK(BY_NAME(__nanosleep, nanosleep)(&moment, NULL) == 0);
  CHECK_TOOK(began, 5);
  return success();
}
