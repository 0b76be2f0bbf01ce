#pragma once

#include <signal.h>
#include <ucontext.h>

#include "base/spinlock.hpp"
#include "hub/green_thread.hpp"
#include "hub/hub.hpp"
#include "hub/signals.hpp"

/// What the files of this directory, which together are hub/signals.hpp, have from one another.
namespace guv::signals {

constexpr int signal_count = 64;
constexpr uint64_t faults = bit(SIGSEGV) | bit(SIGBUS) | bit(SIGILL) | bit(SIGFPE) | bit(SIGTRAP) | bit(SIGSYS);
constexpr uint64_t raised_by_calls = bit(SIGPIPE) | bit(SIGXFSZ);
// What a call raises is for its thread, which may block it where others do not: by default, the kernel would end us.
constexpr uint64_t always_ours = bit(SIGSEGV) | bit(SIGBUS) | bit(guvs_own) | raised_by_calls;
constexpr int from_guv = -0x677576;  // si_code of guv's own

/// For dispositions and all queues: no handler of this kernel thread and no other kernel thread comes in between.
class Locked {
 public:
  Locked() : guard_(lock) {}
  static void after_fork() { lock.reset(); }

 private:
  static Spinlock lock;

  Critical critical_;
  SpinGuard guard_;
};

// The kernel's frame has room for its own 8 bytes of mask only.
inline uint64_t& mask_in(ucontext_t& context) { return *reinterpret_cast<uint64_t*>(&context.uc_sigmask); }

// ---- dispositions -----------------------------------------------------------------------------------------------

void begin_dispositions();
/// What the program set.
const struct sigaction& disposition(int signal);
bool has_handler(const struct sigaction& action);
bool ignored(int signal);
/// Lets the kernel have what the program set, with guv's handler for the program's.
void install(int signal);
/// guv's handler also where the program has none: the signal may be for one thread alone.
void install_by_default_too(int signal);
/// The disposition at the moment of delivery, which SA_RESETHAND ends.
struct sigaction disposition_at_delivery(int signal);

// ---- masks ------------------------------------------------------------------------------------------------------

void begin_masks(GreenThread& main_thread);
void masks_after_fork(GreenThread& survivor);
void leave_masks(GreenThread& thread);
/// Records the new mask; the kernel's follows if everybody's intersection changed.
void account(GreenThread& thread, uint64_t mask);
/// As `account`; and what the thread cannot take any more, others may; what waited for somebody to take it, it may.
void change_mask(GreenThread& me, uint64_t mask);
/// Whether the kernel keeps a signal for now, also if some thread could take it.
bool kept_back(int signal);
void keep_back(int signal, bool on);

// ---- pending ----------------------------------------------------------------------------------------------------

void begin_queues();
void queues_after_fork(GreenThread& survivor);
/// What was sent to the process while nobody could take it.
ThreadSignals& of_process();
/// False when there is no room. These three under the lock.
bool enqueue(ThreadSignals& where, const siginfo_t& info, bool for_process);
/// Lowest number first, as the kernel does; the oldest of that number.
bool dequeue(ThreadSignals& where, uint64_t allowed, siginfo_t* info);
void discard(ThreadSignals& where, uint64_t set);
/// It stays pending for this kernel thread until that unblocks it.
void give_back(siginfo_t* info);
/// Whether what a thread is sent and blocks is for a signalfd to show.
bool shown_by_descriptor(int signal);
/// Sends to the hub's kernel thread, which blocks it; 0 or an errno.
int keep_in_kernel(const siginfo_t& info);
/// What is pending for this kernel thread alone; rt_sigpending(2) adds what is pending for the process.
uint64_t pending_for_this_thread();
/// What the main thread was sent while it blocked it is its own; in the kernel it would be every thread's.
void take_over_pending(GreenThread& main_thread);

// ---- recipients -------------------------------------------------------------------------------------------------

/// Whom a signal that the kernel has for the hub is for.
struct Addressee {
  GreenThread* thread;  // null: nobody can take it now
  bool alone;           // if that one cannot take it, nobody shall
  bool gone = false;
};
Addressee addressee(const siginfo_t& info, GreenThread* running);
/// For `target` to run when it gets there; for the process, until somebody can, if there is none.
void leave_for(GreenThread* target, const siginfo_t& info, bool for_process);
/// What was sent to the process and this thread cannot take any more goes to one that can (retarget_shared_pending in
/// the kernel).
void pass_on(GreenThread& thread, uint64_t set);
void timers_after_fork();

// ---- handlers ---------------------------------------------------------------------------------------------------

struct HandlerCall {
  const struct sigaction& action;
  siginfo_t info;
  ucontext_t* context;

  void operator()() {
    if (action.sa_flags & SA_SIGINFO) {
      action.sa_sigaction(info.si_signo, &info, context);
    } else {
      action.sa_handler(info.si_signo);
    }
  }
};

/// Runs the program's handler on the calling green thread: in the kernel's frame (`context`), or without one.
Ran invoke(GreenThread& me, const siginfo_t& info, ucontext_t* context);
uint64_t mask_while_handling(uint64_t mask, int signal, const struct sigaction& action);
/// The top of the stack that the handler shall run on, if that is not the one in use: SA_ONSTACK, sigaltstack(2).
char* alternate_stack_for(const struct sigaction& action, const GreenThread& me, const void* stack_pointer);

// ---- kernel side ------------------------------------------------------------------------------------------------

/// guv's handler for the kernel.
void on_signal(int signal, siginfo_t* info, void* context);
void make_fault_stack(GreenThread& main_thread);

}  // namespace guv::signals
