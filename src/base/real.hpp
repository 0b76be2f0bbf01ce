#pragma once

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <threads.h>

namespace guv {

// Functions of libc that guv needs as they are and that are more than a system call. (For I/O see base/sys.hpp.)
// clang-format off
#define GUV_REAL_FUNCTIONS(X)                                                                                          \
  X(pthread_create) X(pthread_join) X(pthread_detach) X(pthread_exit) X(pthread_cancel) X(pthread_kill)                \
  X(pthread_tryjoin_np) X(pthread_timedjoin_np) X(pthread_clockjoin_np) X(pthread_getattr_np)                          \
  X(pthread_setname_np) X(pthread_getname_np) X(pthread_setaffinity_np) X(pthread_getaffinity_np)                      \
  X(pthread_getschedparam) X(pthread_setschedparam) X(pthread_setschedprio) X(pthread_getcpuclockid)                   \
  X(pthread_sigqueue) X(pthread_mutex_lock) X(pthread_mutex_trylock) X(pthread_mutex_timedlock)                        \
  X(pthread_mutex_clocklock) X(pthread_mutex_unlock) X(pthread_cond_wait) X(pthread_cond_timedwait)                    \
  X(pthread_cond_clockwait) X(pthread_cond_signal) X(pthread_cond_broadcast) X(pthread_rwlock_rdlock)                  \
  X(pthread_rwlock_wrlock) X(pthread_rwlock_tryrdlock) X(pthread_rwlock_trywrlock) X(pthread_rwlock_clockrdlock)       \
  X(pthread_rwlock_clockwrlock) X(pthread_rwlock_unlock) X(pthread_barrier_init) X(pthread_barrier_wait)               \
  X(pthread_barrier_destroy) X(pthread_spin_trylock) X(pthread_key_create) X(pthread_key_delete)                       \
  X(pthread_setcanceltype) X(pthread_setcancelstate) X(sem_init) X(sem_wait) X(sem_trywait) X(sem_timedwait)           \
  X(sem_clockwait) X(sem_post) X(sigaction) X(sigaltstack) X(raise)
// clang-format on

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"
struct Real {
#define GUV_MEMBER(name) decltype(&::name) name;
  GUV_REAL_FUNCTIONS(GUV_MEMBER)
#undef GUV_MEMBER
};
#pragma GCC diagnostic pop

extern __attribute__((visibility("hidden"))) Real real_functions;
extern __attribute__((visibility("hidden"))) bool real_resolved;
void resolve_real();

/// libc's own functions, found behind guv in the search order. May be called before guv's constructor ran.
inline const Real& real() {
  if (!real_resolved) [[unlikely]]
    resolve_real();
  return real_functions;
}

/// A function of libc (or of whoever comes behind guv) that is needed in one place only.
void* next_symbol_address(const char* name);
template <class Function>
Function next_symbol(const char* name) {
  return reinterpret_cast<Function>(next_symbol_address(name));
}

}  // namespace guv
