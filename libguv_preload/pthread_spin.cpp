// Spin locks: the owner may be a green thread of the same hub, which never runs while we spin. So: try, then yield.
#include "interpose.hpp"

using namespace guv;

GUV_INTERPOSE(int, pthread_spin_trylock, (pthread_spinlock_t * lock)) {
  const int result = real().pthread_spin_trylock(lock);
  if (result == EBUSY) count_call();
  return result;
}

GUV_INTERPOSE(int, pthread_spin_lock, (pthread_spinlock_t * lock)) {
  while (guv_wrap_pthread_spin_trylock(lock) != 0) sched_yield();
  return 0;
}
