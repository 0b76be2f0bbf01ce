#pragma once

#include <signal.h>

#include <cstdint>
#include <optional>

#include "base/clock.hpp"
#include "hub/green_thread.hpp"

/// Signals of green threads.
///
/// The kernel sees one thread, the hub's. Its mask is kept at what *all* green threads block, so a signal nobody can take
/// stays pending in the kernel, and any other arrives at once; guv's own handler then gives it to the thread that the
/// kernel would have chosen: the main thread if it does not block it, else the running one, else any. That thread runs
/// the program's handler on its own stack; if it was parked, its call ends with EINTR or goes on, as SA_RESTART says.
/// Masks and thread-directed signals live in the GreenThread; dispositions live here, because the kernel's copy is guv's.
///
/// Who calls what: the functions that take a GreenThread `me` are for that thread itself, on its hub. `action` and `send`
/// may be called by any kernel thread. All of it may be called by signal handlers.
namespace guv::signals {

constexpr uint64_t bit(int signal) { return uint64_t{1} << (signal - 1); }
constexpr bool valid(int signal) { return signal >= 1 && signal <= 64; }
constexpr uint64_t unblockable = bit(SIGKILL) | bit(SIGSTOP);
constexpr uint64_t libc_internal = bit(32) | bit(33);  // SIGCANCEL, SIGSETXID
inline uint64_t to_bits(const sigset_t& set) { return *reinterpret_cast<const uint64_t*>(&set); }
void from_bits(uint64_t bits, sigset_t* set);

/// Takes over the dispositions that have handlers, and SIGSEGV and SIGBUS (to name overflown stacks).
void start(GreenThread& main_thread);

/// sigaction(2) as the program sees it.
int action(int signal, const struct sigaction* fresh, struct sigaction* old);

/// sigaltstack(2) for the calling green thread; 0 or an errno.
int alternate_stack(GreenThread& me, const stack_t* fresh, stack_t* old);

/// sigprocmask(2)'s rule for a new mask; false when `how` is none of the three.
bool combine(int how, uint64_t before, uint64_t set, uint64_t* mask);

/// Replaces the mask and runs what became deliverable.
void set_mask(GreenThread& me, uint64_t mask);

/// pthread_kill(3) and its like; 0 or an errno.
int send(GreenThread& target, const siginfo_t& info);

/// What the hub's kernel thread blocks: what all green threads do.
uint64_t mask_of_kernel_thread();

/// What pthread_kill and raise send: SI_TKILL from this process.
siginfo_t from_this_thread(int signal);

/// Whether the thread has something to run that it does not block.
inline bool deliverable(const GreenThread& thread) { return thread.signals.pending_set & ~thread.signals.mask; }

struct Ran {
  bool any = false;      // a handler ran
  bool restart = true;   // and all that ran had SA_RESTART
};
/// Runs the calling thread's deliverable signals.
Ran run_pending(GreenThread& me);

/// Runs what is deliverable, unless it shall wait for run_pending.
void run_arrived(GreenThread& me);

/// While it lives, what arrives for `me` waits for run_pending, instead of being run wherever the thread happens to be:
/// a call that waits must know that a handler ran, to end with EINTR. Handlers themselves run undeferred.
class Deferred {
 public:
  explicit Deferred(GreenThread& me) : me_(me), before_(me.signals.deferred) { me.signals.deferred = true; }
  ~Deferred() noexcept(false) {
    me_.signals.deferred = before_;
    if (deliverable(me_)) [[unlikely]] run_arrived(me_);
  }
  Deferred(const Deferred&) = delete;
  Deferred& operator=(const Deferred&) = delete;

 private:
  GreenThread& me_;
  bool before_;
};

/// Another mask for the time of one call that waits (ppoll, pselect, epoll_pwait, sigsuspend). What it lets through is run
/// by blocking() once the call would wait, which then ends with EINTR; a call that need not wait leaves it pending, as the
/// kernel does. Does nothing without a mask or on a kernel thread (`me` is null there).
class MaskDuringCall {
 public:
  MaskDuringCall(GreenThread* me, const sigset_t* mask);
  ~MaskDuringCall() noexcept(false);
  MaskDuringCall(const MaskDuringCall&) = delete;
  MaskDuringCall& operator=(const MaskDuringCall&) = delete;

