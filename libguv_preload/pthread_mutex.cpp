// Mutexes: the state is the pthread_mutex_t's own, changed by libc's own trylock and unlock; only the waiting is guv's.
// Plain mutexes that nobody else wants, the most frequent of all calls, are taken and released here, as libc does it.
#include <linux/futex.h>

#include "arch/context.hpp"
#include "base/tcb.hpp"
#include "interpose.hpp"
#include "libc_mutex.hpp"
#include "wait/shared_word.hpp"

namespace guv {

namespace {

// glibc's <bits/struct_mutex.h>: kind holds type, robustness, protocol and sharing.
constexpr int type_bits = 3, robust_bit = 16, inherit_bit = 32, protocol_bits = inherit_bit | 64, shared_bit = 128;

// glibc's lowlevellock.h: what the word of such a mutex says. Unlock wakes a sleeper if there may be any.
constexpr int unlocked = 0, locked = 1, locked_with_sleepers = 2;

/// PTHREAD_MUTEX_NORMAL, of this process, neither robust nor with a protocol.
bool plain(const pthread_mutex_t* mutex) { return mutex->__data.__kind == PTHREAD_MUTEX_TIMED_NP; }

/// What libc does with a plain mutex that is free; else EBUSY.
int take(pthread_mutex_t* mutex) {
  int seen = unlocked;
  if (!std::atomic_ref(mutex->__data.__lock).compare_exchange_strong(seen, locked)) return EBUSY;
  mutex->__data.__owner = tcb::tid_of(thread_pointer());
  ++mutex->__data.__nusers;
  return 0;
}

/// What libc does to unlock a plain mutex: it does not ask whose it is.
void release(pthread_mutex_t* mutex) {
  mutex->__data.__owner = 0;
  --mutex->__data.__nusers;
  if (std::atomic_ref(mutex->__data.__lock).exchange(unlocked) == locked_with_sleepers) [[unlikely]] {
    sys::call(SYS_futex, &mutex->__data.__lock, FUTEX_WAKE_PRIVATE, 1);
  }
}

bool shared(const pthread_mutex_t* mutex) { return mutex->__data.__kind & shared_bit; }

/// trylock says EBUSY where lock says EDEADLK: an error-checking mutex that is the caller's already.
bool would_deadlock(pthread_mutex_t* mutex) {
  return (mutex->__data.__kind & type_bits) == PTHREAD_MUTEX_ERRORCHECK_NP && mutex->__data.__owner == gettid();
}

/// A time before 1970 has passed; to the kernel, which waits for a priority-inheritance mutex, it is an error.
bool valid_for(const pthread_mutex_t* mutex, const timespec& until) {
  return valid(until) && (until.tv_sec >= 0 || !(mutex->__data.__kind & inherit_bit));
}

/// libc's trylock. In it the kernel gives a priority-inheritance mutex whose owner has died to the calling kernel thread; it
/// shall be the calling green thread's.
int try_lock(pthread_mutex_t* mutex) {
  const int result = real().pthread_mutex_trylock(mutex);
  if (result == EOWNERDEAD && mutex->__data.__kind & inherit_bit) {
    const std::atomic_ref<int> word(mutex->__data.__lock);
    int seen = word.load();
    while (!word.compare_exchange_weak(seen, (seen & ~FUTEX_TID_MASK) | tcb::tid_of(thread_pointer()))) {
    }
  }
  return result;
}

/// glibc's trylock leaves a mutex that is not recoverable locked (its lock does not); the next one shall hear of it too.
void let_go_unrecoverable(pthread_mutex_t* mutex) {
  const std::atomic_ref<int> word(mutex->__data.__lock);
  if ((word.load() & FUTEX_TID_MASK) == gettid()) word.store(0);
  runtime().lot().unpark_all(mutex);
}

int lock(pthread_mutex_t* mutex, Deadline until) {
  if (would_deadlock(mutex)) return EDEADLK;
  const long result = blocking(AddressWait(mutex, EBUSY, until), [=](Mode) -> long { return try_lock(mutex); });
  if (result == ENOTRECOVERABLE) let_go_unrecoverable(mutex);
  return static_cast<int>(result);
}

/// Nobody can wait for a priority-inheritance mutex of several processes but in the kernel, which would make it the
/// helper's for good. So it is tried again and again, less often the longer it takes; who unlocks it in this process wakes
/// the next one at once. All threads try at the same moments, so that a crowd wakes the hub no more often than one does.
int lock_shared_inheriting(pthread_mutex_t* mutex, Deadline until) {
  constexpr int64_t longest_pause = 1 << 24;  // nanoseconds
  int64_t pause = 1 << 20;
  const int64_t begin = now();
  for (;;) {
    const int64_t current = now();
    if (pause < longest_pause && current - begin > 8 * pause) pause *= 2;
    const auto next = Deadline::at((current / pause + 1) * pause);
    const int result = lock(mutex, std::min(until, next));
    if (result != ETIMEDOUT || until.passed()) return result;
  }
}

int lock_shared(pthread_mutex_t* mutex, clockid_t clock, const timespec* until) {
  if (would_deadlock(mutex)) return EDEADLK;
  if (!valid_for(mutex, *until)) return EINVAL;
  if (mutex->__data.__kind & inherit_bit) return lock_shared_inheriting(mutex, Deadline::on(clock, *until));
  if (!self() || mutex->__data.__kind & (robust_bit | protocol_bits)) {
    return offload_wait([=] { return real().pthread_mutex_clocklock(mutex, clock, until); });
  }
  const std::atomic_ref<int> word(mutex->__data.__lock);
  const auto announce_sleepers = [&] {
    int seen = locked;
    word.compare_exchange_strong(seen, locked_with_sleepers);
  };
  SharedWordWait on(reinterpret_cast<uint32_t*>(&mutex->__data.__lock), EBUSY, OnHandler::go_on, clock, until);
  on.cancellation_point = false;
  bool slept = false;
  const long result = blocking(on, [&](Mode mode) -> long {
    if (mode == Mode::attempt) return -real().pthread_mutex_trylock(mutex);
    slept = true;
    announce_sleepers();
    return on.sleep(locked_with_sleepers);
  });
  if (result == 0 && slept) announce_sleepers();  // the others
  return static_cast<int>(-result);
}

__attribute__((noinline)) int lock_slowly(pthread_mutex_t* mutex, int result) {
  if (result == ENOTRECOVERABLE) let_go_unrecoverable(mutex);
  if (result != EBUSY) return result;
  if (shared(mutex)) {
    // Not pthread_mutex_lock: its entry leads back here once libc is patched.
    return lock_shared(mutex, CLOCK_REALTIME, &end_of_time);
  }
  return is_libc_mutex(mutex) ? lock_libc_mutex(mutex) : lock(mutex, Deadline::never());
}

}  // namespace

}  // namespace guv

