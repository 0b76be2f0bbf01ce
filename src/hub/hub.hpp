#pragma once

#include <atomic>
#include <cstdint>

#include "arch/context.hpp"
#include "base/clock.hpp"
#include "base/inbox.hpp"
#include "base/log.hpp"
#include "base/stack.hpp"
#include "hub/deadlines.hpp"
#include "hub/green_thread.hpp"
#include "hub/parking_lot.hpp"
#include "hub/poller.hpp"

struct uv_loop_s;

namespace guv {

/// How a new green thread shall be made; what pthread_attr_t says.
struct SpawnOptions {
  size_t stack_size = 0;
  size_t guard_size = 4096;
  char* user_stack = nullptr;  // lowest address of the program's own stack, of `stack_size` bytes
  bool detached = false;
};

struct HubCounts {
  uint64_t threads = 0, parks = 0, switches = 0, polls = 0;
};

/// One kernel thread that runs green threads, one at a time.
///
/// The contract of the scheduler:
/// - A green thread runs until it parks, yields or ends; then the next in the ready queue is switched to directly. The
///   loop, a context of its own with self() == nullptr, runs when nobody is ready, and at least every `slice` while
///   somebody is: it takes in what other kernel threads have sent, fires deadlines and polls for I/O.
/// - park() may return for no reason. Whoever parks has a condition and asks it again.
/// - unpark() may be called from any kernel thread and from signal handlers. An unpark between the last look at the
///   condition and the park is not lost: the park returns at once.
/// - Everything here is done with signals held (Critical).
class Hub {
 public:
  /// Makes the calling kernel thread a hub and its present flow of control green thread number 1, running.
  /// False, with a reason, when that is impossible.
  bool adopt_caller(GreenThread& main_thread, const char** why_not);

  /// A new green thread at the end of the ready queue; null when stacks or memory have run out.
  GreenThread* spawn(const SpawnOptions& options, void* (*start)(void*), void* argument);

  /// Suspends the calling green thread until it is unparked or `until` passes (`timed_out` then says so).
  void park(Deadline until);

  /// Makes `thread` run again. If it is not parked, its next park returns at once.
  static void unpark(GreenThread* thread);

  /// Lets others run, and what is due on the loop; with nobody ready it gives the processor to other processes.
  void yield();

  /// As yield, for a thread that did not ask for it: the loop looks around, and whoever is ready goes first.
  void preempt();

  /// Differs from what it was if another thread, or the loop, has run meanwhile.
  uint64_t activity() const { return counts_.switches + counts_.polls; }

  /// Counts a call that did not have to wait: a thread whose calls always succeed, or that asks in a circle, must not keep
  /// the others from running.
  void count_call() {
    if (--calls_left_ == 0) [[unlikely]] let_others_run();
  }

  /// Ends the calling green thread. Its joiners are woken once its stack is no longer in use.
  [[noreturn]] void end_thread();

  /// Returns the memory of a finished thread that has been joined. From any kernel thread.
  void release(GreenThread* thread);

  /// Suspends the calling thread and lets the loop call `go(argument)`, which may hand it to another kernel thread.
  /// Returns there, or here (then in a critical section that the caller has to leave); see Offload.
  void leave(void (*go)(void*), void* argument);

  /// Ends the call for which `thread` is elsewhere, if there is cause to. In a critical section.
  void reach(GreenThread& thread);

  /// Makes the cancellation point that `thread` waits at, or the next at which it would wait, end as `interrupt` says. On the
  /// hub's kernel thread, in a critical section; `interrupt` must live until it is taken or unlinked.
  void interrupt(GreenThread& thread, Interrupt& interrupt);
  /// Takes the first one of the calling thread: throws, or returns its error; 0 when there is none.
  static int take_interrupt(GreenThread& me);

  /// A call that the loop shall make, with self() == nullptr and signals held. Freed by what it calls.
  struct Post : InboxLink {
    void (*call)(Post&) = nullptr;
  };
  /// In the order of posting. From any kernel thread and from signal handlers.
  void post(Post& post);

  /// `timer.fire` will be called on the loop. On the hub's kernel thread, in a critical section.
  void arm(Timer& timer, Deadline deadline) { deadlines_.arm(timer, deadline); }
  /// Takes a time-out back, whatever has become of it.
  void forget(Timeout& timeout);
  void disarm(Timer& timer) { deadlines_.disarm(timer); }

  Poller& poller() { return poller_; }
  const StackPool& stacks() const { return stacks_; }
  const HubCounts& counts() const { return counts_; }
  GreenThread* current() const { return current_; }
  uint64_t live() const { return live_; }
  /// The TCB of the loop: the kernel thread's own, as far as libc can tell.
  uintptr_t loop_handle() const { return loop_context_.thread_pointer; }
  void main_has_exited() { --live_; }

