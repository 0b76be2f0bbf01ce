#pragma once

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <cstdint>

#include "arch/context.hpp"
#include "base/clock.hpp"
#include "base/inbox.hpp"
#include "base/list.hpp"
#include "base/stack.hpp"
#include "hub/deadlines.hpp"

namespace guv {

class Hub;
struct GreenThread;
struct Trip;

enum class State : uint8_t {
  ready,      // in its hub's queue
  running,    // on its hub's kernel thread
  parked,     // waits to be unparked
  elsewhere,  // makes a blocking call on a helper thread (see Offload)
  finished,
};

/// Signals a green thread has been sent and has not taken yet. See hub/signals.hpp.
struct PendingSignal : ListNode {
  siginfo_t info;
  bool for_process = false;  // any thread may take it: passed on when this one cannot
};

struct ThreadSignals {
  uint64_t mask = 0;                // blocked, one bit a signal; the truth for green threads
  uint64_t pending_set = 0;         // which are in `pending`
  List<PendingSignal> pending;      // sent to this thread
  uint64_t awaited = 0;             // sigwait & co. are parked for these
  stack_t alternate{nullptr, SS_DISABLE, 0};
  bool deferred = false;            // handlers wait for signals::run_pending
};

/// Ends a park.
struct SleepTimer : Timer {
  GreenThread* thread = nullptr;
};

/// Ends what a thread waits for, at a cancellation point (pthreads(7)): a kill or a time-out of the API. Owned by who sends it.
struct Interrupt : ListNode {
  int error = 0;                            // errno of the call, unless
  void (*raise)(void* argument) = nullptr;  // this throws
  void* argument = nullptr;
};

struct TimeoutLink : ListNode {};  // among those of the thread

/// An Interrupt that a thread gets at a deadline. In the program's memory, perhaps on the thread's own stack.
struct Timeout : Timer, TimeoutLink {
  GreenThread* thread = nullptr;
  Interrupt interrupt;

  bool pending() const { return armed() || interrupt.linked(); }
};

struct ReadyLink : ListNode {};    // in the hub's ready queue
struct SiblingLink : ListNode {};  // among all threads of the hub

/// What an unpark from another kernel thread needs. It may come late, when the memory is about to be another thread's: not
/// touched then.
struct Reachable : InboxLink {
  Hub* hub = nullptr;
  std::atomic<bool> in_inbox{false};
};

/// What begins anew with each thread.
struct ThreadLife : ReadyLink, SiblingLink {
  // Hot: touched by every switch.
  Context context;
  State state = State::ready;
  bool permit = false;            // unparked while not parked: the next park returns at once
  bool cancel_requested = false;  // pthread_cancel was called; glibc's own flags are in the TCB
  bool cancel_asynchronous = false;  // the type, which glibc shall not know: it would send signals to an invented thread id
  bool timed_out = false;         // the last park ended by its deadline
  SleepTimer timer;

  std::atomic<bool> returned{false};  // from elsewhere: its registers are saved again

  Trip* trip = nullptr;       // while it is elsewhere
  bool makes_helper = false;  // and can go to none, whatever libc waits for meanwhile
  const void* woken_at = nullptr;  // the word of its last futex(2) wait
  uint32_t waits_there = 0;        // one after the other
  List<Interrupt> interrupts;
  List<Timeout, TimeoutLink> timeouts;  // that are still to strike

  uintptr_t handle = 0;  // its TCB, which is its pthread_t
  uint64_t id = 0;       // 1 is the main thread

  // Life.
  void* (*start)(void*) = nullptr;
  void* argument = nullptr;
  void* result = nullptr;
  enum class Join : uint8_t { joinable, joining, detached, collected, gone };  // gone: its memory has been given back
  Join join = Join::joinable;
  bool by_pthread_exit = false;
  void (*at_end)(GreenThread& me) = nullptr;  // called on the thread itself, after its function
  void* record = nullptr;                     // the API's
  std::atomic<uint32_t> finished{0};   // joiners wait at this address
  GreenThread* joins = nullptr;        // whom this one is joining

  // Stack.
  StackSlot slot;
  char* stack_low = nullptr;  // what pthread_getattr_np says: the program's own stack, or the slot's
  size_t stack_size = 0;
  size_t guard_size = 0;
  bool own_stack = false;     // the program gave the stack
  char* aside = nullptr;      // the end of the stack on which it gives way (Preemption)

  int policy = -1;            // that the program asked for when it made the thread; -1: the hub's
  int priority = 0;

  ThreadSignals signals;
  char name[16] = "";

  pthread_t pthread() const { return static_cast<pthread_t>(handle); }
};

/// A thread of the program that runs on a hub. Its memory lies at the top of its own stack, above its TCB, and is never
/// unmapped: a late unpark finds a thread, if perhaps a new one, for which it is a spurious wake-up.
struct GreenThread : Reachable, ThreadLife {};

/// Thread-local: one of these in the static TLS of every thread, green or kernel. For a green thread `self` is set when
/// its TCB is made, so that a pthread_t leads to its GreenThread by one load.
struct PerThread {
  GreenThread* self;   // null on kernel threads, on the hub's own loop, and while on a helper thread
  Hub* hub;            // the hub whose kernel thread this is, also on the loop
  int critical;        // on kernel threads that are no hub: signals wait while > 0
  bool signal_waits;   // one did: the kernel holds it, and all others, until then
  uint64_t mask_then;  // what was blocked before that
  GreenThread* owner;  // as self, but also while the thread is on a helper
};
// constinit: without it every use outside hub.cpp asks whether there is a constructor to be called.
extern constinit thread_local PerThread per_thread __attribute__((tls_model("initial-exec")));

/// The green thread that is running, or null: then libc is called as it is.
inline GreenThread* self() { return per_thread.self; }

/// The green thread behind `handle`, or null when it is a kernel thread.
GreenThread* green_thread_of(pthread_t handle);

}  // namespace guv
