// A thread that makes all or most calls while it has the lock, and wants it again at once, does not keep it from the others.
#include "check.h"
#include <linux/futex.h>
#include <semaphore.h>
#include <sys/syscall.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static sem_t semaphore;
static int ends[2];
static _Atomic int stop;

static void call(void) {
  char byte;
  CHECK(write(ends[1], "x", 1) == 1 && read(ends[0], &byte, 1) == 1);
}

/// The lock of Rust and others: 0 free, 1 held, 2 held and perhaps waited for.
static int word;
static void lock_word(void) {
  int seen = 0;
  if (__atomic_compare_exchange_n(&word, &seen, 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) return;
  while (__atomic_exchange_n(&word, 2, __ATOMIC_SEQ_CST) != 0) syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 2, NULL);
}
static void unlock_word(void) {
  if (__atomic_exchange_n(&word, 0, __ATOMIC_SEQ_CST) == 2) syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1);
}

static void* hog_word(void* argument) {
  while (!stop) {
    lock_word();
    call();
    unlock_word();
  }
  return argument;
}

static void* hog_mutex(void* argument) {
  while (!stop) {
    pthread_mutex_lock(&mutex);
    call();
    pthread_mutex_unlock(&mutex);
  }
  return argument;
}

/// The lock of Python. Its hog makes most calls with it, and one without.
static pthread_cond_t released = PTHREAD_COND_INITIALIZER;
static int taken;
static void lock_flag(void) {
  pthread_mutex_lock(&mutex);
  while (taken) pthread_cond_wait(&released, &mutex);
  taken = 1;
  pthread_mutex_unlock(&mutex);
}
static void unlock_flag(void) {
  pthread_mutex_lock(&mutex);
  taken = 0;
  pthread_cond_signal(&released);
  pthread_mutex_unlock(&mutex);
}

static sem_t never;
static void* hog_flag(void* argument) {
  while (!stop) {
    lock_flag();
    for (int i = 0; i < 31; i++) CHECK(sem_trywait(&never) == -1);
    unlock_flag();
    CHECK(sem_trywait(&never) == -1);
  }
  return argument;
}

static void* hog_semaphore(void* argument) {
  while (!stop) {
    CHECK(sem_wait(&semaphore) == 0);
    call();
    CHECK(sem_post(&semaphore) == 0);
  }
  return argument;
}

int main(void) {
  CHECK(pipe(ends) == 0 && sem_init(&semaphore, 0, 1) == 0);
  pthread_t hog = start_thread(hog_mutex, NULL);
  for (int i = 0; i < 100; i++) {
    pthread_mutex_lock(&mutex);
    call();
    pthread_mutex_unlock(&mutex);
    sched_yield();
  }
  stop = 1;
  join_thread(hog);
  puts("mutex");
  stop = 0;
  hog = start_thread(hog_semaphore, NULL);
  for (int i = 0; i < 100; i++) {
    CHECK(sem_wait(&semaphore) == 0);
    call();
    CHECK(sem_post(&semaphore) == 0);
    sched_yield();
  }
  stop = 1;
  join_thread(hog);
  puts("semaphore");
  stop = 0;
  hog = start_thread(hog_word, NULL);
  for (int i = 0; i < 10; i++) {
    lock_word();
    call();
    unlock_word();
    sched_yield();
  }
  stop = 1;
  join_thread(hog);
  puts("futex");
  stop = 0;
  CHECK(sem_init(&never, 0, 0) == 0);
  hog = start_thread(hog_flag, NULL);
  for (int i = 0; i < 10; i++) {
    lock_flag();
    unlock_flag();
    sched_yield();
  }
  stop = 1;
  join_thread(hog);
  puts("condition variable");
  return success();
}
