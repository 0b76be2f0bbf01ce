// The slow path of every lock inside libc: stdio, malloc's arenas, the resolver, atexit … A word that is 0 free, 1 held,
// 2 held and somebody waits. These two entries are patched; a green thread that meets a held lock parks.
#include <linux/futex.h>

#include "interpose.hpp"

using namespace guv;

GUV_INTERPOSE_UNDECLARED(void, __lll_lock_wait_private, (int* word)) {
  const std::atomic_ref<int> lock(*word);
  AddressWait on(word, EBUSY);
  const auto attempt = [lock](Mode) -> long { return lock.exchange(2, std::memory_order_acquire) == 0 ? 0 : EBUSY; };
  // In a critical section (a change of identity) nobody can park, and the others of this hub do not have the lock.
  if (per_thread.hub && per_thread.hub->in_critical()) {
    wait_on_kernel_thread(on, attempt, EBUSY);
  } else {
    blocking(on, attempt);
  }
}

GUV_INTERPOSE_UNDECLARED(void, __lll_lock_wake_private, (int* word)) {
  // A kernel thread may sleep in the kernel since before the entries were patched.
  if (!runtime().lot().unpark_one(word)) sys::call(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1);
}
