#include "hub/thread_body.hpp"

#include <limits.h>
#include <locale.h>
#include <setjmp.h>
#include <stdlib.h>

#include "base/real.hpp"
#include "base/tcb.hpp"
#include "hub/hub.hpp"
#include "runtime.hpp"

// pthread.h declares these to C only; they are what its pthread_cleanup_push is made of.
extern "C" void __pthread_register_cancel(__pthread_unwind_buf_t* buffer);
extern "C" void __pthread_unregister_cancel(__pthread_unwind_buf_t* buffer);
extern "C" int __sigsetjmp(struct __jmp_buf_tag* environment, int save_mask) noexcept __attribute__((returns_twice));

namespace guv {

namespace keys {

namespace {

using Destructor = void (*)(void*);
constexpr int key_limit = PTHREAD_KEYS_MAX;
std::atomic<Destructor> destructors[key_limit];
std::atomic<bool> used[key_limit];
std::atomic<int> highest{-1};

}  // namespace

void created(pthread_key_t key, Destructor destructor) {
  if (key >= key_limit) return;
  destructors[key].store(destructor, std::memory_order_relaxed);
  used[key].store(true, std::memory_order_release);
  int seen = highest.load(std::memory_order_relaxed);
  while (seen < static_cast<int>(key) && !highest.compare_exchange_weak(seen, static_cast<int>(key))) {
  }
}

void deleted(pthread_key_t key) {
  if (key < key_limit) used[key].store(false, std::memory_order_release);
}

void run_destructors() {
  for (int round = 0; round < PTHREAD_DESTRUCTOR_ITERATIONS; ++round) {
    bool any = false;
    for (int key = 0; key <= highest.load(std::memory_order_relaxed); ++key) {
      if (!used[key].load(std::memory_order_acquire)) continue;
      void* value = pthread_getspecific(static_cast<pthread_key_t>(key));
      if (!value) continue;
      any = true;
      pthread_setspecific(static_cast<pthread_key_t>(key), nullptr);
      if (Destructor destructor = destructors[key].load(std::memory_order_relaxed)) destructor(value);
    }
    if (!any) return;
  }
}

}  // namespace keys

// The buffer is registered as glibc's pthread_cleanup_push does for C: forced unwinding stops at this frame and jumps.
__attribute__((noinline)) bool run_until_exit(void (*body)(void*), void* argument) {
  __pthread_unwind_buf_t buffer;
  if (__sigsetjmp(reinterpret_cast<__jmp_buf_tag*>(&buffer.__cancel_jmp_buf), 0) != 0) {
    __pthread_unregister_cancel(&buffer);
    return false;
  }
  __pthread_register_cancel(&buffer);
  body(argument);
  __pthread_unregister_cancel(&buffer);
  return true;
}

void run_thread_body(GreenThread& me) {
  const bool returned = run_until_exit(
      [](void* thread) {
        auto* green = static_cast<GreenThread*>(thread);
        green->result = green->start(green->argument);
      },
      &me);
  if (!returned && !me.by_pthread_exit) me.result = PTHREAD_CANCELED;

  if (me.at_end) me.at_end(me);
  tcb::run_thread_local_destructors();
  keys::run_destructors();
  tcb::release_robust_mutexes(me.handle, [](void* futex) { runtime().lot().unpark_all(futex); });
  uselocale(LC_GLOBAL_LOCALE);
  // The last thread of a process whose main thread has called pthread_exit ends it (pthread_exit(3)).
  if (me.hub->live() == 1) exit(0);
}

}  // namespace guv