  template <class Visit>
  void for_each_thread(Visit visit) {
    for (GreenThread* thread = threads_.front(); thread;) {
      GreenThread* next = threads_.next(thread);
      visit(*thread);
      thread = next;
    }
  }

  /// The libuv loop nested in this hub, made at first use: its backend is polled with everything else, and it is run
  /// when it has something due. For handles of the program's own and of guv's API.
  uv_loop_s* uv_loop();

  /// In the child of fork: only the calling thread, `survivor`, is left.
  void after_fork(GreenThread* survivor);

  void enter_critical() { ++critical_; }
  void leave_critical() {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (--critical_ == 0 && signal_held_.load(std::memory_order_relaxed)) [[unlikely]] deliver_held_signal();
  }
  bool in_critical() const { return critical_ != 0; }

  /// From guv's signal handler, in a critical section: keeps the signal (the kernel holds all others meanwhile).
  void hold_signal(const siginfo_t& info);
  bool holds_signal() const { return signal_held_.load(std::memory_order_relaxed); }
  /// Wakes the loop out of its sleep. From any kernel thread and from signal handlers.
  void wake_loop();

 private:
  static constexpr int64_t slice = 100'000;  // ns between looks at the loop while threads are ready
  static constexpr uint32_t turns_between_looks = 16;
  // A prime: who calls in a circle would else give way at the same of its calls each time, perhaps with a lock that all
  // want.
  static constexpr uint32_t calls_between_looks = 31;
  static constexpr size_t loop_stack_size = 256 * 1024;

  static void run_loop(void* hub);
  static void run_thread(void* thread);
  static void end_sleep(Timer& timer);
  [[noreturn]] void loop();
  void loop_once();
  void switch_away(GreenThread* me);
  bool loop_is_due();
  void let_others_run();
  void make_ready(GreenThread* thread);
  void unpark_here(GreenThread* thread);
  void unpark_from_elsewhere(GreenThread* thread);
  void take_unparked();
  void make_posted_calls();
  bool anything_sent() const { return !unparked_.empty() || !posted_.empty(); }
  void fire_deadlines();
  void finish(GreenThread* thread);
  void give_back(const StackSlot& slot);
  void deliver_held_signal();
  bool make_wake_fd();
  bool nest_uv();
  void run_uv();

  // Hot.
  GreenThread* current_ = nullptr;
  List<GreenThread, ReadyLink> ready_;
  uint32_t turns_ = 0, calls_left_ = calls_between_looks;
  int critical_ = 0;
  int64_t last_look_ = 0;
  std::atomic<bool> signal_held_{false};
  Context loop_context_;

  Inbox<GreenThread> unparked_;  // by other kernel threads
  Inbox<Post> posted_;
  std::atomic<bool> asleep_{false};
  int wake_fd_ = -1;

  GreenThread* departed_ = nullptr;     // ended; the loop puts it away
  void (*go_)(void*) = nullptr;         // to be called by the loop for a thread that has left
  void* go_argument_ = nullptr;

  siginfo_t held_info_;
  uint64_t live_ = 0;                   // threads that have not ended, the main one included
  uint64_t next_id_ = 1;
  List<GreenThread, SiblingLink> threads_;
  HubCounts counts_;
  Deadlines deadlines_{now()};
  StackPool stacks_;
  Timer trim_timer_;  // for stacks that are kept but not used
  Poller poller_;
  uv_loop_s* uv_loop_ = nullptr;
};

inline bool Hub::loop_is_due() {
  if (++turns_ % turns_between_looks != 0) return false;
  return now() - last_look_ >= slice;
}

inline void Hub::switch_away(GreenThread* me) {
  GUV_ASSERT(critical_ == 1, "a green thread waits in the middle of a critical section");
  ++counts_.switches;
  GreenThread* next = loop_is_due() ? nullptr : ready_.pop_front();
  if (!next) {
    current_ = nullptr;
    guv_switch_context(&me->context, &loop_context_);
    return;
  }
  if (next == me) {
    me->state = State::running;
    return;
  }
  next->state = State::running;
  current_ = next;
  guv_switch_context(&me->context, &next->context);
}

inline void Hub::park(Deadline until) {
  GreenThread* me = current_;
  enter_critical();
  me->timed_out = false;
  if (me->permit) {
    me->permit = false;
  } else {
    ++counts_.parks;
    me->state = State::parked;
    if (!until.is_never()) deadlines_.arm(me->timer, until);
    switch_away(me);
  }
  leave_critical();
}

inline void Critical::enter() {
  if (Hub* hub = per_thread.hub) {
    hub->enter_critical();
  } else {
    ++per_thread.critical;
  }
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

inline void Critical::leave() {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (Hub* hub = per_thread.hub) {
    hub->leave_critical();
  } else {
    leave_on_kernel_thread();
  }
}

}  // namespace guv