 private:
  GreenThread* me_;
  uint64_t before_ = 0;
  bool deferred_before_ = false;
};

/// Takes one pending signal of `set` away without running anything; its number, or 0. (sigwait)
int take_awaited(GreenThread& me, uint64_t set, siginfo_t* info);
/// From here on a signal of `set` unparks the thread, also if it blocks it; 0 ends that.
void await(GreenThread& me, uint64_t set);
/// Somebody reads signals of `set` by signalfd(2): from now on those that all threads block are kept by the kernel.
void show_to_descriptors(uint64_t set);
/// The signals that are pending for the thread or the process and that it blocks.
uint64_t pending(const GreenThread& me);

/// A timer whose signal is for one green thread (SIGEV_THREAD_ID).
struct ThreadTimer : ListNode {
  int id = 0;                     // the kernel's
  GreenThread* thread = nullptr;  // null once it has ended: as natively, nobody gets the signal
};
void add_timer(GreenThread& thread, ThreadTimer& timer, int signal);
/// The timer of that number, or null. On the hub, as the above.
ThreadTimer* remove_timer(int id);

/// The default action, by the kernel's own hand: everything else about it (core, status, stop) is then right. Returns from
/// those that only stop.
void take_default_action(int signal);

/// guv's own signal: ends a call on a helper, which alone takes it from guv. The program may use the number as it likes.
constexpr int guvs_own = 64;
/// Makes the call that kernel thread `tid` is in end with EINTR.
void interrupt_kernel_thread(int tid);
/// What libc's pthread_cancel would do to it, knew it the thread's id.
void cancel_kernel_thread(int tid);
void let_interruptions_through();
void hold_interruptions();
/// On a helper: what its system calls have raised (SIGPIPE, SIGXFSZ) is taken from it; a bit each.
uint64_t take_raised();
/// Back on the hub: raises that for the calling thread, whose call it was.
void raise_taken(GreenThread& me, uint64_t raised);
/// While it lives, this kernel thread blocks `mask`.
class WithMask {
 public:
  explicit WithMask(uint64_t mask);
  ~WithMask();
  WithMask(const WithMask&) = delete;
  WithMask& operator=(const WithMask&) = delete;

 private:
  uint64_t before_ = 0;
};

/// While it lives, libc's cancellation signal does not reach this kernel thread; what was sent meanwhile is thrown away.
class DeafToCancellation {
 public:
  explicit DeafToCancellation(bool deaf);
  ~DeafToCancellation();
  DeafToCancellation(const DeafToCancellation&) = delete;
  DeafToCancellation& operator=(const DeafToCancellation&) = delete;

 private:
  std::optional<WithMask> everything_;
};

// For the hub.
void inherit_mask(const GreenThread& creator, GreenThread& thread);
void begin_with_mask(GreenThread& thread, const sigset_t& mask);  // instead: pthread_attr_setsigmask_np(3)
void forget(GreenThread& thread);
void take(const siginfo_t& info);
void unblock_after_hold();
void unblock_on_kernel_thread();

// Around fork: nothing arrives between the kernel's fork and the moment when the child knows who is left in it.
void before_fork();
void after_fork_in_parent();
void after_fork(GreenThread& survivor);

/// Gives this kernel thread the calling green thread's mask while a program or kernel thread is started.
class MaskAsThread {
 public:
  MaskAsThread();
  ~MaskAsThread();
  MaskAsThread(const MaskAsThread&) = delete;
  MaskAsThread& operator=(const MaskAsThread&) = delete;

 private:
  bool active_;
};

/// While it lives, what is pending for the calling green thread, which blocks it, is pending for this kernel thread: exec keeps it.
class PendingAsThread {
 public:
  PendingAsThread();
  ~PendingAsThread();
  PendingAsThread(const PendingAsThread&) = delete;
  PendingAsThread& operator=(const PendingAsThread&) = delete;

 private:
  bool active_;
};

/// Makes the calling green thread an ordinary kernel thread in the eyes of every wrapper and of the kernel: libc's spawn
/// and vfork run a child on our own TCB, and what that child calls must not come to the parent's hub. The thread must
/// not wait meanwhile, for the hub waits with it.
class NativeScope {
 public:
  NativeScope() : me_(self()) {
    if (me_) begin(*me_);
  }
  ~NativeScope() {
    if (me_) end(*me_);
  }
  NativeScope(const NativeScope&) = delete;
  NativeScope& operator=(const NativeScope&) = delete;

  static void begin(GreenThread& me);
  static void end(GreenThread& me);
  /// Whether the caller is in one: in the child too, whose memory is the parent's.
  static bool active() { return per_thread.owner && !per_thread.hub; }

 private:
  GreenThread* me_;
};

/// What the calling kernel thread blocks from now on.
void set_kernel_mask(uint64_t mask);

}  // namespace guv::signals
