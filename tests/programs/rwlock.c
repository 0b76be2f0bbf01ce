// Readers share, writers exclude everybody; EBUSY and EDEADLK as documented.
#include "check.h"

enum { readers = 10, writers = 4, rounds = 100 };
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t together;
static int inside, writing;
static long counter;

static void* read_together(void* argument) {  // only gets through when all hold it at once
  CHECK(pthread_rwlock_rdlock(&lock) == 0);
  pthread_barrier_wait(&together);
  CHECK(pthread_rwlock_unlock(&lock) == 0);
  return argument;
}
static void* reader(void* argument) {
  for (int i = 0; i < rounds; i++) {
    CHECK(pthread_rwlock_rdlock(&lock) == 0);
    __atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);
    CHECK(!writing);
    if (i % 10 == 0) sched_yield();
    CHECK(!writing);
    __atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
    CHECK(pthread_rwlock_unlock(&lock) == 0);
  }
  return argument;
}
static void* writer(void* argument) {
  for (int i = 0; i < rounds; i++) {
    CHECK(pthread_rwlock_wrlock(&lock) == 0);
    writing = 1;
    CHECK(__atomic_load_n(&inside, __ATOMIC_SEQ_CST) == 0);
    if (i % 10 == 0) sched_yield();
    counter++;
    writing = 0;
    CHECK(pthread_rwlock_unlock(&lock) == 0);
  }
  return argument;
}
static void* try_both(void* argument) {
  int read = pthread_rwlock_tryrdlock(&lock);
  if (read == 0) pthread_rwlock_unlock(&lock);
  int write = pthread_rwlock_trywrlock(&lock);
  if (write == 0) pthread_rwlock_unlock(&lock);
  printf("another tries to read: %s, to write: %s\n", errno_name(read), errno_name(write));
  return argument;
}

int main(void) {
  pthread_t threads[readers + writers];
  pthread_barrier_init(&together, NULL, readers);
  for (int i = 0; i < readers; i++) threads[i] = start_thread(read_together, NULL);
  for (int i = 0; i < readers; i++) join_thread(threads[i]);
  for (int i = 0; i < readers + writers; i++) threads[i] = start_thread(i < readers ? reader : writer, NULL);
  for (int i = 0; i < readers + writers; i++) join_thread(threads[i]);
  printf("written %ld times\n", counter);
  join_thread(start_thread(try_both, NULL));
  SHOW_ERROR(pthread_rwlock_rdlock(&lock));
  SHOW_ERROR(pthread_rwlock_rdlock(&lock));
  join_thread(start_thread(try_both, NULL));
  SHOW_ERROR(pthread_rwlock_unlock(&lock));
  SHOW_ERROR(pthread_rwlock_unlock(&lock));
  SHOW_ERROR(pthread_rwlock_wrlock(&lock));
  SHOW_ERROR(pthread_rwlock_wrlock(&lock));
  SHOW_ERROR(pthread_rwlock_rdlock(&lock));
  join_thread(start_thread(try_both, NULL));
  SHOW_ERROR(pthread_rwlock_unlock(&lock));
  SHOW_ERROR(pthread_rwlock_destroy(&lock));
  return success();
}
