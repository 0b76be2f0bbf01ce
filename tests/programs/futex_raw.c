// syscall(SYS_futex): wait and wake, as C++'s atomic::wait, Rust's std and databases use it.
#include "check.h"
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>

static int word, ready, woken, through;
static long futex(int* address, int operation, int value, const struct timespec* timeout, int* second, int bits) {
  return syscall(SYS_futex, address, operation, value, timeout, second, bits);
}
static void* wait_for_change(void* argument) {
  int operation = argument ? FUTEX_WAIT_BITSET_PRIVATE : FUTEX_WAIT_PRIVATE;
  __atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
  while (__atomic_load_n(&word, __ATOMIC_SEQ_CST) == 0) {
    long result = futex(&word, operation, 0, NULL, NULL, FUTEX_BITSET_MATCH_ANY);
    CHECK(result == 0 || errno == EAGAIN || errno == EINTR);
  }
  __atomic_add_fetch(&through, 1, __ATOMIC_SEQ_CST);
  return NULL;
}

int main(void) {
  pthread_t threads[10];
  for (intptr_t i = 0; i < 10; i++) threads[i] = start_thread(wait_for_change, (void*)(i % 2));
  while (__atomic_load_n(&ready, __ATOMIC_SEQ_CST) < 10) sched_yield();
  while (woken < 3) {  // single wake-ups: each of these waits again
    woken += (int)futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    sched_yield();
  }
  printf("woken one by one: %d, through: %d\n", woken, through);
  __atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
  futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
  for (int i = 0; i < 10; i++) join_thread(threads[i]);
  printf("through: %d\n", through);

  SHOW(futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0));
  SHOW(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
  struct timespec relative = {0, 40000000};
  double began = seconds_now();
  SHOW(futex(&word, FUTEX_WAIT_PRIVATE, 1, &relative, NULL, 0));
  CHECK_TOOK(began, 40);
  struct timespec until = in_milliseconds(CLOCK_MONOTONIC, 40);
  began = seconds_now();
  SHOW(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 1, &until, NULL, FUTEX_BITSET_MATCH_ANY));
  CHECK_TOOK(began, 40);
  until = in_milliseconds(CLOCK_REALTIME, 40);
  SHOW(futex(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 1, &until, NULL, FUTEX_BITSET_MATCH_ANY));
  SHOW(futex(&word, FUTEX_WAIT, 1, &relative, NULL, 0));
  relative.tv_nsec = -1;
  SHOW(futex(&word, FUTEX_WAIT_PRIVATE, 1, &relative, NULL, 0));
  SHOW(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 1, NULL, NULL, 0));
  return success();
}