using namespace guv;

GUV_INTERPOSE(int, pthread_mutex_lock, (pthread_mutex_t * mutex)) {
  if (!runtime_started()) [[unlikely]] return real().pthread_mutex_lock(mutex);
  const int result = plain(mutex) ? take(mutex) : try_lock(mutex);
  return result == 0 ? 0 : lock_slowly(mutex, result);
}

GUV_INTERPOSE(int, pthread_mutex_trylock, (pthread_mutex_t * mutex)) {
  const int result = try_lock(mutex);
  if (result == EBUSY) count_call();
  return result;
}

GUV_INTERPOSE(int, pthread_mutex_clocklock, (pthread_mutex_t * mutex, clockid_t clock, const timespec* until)) {
  if (!runtime_started()) return real().pthread_mutex_clocklock(mutex, clock, until);
  const int result = try_lock(mutex);
  if (result != EBUSY) return result;
  if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC) return EINVAL;
  if (shared(mutex)) return lock_shared(mutex, clock, until);
  if (would_deadlock(mutex)) return EDEADLK;
  if (!valid_for(mutex, *until)) return EINVAL;
  return lock(mutex, Deadline::on(clock, *until));
}

GUV_INTERPOSE(int, pthread_mutex_timedlock, (pthread_mutex_t * mutex, const timespec* until)) {
  return guv_wrap_pthread_mutex_clocklock(mutex, CLOCK_REALTIME, until);
}

GUV_INTERPOSE(int, pthread_mutex_unlock, (pthread_mutex_t * mutex)) {
  if (!runtime_started()) [[unlikely]] return real().pthread_mutex_unlock(mutex);
  if (plain(mutex)) {
    release(mutex);
  } else if (const int error = real_functions.pthread_mutex_unlock(mutex)) [[unlikely]] {
    return error;  // it stays locked
  }
  runtime().lot().pass_on(mutex);
  return 0;
}
