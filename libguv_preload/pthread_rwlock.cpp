// Read-write locks: libc's own try forms and unlock; waiting on the parking lot.
#include "interpose.hpp"

namespace guv {

namespace {

constexpr uint32_t reader = 1, writer = 2;

bool shared(const pthread_rwlock_t* lock) { return lock->__data.__shared != 0; }
bool mine(const pthread_rwlock_t* lock) { return lock->__data.__cur_writer == gettid(); }

/// With PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP readers stand back for a waiting writer; libc does not know ours.
bool writer_first(pthread_rwlock_t* lock) {
  return lock->__data.__flags == PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP && runtime().lot().anybody(lock, writer);
}

int try_read(pthread_rwlock_t* lock) { return writer_first(lock) ? EBUSY : real().pthread_rwlock_tryrdlock(lock); }

/// The try forms say EBUSY where the caller has the lock for writing: EDEADLK.
template <class Try>
int lock_by(Try attempt, uint32_t tag, pthread_rwlock_t* lock, Deadline until) {
  const int result = attempt(lock);
  if (result != EBUSY) [[likely]] return result;
  if (mine(lock)) return EDEADLK;
  return static_cast<int>(blocking(AddressWait(lock, EBUSY, until, tag), [=](Mode) -> long { return attempt(lock); }));
}

int read_lock(pthread_rwlock_t* lock, Deadline until) { return lock_by(try_read, reader, lock, until); }

int write_lock(pthread_rwlock_t* lock, Deadline until) {
  const int result =
      lock_by([](pthread_rwlock_t* it) { return real().pthread_rwlock_trywrlock(it); }, writer, lock, until);
  // Readers that stood back for this writer need not any more.
  if (result == ETIMEDOUT) runtime().lot().unpark(lock, SIZE_MAX, reader);
  return result;
}

}  // namespace

}  // namespace guv

using namespace guv;

// By the patched entries comes libc's own code (setlocale, gettext). It unlocks inside libc as well, past our unlock, which
// tells nobody but the kernel; so does a process that shares the lock. Not pthread_rwlock_rdlock: that leads back here.
GUV_INTERPOSE_UNDECLARED(int, __pthread_rwlock_rdlock, (pthread_rwlock_t * lock)) {
  const int result = real().pthread_rwlock_tryrdlock(lock);
  if (result != EBUSY) return result;
  return offload_wait([=] { return real().pthread_rwlock_clockrdlock(lock, CLOCK_REALTIME, &end_of_time); });
}

GUV_INTERPOSE_UNDECLARED(int, __pthread_rwlock_wrlock, (pthread_rwlock_t * lock)) {
  const int result = real().pthread_rwlock_trywrlock(lock);
  if (result != EBUSY) return result;
  return offload_wait([=] { return real().pthread_rwlock_clockwrlock(lock, CLOCK_REALTIME, &end_of_time); });
}

GUV_INTERPOSE(int, pthread_rwlock_rdlock, (pthread_rwlock_t * lock)) {
  if (!runtime_started()) return real().pthread_rwlock_rdlock(lock);
  if (shared(lock)) return guv_wrap___pthread_rwlock_rdlock(lock);
  return read_lock(lock, Deadline::never());
}

GUV_INTERPOSE(int, pthread_rwlock_wrlock, (pthread_rwlock_t * lock)) {
  if (!runtime_started()) return real().pthread_rwlock_wrlock(lock);
  if (shared(lock)) return guv_wrap___pthread_rwlock_wrlock(lock);
  return write_lock(lock, Deadline::never());
}

// glibc checks the time before the lock.
GUV_INTERPOSE(int, pthread_rwlock_clockrdlock, (pthread_rwlock_t * lock, clockid_t clock, const timespec* until)) {
  if (!runtime_started()) return real().pthread_rwlock_clockrdlock(lock, clock, until);
  if ((clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC) || !valid(*until)) return EINVAL;
  if (shared(lock)) return offload_wait([=] { return real().pthread_rwlock_clockrdlock(lock, clock, until); });
  return read_lock(lock, Deadline::on(clock, *until));
}

GUV_INTERPOSE(int, pthread_rwlock_clockwrlock, (pthread_rwlock_t * lock, clockid_t clock, const timespec* until)) {
  if (!runtime_started()) return real().pthread_rwlock_clockwrlock(lock, clock, until);
  if ((clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC) || !valid(*until)) return EINVAL;
  if (shared(lock)) return offload_wait([=] { return real().pthread_rwlock_clockwrlock(lock, clock, until); });
  return write_lock(lock, Deadline::on(clock, *until));
}

GUV_INTERPOSE(int, pthread_rwlock_timedrdlock, (pthread_rwlock_t * lock, const timespec* until)) {
  return guv_wrap_pthread_rwlock_clockrdlock(lock, CLOCK_REALTIME, until);
}

GUV_INTERPOSE(int, pthread_rwlock_timedwrlock, (pthread_rwlock_t * lock, const timespec* until)) {
  return guv_wrap_pthread_rwlock_clockwrlock(lock, CLOCK_REALTIME, until);
}

GUV_INTERPOSE(int, pthread_rwlock_tryrdlock, (pthread_rwlock_t * lock)) {
  const int result = runtime_started() ? try_read(lock) : real().pthread_rwlock_tryrdlock(lock);
  if (result == EBUSY) count_call();
  return result;
}

GUV_INTERPOSE(int, pthread_rwlock_trywrlock, (pthread_rwlock_t * lock)) {
  const int result = real().pthread_rwlock_trywrlock(lock);
  if (result == EBUSY) count_call();
  return result;
}

GUV_INTERPOSE(int, pthread_rwlock_unlock, (pthread_rwlock_t * lock)) {
  const int result = real().pthread_rwlock_unlock(lock);
  // Who may go in is for the try forms to say: everybody who waits asks again.
  if (runtime_started()) runtime().lot().unpark_all(lock);
  return result;
}
