// What the servers need of guv besides guv.h: threads that run a std::function, and a lock.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "guv/deadline.hpp"
#include "guv/guv.h"

namespace guv::green {

/// Runs `body`, which must not throw, in a new green thread. Returns 0 or -errno; `*thread` gets a handle unless null.
inline int spawn(std::function<void()> body, guv_thread** thread = nullptr) {
  using Body = std::function<void()>;
  auto argument = std::make_unique<Body>(std::move(body));
  guv_task task{};
  task.argument = argument.get();
  task.run = [](void* data) -> void* {
    (*static_cast<Body*>(data))();
    return nullptr;
  };
  task.dispose = [](void* data) { delete static_cast<Body*>(data); };
  const int error = guv_spawn_task(thread, &task);
  if (error == 0) argument.release();
  return error;
}

/// A mutex that parks whoever waits, also where libc's do not.
class Lock {
 public:
  /// Waits for it. 0, or what ends waits: a kill's error, -ETIMEDOUT.
  int acquire(Deadline until) {
    int free = 0;
    if (state_.compare_exchange_strong(free, 1)) return 0;
    const auto busy = [](void* state) -> int { return static_cast<std::atomic<int>*>(state)->load() != 0; };
    while (state_.exchange(2) != 0) {
      if (const int error = guv_wait(&state_, busy, &state_, until.nanoseconds())) return error;
    }
    return 0;
  }

  /// For what is held for moments only: a kill that comes meanwhile does not end the wait, and the thread hears of it no more.
  void lock() {
    while (acquire(Deadline::never())) {
    }
  }

  void unlock() {
    if (state_.exchange(0) == 2) guv_wake(&state_, 1);
  }

 private:
  std::atomic<int> state_{0};  // 0: free, 1: taken, 2: taken, and somebody may wait
};

}  // namespace guv::green
