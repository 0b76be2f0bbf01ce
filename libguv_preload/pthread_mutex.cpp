// Mutexes: the state is the pthread_mutex_t's own, changed by libc's own trylock and unlock; only the waiting is guv's.
#include <linux/futex.h>

#include "interpose.hpp"
#include "libc_mutex.hpp"

namespace guv {

namespace {

// glibc's <bits/struct_mutex.h>: kind holds type, robustness, protocol and sharing.
constexpr int type_bits = 3, shared_bit = 128;

bool shared(const pthread_mutex_t* mutex) { return mutex->__data.__kind & shared_bit; }

/// trylock says EBUSY where lock says EDEADLK: an error-checking mutex that is the caller's already.
bool would_deadlock(pthread_mutex_t* mutex) {
  return (mutex->__data.__kind & type_bits) == PTHREAD_MUTEX_ERRORCHECK_NP && mutex->__data.__owner == gettid();
}

/// glibc's trylock leaves a mutex that is not recoverable locked (its lock does not); the next one shall hear of it too.
void let_go_unrecoverable(pthread_mutex_t* mutex) {
  const std::atomic_ref<int> word(mutex->__data.__lock);
  if ((word.load() & FUTEX_TID_MASK) == gettid()) word.store(0);
  runtime().lot().unpark_all(mutex);
}

int lock(pthread_mutex_t* mutex, Deadline until) {
  if (would_deadlock(mutex)) return EDEADLK;
  const long result =
      blocking(AddressWait(mutex, EBUSY, until), [=](Mode) -> long { return real().pthread_mutex_trylock(mutex); });
  if (result == ENOTRECOVERABLE) let_go_unrecoverable(mutex);
  return static_cast<int>(result);
}

__attribute__((noinline)) int lock_slowly(pthread_mutex_t* mutex, int result) {
  if (result == ENOTRECOVERABLE) let_go_unrecoverable(mutex);
  if (result != EBUSY) return result;
  if (shared(mutex)) {
    // Not pthread_mutex_lock: its entry leads back here once libc is patched.
    constexpr timespec end_of_time{time_t{1} << 40, 0};
    return offload([=] { return real().pthread_mutex_timedlock(mutex, &end_of_time); });
  }
  return is_libc_mutex(mutex) ? lock_libc_mutex(mutex) : lock(mutex, Deadline::never());
}

}  // namespace

}  // namespace guv

using namespace guv;

GUV_INTERPOSE(int, pthread_mutex_lock, (pthread_mutex_t * mutex)) {
  if (!runtime_started()) [[unlikely]] return real().pthread_mutex_lock(mutex);
  const int result = real_functions.pthread_mutex_trylock(mutex);  // resolved: the runtime has started
  return result == 0 ? 0 : lock_slowly(mutex, result);
}

GUV_INTERPOSE(int, pthread_mutex_trylock, (pthread_mutex_t * mutex)) {
  const int result = real().pthread_mutex_trylock(mutex);
  if (result == EBUSY) count_call();
  return result;
}

GUV_INTERPOSE(int, pthread_mutex_clocklock, (pthread_mutex_t * mutex, clockid_t clock, const timespec* until)) {
  if (!runtime_started()) return real().pthread_mutex_clocklock(mutex, clock, until);
  const int result = real().pthread_mutex_trylock(mutex);
  if (result != EBUSY) return result;
  if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC) return EINVAL;
  if (shared(mutex)) return offload([=] { return real().pthread_mutex_clocklock(mutex, clock, until); });
  if (would_deadlock(mutex)) return EDEADLK;
  if (!valid(*until)) return EINVAL;
  return lock(mutex, Deadline::on(clock, *until));
}

GUV_INTERPOSE(int, pthread_mutex_timedlock, (pthread_mutex_t * mutex, const timespec* until)) {
  return guv_wrap_pthread_mutex_clocklock(mutex, CLOCK_REALTIME, until);
}

GUV_INTERPOSE(int, pthread_mutex_unlock, (pthread_mutex_t * mutex)) {
  if (!runtime_started()) [[unlikely]] return real().pthread_mutex_unlock(mutex);
  const int result = real_functions.pthread_mutex_unlock(mutex);
  runtime().lot().unpark(mutex, 1);
  return result;
}
