/// Memory that a process shares with the children it forks from then on, and locks that work in it.
#pragma once
#include "check.h"
#include <sys/mman.h>

static inline void* share(size_t size) {
  void* memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED);
  return memory;
}

/// What is not named is as by default.
struct kind_of_mutex {
  int type, protocol, robustness;
};

static inline void make_shared_mutex(pthread_mutex_t* mutex, struct kind_of_mutex kind) {
  pthread_mutexattr_t attributes;
  CHECK(pthread_mutexattr_init(&attributes) == 0);
  CHECK(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
  CHECK(pthread_mutexattr_settype(&attributes, kind.type) == 0);
  CHECK(pthread_mutexattr_setprotocol(&attributes, kind.protocol) == 0);
  CHECK(pthread_mutexattr_setrobust(&attributes, kind.robustness) == 0);
  CHECK(pthread_mutex_init(mutex, &attributes) == 0);
}

static inline void make_shared_cond(pthread_cond_t* cond) {
  pthread_condattr_t attributes;
  CHECK(pthread_condattr_init(&attributes) == 0);
  CHECK(pthread_condattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
  CHECK(pthread_cond_init(cond, &attributes) == 0);
}

static inline void make_shared_rwlock(pthread_rwlock_t* lock) {
  pthread_rwlockattr_t attributes;
  CHECK(pthread_rwlockattr_init(&attributes) == 0);
  CHECK(pthread_rwlockattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
  CHECK(pthread_rwlock_init(lock, &attributes) == 0);
}

static inline void make_shared_barrier(pthread_barrier_t* barrier, unsigned count) {
  pthread_barrierattr_t attributes;
  CHECK(pthread_barrierattr_init(&attributes) == 0);
  CHECK(pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
  CHECK(pthread_barrier_init(barrier, &attributes, count) == 0);
}
