#pragma once

#include <atomic>
#include <type_traits>
#include <utility>

#include "base/list.hpp"
#include "base/spinlock.hpp"
#include "hub/green_thread.hpp"

namespace guv {

/// For calls that can only be made by blocking: the green thread itself goes, with its stack and its TCB, to a kernel
/// thread of guv's, makes the call there as it is, and comes back. errno, pthread_self and mutex ownership are right
/// because they are the thread's own. The hub goes on meanwhile.
///
/// Helpers are made on demand and leave after a while without work. Their number is bounded by `most`; beyond it calls
/// wait for a helper.
class Offload {
 public:
  /// Calls `call()` on a helper; called directly when the caller is no green thread (or no helper can be had).
  template <class Call>
  auto run(Call call) -> std::invoke_result_t<Call> {
    GreenThread* me = self();
    if (!me) return call();
    Trip trip;
    trip.thread = me;
    depart(trip);
    if constexpr (std::is_void_v<std::invoke_result_t<Call>>) {
      call();
      come_back(trip);
    } else {
      auto result = call();
      come_back(trip);
      return result;
    }
  }

  struct Trip : ListNode {
    GreenThread* thread = nullptr;
    Context* helper = nullptr;  // where the helper goes on; null: there is none, the call is made on the hub
    void (*job)(void*) = nullptr;  // instead of a thread
    void* argument = nullptr;
  };

  /// Has `job(argument)` called on a helper; `trip` must live until then. False if there are no helpers to be had.
  bool post(Trip& trip, void (*job)(void*), void* argument);

  int helpers() const { return helpers_.load(std::memory_order_relaxed); }
  int made() const { return made_; }
  void after_fork();

 private:
  static constexpr int most = 512;
  static constexpr int64_t idle_time = 5'000'000'000;
  static constexpr size_t stack_size = 256 * 1024;

  void depart(Trip& trip);
  void come_back(Trip& trip);
  void enqueue(Trip& trip);
  bool add_helper();
  static void* helper_main(void* offload);
  void serve();

  Spinlock lock_;
  List<Trip> queue_;
  int idle_ = 0;     // helpers without work
  int waiting_ = 0;  // trips in the queue
  std::atomic<int> helpers_{0};
  int made_ = 0;
  std::atomic<uint32_t> work_{0};  // helpers sleep on it
};

}  // namespace guv
