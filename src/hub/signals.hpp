#pragma once

#include <signal.h>

#include <cstdint>

#include "base/clock.hpp"
#include "hub/green_thread.hpp"

/// Signals of green threads.
///
/// The kernel sees one thread, the hub's. Its mask is kept at what *all* green threads block, so a signal nobody can take
/// stays pending in the kernel, and any other arrives at once; guv's own handler then gives it to the thread that the
/// kernel would have chosen: the main thread if it does not block it, else the running one, else any. That thread runs
/// the program's handler on its own stack; if it was parked, its call ends with EINTR or goes on, as SA_RESTART says.
/// Masks and thread-directed signals live in the GreenThread; dispositions live here, because the kernel's copy is guv's.
namespace guv::signals {

constexpr uint64_t bit(int signal) { return uint64_t{1} << (signal - 1); }
constexpr bool valid(int signal) { return signal >= 1 && signal <= 64; }
inline uint64_t to_bits(const sigset_t& set) { return *reinterpret_cast<const uint64_t*>(&set); }
void from_bits(uint64_t bits, sigset_t* set);

/// Takes over the dispositions that have handlers, and SIGSEGV and SIGBUS (to name overflown stacks).
void start(GreenThread& main_thread);

/// sigaction(2) as the program sees it.
int action(int signal, const struct sigaction* fresh, struct sigaction* old);

/// sigprocmask(2) for the calling green thread; 0 or an errno. Runs what became deliverable.
int change_mask(GreenThread& me, int how, const sigset_t* set, sigset_t* old);
void set_mask(GreenThread& me, uint64_t mask);

/// pthread_kill(3) and its like; 0 or an errno.
int send(GreenThread& target, const siginfo_t& info);

/// Whether the thread has something to run that it does not block.
inline bool deliverable(const GreenThread& thread) { return thread.signals.pending_set & ~thread.signals.mask; }

struct Ran {
  bool any = false;      // a handler ran
  bool restart = true;   // and all that ran had SA_RESTART
};
/// Runs the calling thread's deliverable signals.
Ran run_pending(GreenThread& me);

/// Takes one pending signal of `set`, from the thread, the process or the kernel; its number, or 0.
int take_awaited(GreenThread& me, uint64_t set, siginfo_t* info);
/// Announces, before parking, that the thread waits for `set` (0: no more).
void await(GreenThread& me, uint64_t set);
/// The set of signals pending for the thread or the process.
uint64_t pending(const GreenThread& me);

// For the hub.
void inherit_mask(const GreenThread& creator, GreenThread& thread);
void forget(GreenThread& thread);
void take(const siginfo_t& info);
void unblock_after_hold();
void unblock_on_kernel_thread();
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

/// Blocks every signal on the calling kernel thread (for guv's helpers); returns what was blocked before.
uint64_t block_all();
void set_kernel_mask(uint64_t mask);

}  // namespace guv::signals
