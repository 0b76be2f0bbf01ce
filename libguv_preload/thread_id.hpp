#pragma once

#include <sys/types.h>
#include <unistd.h>

#include "base/tcb.hpp"
#include "runtime.hpp"

/// What gettid() tells a green thread is a number that no kernel thread has (tcb::new_tid).
namespace guv {

/// Whether it is a green thread other than the one the process began with.
inline bool is_spawned(const GreenThread* thread) { return thread && thread->slot; }

/// The green thread that knows `tid` as its own, or null.
inline GreenThread* thread_with_tid(pid_t tid) {
  GreenThread* found = nullptr;
  if (self()) {
    runtime().hub().for_each_thread([&](GreenThread& thread) {
      if (tcb::tid_of(thread.handle) == tid) found = &thread;
    });
  }
  return found;
}

/// What the kernel shall take for `id`: for a green thread it is the hub's thread, the process's first.
inline pid_t kernel_id(pid_t id) {
  constexpr pid_t beyond_the_kernels = 1 << 28;  // see tcb::new_tid
  return id >= beyond_the_kernels && runtime_started() ? getpid() : id;
}

}  // namespace guv
