#pragma once

#include <atomic>
#include <type_traits>
#include <utility>

#include "base/list.hpp"
#include "base/spinlock.hpp"
#include "hub/deadlines.hpp"
#include "hub/green_thread.hpp"

namespace guv {

/// What a signal does to a call on a helper.
enum class OnSignal : uint8_t {
  wait,   // nothing: handlers run when the call returns
  visit,  // the thread visits its hub in the midst of the call, and its handlers run there: one of libc's functions that
          // goes on after a handler
  end,    // it ends with EINTR, and the caller sees to the rest: a system call
};

/// What reaches a thread that is away on a helper. A cancellation ends a system call with EINTR, too; libc's functions unwind
/// by libc's own signal. A system call is never sent both: the kernel may take them together, and the call would start again
/// as libc's signal asks.
struct Reach {
  OnSignal on_signal = OnSignal::wait;
  bool cancellation = false;
};

struct Helper {
  Context context;
  int tid;
};

/// One call made on a helper; or a job of the hub's own for one.
struct Trip : ListNode {
  GreenThread* thread = nullptr;
  Helper* helper = nullptr;  // null: there is none, the call is made on the hub
  bool called_back = false;  // nobody has taken it: the thread shall make a helper, and leave again
  Reach reach;
  bool under_way = false;    // on the helper, with its own TCB: what is sent to the helper's thread id is the thread's
  bool in_call = false;      // and nothing of guv's own is interrupted
  bool reached = false;      // and something was sent
  int64_t patience = 500'000;
  void (*job)(void*) = nullptr;  // instead of a thread
  void* argument = nullptr;
};

/// For calls that can only be made by blocking: the green thread itself goes, with its stack and its TCB, to a kernel
/// thread of guv's, makes the call there as it is, and comes back. errno, pthread_self and mutex ownership are right
/// because they are the thread's own. The hub goes on meanwhile.
///
/// A signal or a cancellation for a thread that is away reaches it as `Reach` says.
///
/// Helpers are made on demand and leave after a while without work, but not before the processes that they have
/// started have ended. The first few are made at once; one more every other millisecond while those at work will not soon
/// have taken all who wait. So a crowd with short calls makes few, and calls that wait for each other all get one. Their
/// number is bounded by `most`; beyond it calls wait for a helper.
class Offload {
 public:
  /// Calls `call()` on a helper; called directly when the caller is no green thread or makes a helper itself, and as
  /// natively, on the hub, when there is none to be had.
  template <class Call>
  auto run(Call call, Reach reach = {}) -> std::invoke_result_t<Call> {
    GreenThread* me = self();
    if (!me || me->makes_helper) return call();
    Trip trip;
    trip.thread = me;
    trip.reach = reach;
    const Away away(*this, trip);
    return call();
  }

  /// In the midst of a call that is made on a helper: calls `call()` on the thread's hub, and goes to a helper again.
  template <class Call>
  auto at_home(Call call) -> std::invoke_result_t<Call> {
    GreenThread* me = per_thread.owner;
    if (!me || self() || !me->trip) return call();
    const AtHome at_home(*this, *me->trip);
    return call();
  }

  /// Ends the call that `thread` is away for, if it can be ended. The helper may be just about to make the call: to be
  /// done again after so many nanoseconds if the thread is not back by then; 0: no use. By the hub.
  int64_t reach(GreenThread& thread);

  /// On a helper, in the handler of what `reach` sends: the thread runs its handlers on its hub, if its call allows it, and
  /// returns on a helper, perhaps another. False if there was none left: on the hub, as a kernel thread.
  bool visit_home();

  /// Has `job(argument)` called on a helper; `trip` must live until then. Called here, with `trip.helper` null, if there
  /// is no helper to be had: at once, and then the result is false, or when helpers are renewed.
  bool post(Trip& trip, void (*job)(void*), void* argument);

  /// Something has changed that each kernel thread has to itself (capabilities, namespaces, filters …): helpers made before
  /// take no more calls, and new ones inherit it. By the hub's kernel thread, which has the new state.
  void renew();

  int helpers() const { return helpers_.load(std::memory_order_relaxed); }
  int made() const { return made_; }
  void after_fork();

 private:
  static constexpr int most = 512, at_once = 8;
  static constexpr int64_t growth_interval = 2'000'000, refused_interval = 100'000'000;
  static constexpr int soon = 4;  // growth intervals
  static constexpr int64_t longest_patience = 100'000'000;
  static constexpr int64_t idle_time = 5'000'000'000;
  static constexpr size_t stack_size = 256 * 1024;

  /// However the call ends: libc unwinds when it is cancelled.
  class Away {
   public:
    Away(Offload& offload, Trip& trip);
    ~Away() noexcept(false);
    Away(const Away&) = delete;
    Away& operator=(const Away&) = delete;

   private:
    Offload& offload_;
    Trip& trip_;
  };

  /// In the midst of a call. What is called there may unwind: what libc then does for the call it does on a helper again.
  class AtHome {
   public:
    AtHome(Offload& offload, Trip& trip) : offload_(offload), trip_(trip) { offload_.come_back(trip_); }
    ~AtHome() noexcept(false) { offload_.depart(trip_); }
    AtHome(const AtHome&) = delete;
    AtHome& operator=(const AtHome&) = delete;

   private:
    Offload& offload_;
    Trip& trip_;
  };

  static bool may_visit(const GreenThread& me);
  void depart(Trip& trip);
  void leave_hub(Trip& trip);
  /// What the call has raised by itself is the result, a bit each.
  uint64_t come_back(Trip& trip);
  void enqueue(Trip& trip);
  static void give_back(Trip& trip);  // to the hub
  void refuse_all();                  // for there are no helpers
  bool add_helper();
  bool wants_helper(int limit);
  bool make_helper(GreenThread& me, int limit);
  void expect_trip(GreenThread& me, int limit);
  void expect_growth();
  void grow();
  static void* helper_main(void* generation);
  void serve(uintptr_t generation);

  Spinlock lock_;
  List<Trip> queue_;
  uintptr_t generation_ = 0;  // of the helpers that take work
  int idle_ = 0;              // those of them without any, including who has not begun
  int waiting_ = 0;           // trips in the queue and expected there
  std::atomic<int> helpers_{0};  // of that generation
  int made_ = 0;
  std::atomic<uint32_t> work_{0};  // helpers sleep on it
  Timer growth_;                   // on while there are more who wait than helpers without work
  bool refused_ = false;           // the last helper that was to be made: there is no kernel thread to be had
  int taken_ = 0;                  // from the queue since growth was last thought of
};

}  // namespace guv
