#include "hub/signals.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <ucontext.h>
#include <unistd.h>

#include <iterator>
#include <new>
#include <utility>

#include "arch/signal_stack.hpp"
#include "base/log.hpp"
#include "base/mapping.hpp"
#include "base/real.hpp"
#include "base/spinlock.hpp"
#include "base/sys.hpp"
#include "hub/hub.hpp"
#include "runtime.hpp"

namespace guv::signals {

namespace {

constexpr int signal_count = 64;
constexpr uint64_t ignored_by_default = bit(SIGCHLD) | bit(SIGCONT) | bit(SIGURG) | bit(SIGWINCH);
constexpr uint64_t faults = bit(SIGSEGV) | bit(SIGBUS) | bit(SIGILL) | bit(SIGFPE) | bit(SIGTRAP) | bit(SIGSYS);
constexpr uint64_t always_ours = bit(SIGSEGV) | bit(SIGBUS) | bit(guvs_own);
constexpr uint64_t raised_by_calls = bit(SIGPIPE) | bit(SIGXFSZ);
constexpr int libcs_cancellation = 32;
constexpr int from_guv = -0x677576;  // si_code of guv's own
constexpr uint32_t enough = 64;
constexpr size_t fault_stack_size = 64 * 1024;

/// Memory for pending signals; never given back.
struct Chunk {
  Chunk* next = nullptr;
  PendingSignal nodes[500];
};

struct Everything {
  struct sigaction actions[signal_count + 1];  // what the program set
  uint32_t blocked_by[signal_count + 1];       // how many green threads block it
  uint64_t blocked_by_some = 0;                // where that is not 0
  uint64_t thread_count = 0;
  uint64_t kernel_mask = 0;                    // this hub's, as we set it
  uint32_t taken[signal_count + 1];            // from the kernel, for the process, and not run yet
  uint64_t congested = 0;                      // where that is more than enough
  ThreadSignals process;                       // sent to the process while nobody could take them
  List<PendingSignal> free_nodes;
  Chunk* chunks = nullptr;
  rlim_t node_count = 0;
  int signal_fd = -1;                          // wakes threads in sigwait when the kernel has something for them
  uint64_t awaited = 0;                        // by any thread, ever
  List<ThreadTimer> timers;
  uint64_t sent_by_timers = 0;                 // by those, ever: also by default they are for one thread alone
  char* fault_stack = nullptr;                 // the kernel's alternate stack
  Spinlock lock;                               // for actions and all queues: other kernel threads come here too
};

Everything all;
Chunk first_chunk;

/// No handler of this kernel thread and no other kernel thread comes in between.
class Locked {
 public:
  Locked() : guard_(all.lock) {}

 private:
  Critical critical_;
  SpinGuard guard_;
};

void on_signal(int signal, siginfo_t* info, void* context);

// The kernel's frame has room for its own 8 bytes of mask only.
uint64_t& mask_in(ucontext_t& context) { return *reinterpret_cast<uint64_t*>(&context.uc_sigmask); }

bool has_handler(const struct sigaction& action) {
  return action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN;
}

bool ignored(int signal) {
  const auto& action = all.actions[signal];
  return action.sa_handler == SIG_IGN || (action.sa_handler == SIG_DFL && (ignored_by_default & bit(signal)));
}

void install(int signal) {
  const struct sigaction& wanted = all.actions[signal];
  struct sigaction ours = wanted;
  const bool by_default = (always_ours | all.sent_by_timers) & bit(signal) && wanted.sa_handler == SIG_DFL;
  if (has_handler(wanted) || signal == guvs_own || by_default) {
    ours.sa_sigaction = &on_signal;
    ours.sa_flags = SA_SIGINFO | (wanted.sa_flags & (SA_RESTART | SA_NOCLDSTOP | SA_NOCLDWAIT));
    // Faults begin on guv's alternate stack, since the thread's own may have overflown.
    if (faults & bit(signal)) ours.sa_flags |= SA_ONSTACK;
    if (signal == guvs_own) ours.sa_flags &= ~SA_RESTART;
    sigfillset(&ours.sa_mask);
  }
  real().sigaction(signal, &ours, nullptr);
}

// ---- masks ------------------------------------------------------------------------------------------------------

template <class Visit>
void for_each_signal(uint64_t set, Visit visit) {
  for (; set; set &= set - 1) visit(__builtin_ctzll(set) + 1);
}

void count_blocked(uint64_t set, int step) {
  for_each_signal(set, [=](int signal) {
    all.blocked_by[signal] += step;
    all.blocked_by_some &= ~bit(signal);
    if (all.blocked_by[signal]) all.blocked_by_some |= bit(signal);
  });
}

void update_kernel_mask() {
  uint64_t mask = 0;
  for_each_signal(all.blocked_by_some, [&](int signal) {
    if (all.blocked_by[signal] == all.thread_count) mask |= bit(signal);
  });
  mask |= all.congested;
  if (mask == all.kernel_mask) return;
  all.kernel_mask = mask;
  set_kernel_mask(mask);
}

// Records the new mask; the kernel's follows if everybody's intersection changed.
void account(GreenThread& thread, uint64_t mask) {
  mask &= ~(unblockable | libc_internal);
  const uint64_t changed = thread.signals.mask ^ mask;
  if (!changed) return;
  Critical critical;
  count_blocked(changed & mask, 1);
  count_blocked(changed & ~mask, -1);
  thread.signals.mask = mask;
  update_kernel_mask();
}

// ---- queues -----------------------------------------------------------------------------------------------------

// Who sends faster than handlers run shall find the kernel's queue full (sigqueue's EAGAIN), and not fill our memory. From
// half of enough the kernel may send again.
void count_taken(int signal, int step) {
  all.taken[signal] += step;
  const bool congested = all.congested & bit(signal);
  if (congested ? all.taken[signal] > enough / 2 : all.taken[signal] < enough) return;
  if (!per_thread.hub) return;
  all.congested ^= bit(signal);
  update_kernel_mask();
}

void add_nodes(Chunk& chunk) {
  chunk.next = all.chunks;
  all.chunks = &chunk;
  all.node_count += std::size(chunk.nodes);
  for (auto& node : chunk.nodes) all.free_nodes.push_back(&node);
}

// Also in signal handlers.
bool add_nodes() {
  void* const memory = map_memory(sizeof(Chunk));
  if (!memory) return false;
  add_nodes(*new (memory) Chunk);
  return true;
}

// As many as the kernel would keep for us.
bool within_limit() {
  rlimit limit{};
  return !sys::failed(sys::call(SYS_prlimit64, 0, RLIMIT_SIGPENDING, nullptr, &limit)) && all.node_count < limit.rlim_cur;
}

bool enqueue(ThreadSignals& where, const siginfo_t& info, bool for_process) {
  // Standard signals do not queue: one pending is enough (signal(7)).
  if ((where.pending_set & bit(info.si_signo)) && info.si_signo < SIGRTMIN) return true;
  // What comes from the kernel has kept to the limit there.
  if (all.free_nodes.empty() && ((!for_process && !within_limit()) || !add_nodes())) return false;
  PendingSignal* node = all.free_nodes.pop_front();
  node->info = info;
  node->for_process = for_process;
  where.pending.push_back(node);
  where.pending_set |= bit(info.si_signo);
  if (for_process) count_taken(info.si_signo, 1);
  return true;
}

// Lowest number first, as the kernel does; the oldest of that number.
bool dequeue(ThreadSignals& where, uint64_t allowed, siginfo_t* info) {
  const uint64_t candidates = where.pending_set & allowed;
  if (!candidates) return false;
  const int signal = __builtin_ctzll(candidates) + 1;
  PendingSignal* found = nullptr;
  bool more = false;
  for (PendingSignal* node = where.pending.front(); node && !more; node = where.pending.next(node)) {
    if (node->info.si_signo != signal) continue;
    more = found != nullptr;
    if (!found) found = node;
  }
  if (!more) where.pending_set &= ~bit(signal);
  if (!found) return false;
  *info = found->info;
  found->unlink();
  all.free_nodes.push_back(found);
  if (found->for_process) count_taken(signal, -1);
  return true;
}

void discard(ThreadSignals& where, uint64_t set) {
  siginfo_t discarded;
  while (dequeue(where, set, &discarded)) {
  }
}

// ---- who gets it ------------------------------------------------------------------------------------------------

bool reachable(const GreenThread& thread) {
  return thread.state != State::elsewhere || (thread.trip && thread.trip->reach.on_signal != OnSignal::wait);
}

// Whom the kernel would choose: the main thread, else one that is running, else any. Those away on a helper whose call
// is not to be interrupted come last: they take signals only when they are back.
GreenThread* choose(int signal) {
  Hub& hub = runtime().hub();
  const uint64_t wanted = bit(signal);
  auto eligible = [&](const GreenThread& thread) {
    return thread.state != State::finished && (!(thread.signals.mask & wanted) || (thread.signals.awaited & wanted));
  };
  GreenThread& first = runtime().main_thread();
  if (eligible(first) && reachable(first)) return &first;
  if (GreenThread* running = hub.current(); running && eligible(*running)) return running;
  GreenThread* found = nullptr;
  hub.for_each_thread([&](GreenThread& thread) {
    if (eligible(thread) && (!found || !reachable(*found))) found = &thread;
  });
  return found;
}

// What tgkill sent from here, and what the running thread's own system call brought about, which looks as if it had been
// sent by kill.
bool directed_at_thread(const siginfo_t& info) {
  const bool by_its_call = info.si_code == SI_USER && (raised_by_calls & bit(info.si_signo));
  return (info.si_code == SI_TKILL || by_its_call) && info.si_pid == static_cast<pid_t>(sys::call(SYS_getpid));
}

ThreadTimer* find_timer(int id) {
  for (ThreadTimer* timer = all.timers.front(); timer; timer = all.timers.next(timer)) {
    if (timer->id == id) return timer;
  }
  return nullptr;
}

/// Whom a signal that the kernel has for the hub is for.
struct Addressee {
  GreenThread* thread;  // null: nobody can take it now
  bool alone;           // if that one cannot take it, nobody shall
  bool gone = false;
};

Addressee addressee(const siginfo_t& info, GreenThread* running) {
  if (info.si_code == SI_TIMER) {
    if (const ThreadTimer* timer = find_timer(info.si_timerid)) return {timer->thread, true, !timer->thread};
  }
  if (running && directed_at_thread(info)) return {running, true};
  return {choose(info.si_signo), false};
}

// For `target` to run when it gets there; for the process, until somebody can, if there is none.
void leave_for(GreenThread* target, const siginfo_t& info, bool for_process) {
  {
    Locked locked;
    enqueue(target ? target->signals : all.process, info, for_process);
  }
  if (target) Hub::unpark(target);
}

// What was sent to the process and this thread cannot take any more goes to one that can (retarget_shared_pending in the
// kernel).
void pass_on(GreenThread& thread, uint64_t set) {
  uint64_t movable = 0;
  for (PendingSignal* node = thread.signals.pending.front(); node; node = thread.signals.pending.next(node)) {
    if (node->for_process) movable |= bit(node->info.si_signo) & set & ~thread.signals.awaited;
  }
  for (; movable; movable &= movable - 1) {
    siginfo_t info;
    {
      Locked locked;
      if (!dequeue(thread.signals, movable & -movable, &info)) continue;
    }
    leave_for(choose(info.si_signo), info, true);
  }
}

// The mask alone. What the thread cannot take any more, others may; what waited for somebody to take it, it may.
void change_mask(GreenThread& me, uint64_t mask) {
  account(me, mask);
  while (all.process.pending_set & ~me.signals.mask) {
    Locked locked;
    siginfo_t info;
    if (!dequeue(all.process, ~me.signals.mask, &info)) break;
    enqueue(me.signals, info, true);
  }
  if (me.signals.pending_set & me.signals.mask) [[unlikely]] pass_on(me, me.signals.mask);
}

// ---- running handlers -------------------------------------------------------------------------------------------

bool within(const stack_t& stack, const void* address) {
  const auto* where = static_cast<const char*>(address);
  const auto* low = static_cast<const char*>(stack.ss_sp);
  return !(stack.ss_flags & SS_DISABLE) && where > low && where <= low + stack.ss_size;
}

// The top of the stack that the handler shall run on, if that is not the one in use: SA_ONSTACK, sigaltstack(2).
char* alternate_stack_for(const struct sigaction& action, const GreenThread& me, const void* stack_pointer) {
  const stack_t& alternate = me.signals.alternate;
  if (!(action.sa_flags & SA_ONSTACK) || (alternate.ss_flags & SS_DISABLE)) return nullptr;
  return within(alternate, stack_pointer) ? nullptr : static_cast<char*>(alternate.ss_sp) + alternate.ss_size;
}

// The disposition at the moment of delivery, which SA_RESETHAND ends.
struct sigaction disposition_at_delivery(int signal) {
  Locked locked;
  const struct sigaction action = all.actions[signal];
  if (has_handler(action) && (action.sa_flags & SA_RESETHAND)) {
    all.actions[signal].sa_handler = SIG_DFL;
    all.actions[signal].sa_flags &= ~SA_SIGINFO;
    install(signal);
  }
  return action;
}

uint64_t mask_while_handling(uint64_t mask, int signal, const struct sigaction& action) {
  return mask | to_bits(action.sa_mask) | (action.sa_flags & SA_NODEFER ? 0 : bit(signal));
}

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

// Without a frame of the kernel's: the context that the handler sees is where it is called.
void call_here(HandlerCall& call, ucontext_t& here, GreenThread& me, uint64_t mask_before) {
  if (call.action.sa_flags & SA_SIGINFO) getcontext(&here);
  from_bits(mask_before, &here.uc_sigmask);
  call.context = &here;
  if (char* top = alternate_stack_for(call.action, me, __builtin_frame_address(0))) {
    call_on_stack(top, [](void* call) { (*static_cast<HandlerCall*>(call))(); }, &call);
  } else {
    call();
  }
}

// Runs the program's handler on the calling green thread: in the kernel's frame (`context`), or without one.
Ran invoke(GreenThread& me, const siginfo_t& info, ucontext_t* context) {
  const int signal = info.si_signo;
  const struct sigaction action = disposition_at_delivery(signal);
  if (!has_handler(action)) {
    if (!ignored(signal)) take_default_action(signal);
    return {};
  }
  const int saved_errno = errno;
  const uint64_t mask_before = me.signals.mask;
  account(me, mask_while_handling(mask_before, signal, action));
  const bool deferred = std::exchange(me.signals.deferred, false);
  // Only here may the next come, which the thread blocks if it is like this one: else they would pile up on its stack.
  if (context) set_kernel_mask(all.kernel_mask);
  HandlerCall call{action, info, context};
  uint64_t mask_after;  // which a handler may change
  if (context) {
    mask_in(*context) = mask_before;
    call();
    mask_after = mask_in(*context);
  } else {
    ucontext_t here;
    call_here(call, here, me, mask_before);
    mask_after = mask_in(here);
  }
  me.signals.deferred = deferred;
  account(me, mask_after);
  errno = saved_errno;
  return {true, (action.sa_flags & SA_RESTART) != 0};
}

// ---- from the kernel --------------------------------------------------------------------------------------------

bool is_fault(const siginfo_t& info) { return info.si_code > 0 && (faults & bit(info.si_signo)); }

StackSlot overflown_stack(const siginfo_t& info) {
  if (!is_fault(info) || !(always_ours & bit(info.si_signo))) return {};
  return runtime().hub().stacks().find_guard(info.si_addr);
}

void report_overflow(const siginfo_t& info, const StackSlot& slot) {
  GreenThread* thread = per_thread.owner;
  if (!thread || thread->slot.base != slot.base) {
    say("stack overflow at %p, in a stack that is not the running thread's", info.si_addr);
    return;
  }
  say("green thread %llu \"%s\" overflowed its %zu KiB stack (ask for a larger one: guv-run --stack-size)",
      static_cast<unsigned long long>(thread->id), thread->name, thread->stack_size / 1024);
}

// As the kernel's force_sig: a blocked fault kills, and so does one with no stack to handle it on.
bool can_handle_fault(int signal, const struct sigaction& action, const GreenThread* me, const StackSlot& overflown) {
  if (!has_handler(action)) return false;
  if (!me) return true;
  const bool no_stack = overflown && (!(action.sa_flags & SA_ONSTACK) || (me->signals.alternate.ss_flags & SS_DISABLE));
  return !no_stack && !(me->signals.mask & bit(signal));
}

void serve_fault(siginfo_t* info, ucontext_t* context) {
  const int signal = info->si_signo;
  const struct sigaction action = all.actions[signal];
  const StackSlot overflown = overflown_stack(*info);
  GreenThread* me = per_thread.owner;
  if (!can_handle_fault(signal, action, me, overflown)) {
    if (overflown) report_overflow(*info, overflown);
    // Back to the faulting instruction: the kernel's own action follows.
    struct sigaction plain {};
    plain.sa_handler = SIG_DFL;
    real().sigaction(signal, &plain, nullptr);
  } else if (me && per_thread.hub) {
    invoke(*me, *info, context);
    mask_in(*context) = all.kernel_mask;
  } else {
    HandlerCall{action, *info, context}();
  }
}

// It stays pending in the kernel until the thread unblocks it.
void give_back(siginfo_t* info) {
  sys::call(SYS_rt_tgsigqueueinfo, sys::call(SYS_getpid), sys::call(SYS_gettid), info->si_signo, info);
}

// On a thread that is no hub (a native one, a helper, a child of vfork) signals are the kernel's business.
void serve_on_kernel_thread(siginfo_t* info, ucontext_t* context) {
  const int signal = info->si_signo;
  if (per_thread.critical > 0) {
    // Back to the kernel, to be held until the critical section ends.
    per_thread.signal_waits = true;
    per_thread.mask_then = mask_in(*context);
    give_back(info);
    mask_in(*context) = ~libc_internal;
    return;
  }
  // A helper blocks all but this one. It was meant for somebody else.
  if (signal == guvs_own && (mask_in(*context) | bit(guvs_own) | libc_internal) == ~uint64_t{0}) {
    mask_in(*context) |= bit(guvs_own);
    sys::call(SYS_rt_sigqueueinfo, sys::call(SYS_getpid), signal, info);
    return;
  }
  const struct sigaction action = disposition_at_delivery(signal);
  if (!has_handler(action)) {
    if (!ignored(signal)) take_default_action(signal);
    return;
  }
  set_kernel_mask(mask_while_handling(mask_in(*context), signal, action));
  HandlerCall{action, *info, context}();
}

void serve_on_hub(Hub& hub, siginfo_t* info, ucontext_t* context) {
  const int signal = info->si_signo;
  if (hub.in_critical()) {
    // One can be held. More come if the mask was changed in this critical section.
    if (hub.holds_signal()) {
      give_back(info);
    } else {
      hub.hold_signal(*info);
    }
    mask_in(*context) = ~libc_internal;
    return;
  }
  GreenThread& me = *per_thread.owner;
  const auto [target, alone, gone] = addressee(*info, &me);
  if (target == &me && !me.signals.deferred && !(me.signals.mask & bit(signal))) {
    {
      const Deferred until_returned(me);
      invoke(me, *info, context);
    }
  } else if (!gone) {
    leave_for(target, *info, !alone);
  }
  mask_in(*context) = all.kernel_mask;
}

void serve(int, siginfo_t* info, void* raw_context) {
  auto* context = static_cast<ucontext_t*>(raw_context);
  const int saved_errno = errno;
  if (is_fault(*info)) {
    serve_fault(info, context);
  } else if (Hub* hub = per_thread.hub) {
    serve_on_hub(*hub, info, context);
  } else {
    serve_on_kernel_thread(info, context);
  }
  errno = saved_errno;
}

// Faults begin on guv's alternate stack; the program's handlers, which may park or jump, must not stay there.
char* stack_to_move_to(const siginfo_t& info, const ucontext_t& context) {
  const GreenThread* me = per_thread.owner;
  if (!me || !per_thread.hub || per_thread.hub->in_critical()) return nullptr;
  const struct sigaction& action = all.actions[info.si_signo];
  if (!has_handler(action)) return nullptr;
  char* const interrupted = stack_pointer_of(context);
  if (char* top = alternate_stack_for(action, *me, interrupted)) return top;
  if (overflown_stack(info)) return nullptr;
  constexpr int red_zone = 128;
  const auto* here = static_cast<char*>(__builtin_frame_address(0));
  const bool on_fault_stack = here >= all.fault_stack && here < all.fault_stack + fault_stack_size;
  return on_fault_stack && interrupted ? interrupted - red_zone : nullptr;
}

// Runs on whatever this kernel thread was doing, with all signals blocked.
void on_signal(int signal, siginfo_t* info, void* raw_context) {
  constexpr size_t with_all_registers = 16 * 1024;
  unmark(raw_context, with_all_registers);
  auto* context = static_cast<ucontext_t*>(raw_context);
  if (signal == guvs_own && info->si_code == from_guv) {
    // To a system call that it came is all.
    if (!runtime().offload().visit_home()) mask_in(*context) = per_thread.owner->signals.mask;
    return;
  }
  if (char* top = stack_to_move_to(*info, *context)) move_signal_frame(signal, context, top, &serve);
  serve(signal, info, context);
}

// Edge-triggered: a signal that nobody awaits any more stays readable.
void make_signal_fd() {
  const long fd = sys::call(SYS_signalfd4, -1, &all.awaited, sys::signal_set_size, SFD_CLOEXEC | SFD_NONBLOCK);
  if (sys::failed(fd)) return;
  all.signal_fd = private_fd::hide(static_cast<int>(fd));
  runtime().hub().poller().watch_own(
      all.signal_fd,
      [](void*) {
        runtime().hub().for_each_thread([](GreenThread& thread) {
          if (thread.signals.awaited) Hub::unpark(&thread);
        });
      },
      nullptr, EPOLLIN | EPOLLET);
}

// What is pending for this kernel thread alone; rt_sigpending(2) adds what is pending for the process.
uint64_t pending_for_this_thread() {
  const long file = sys::call(SYS_open, "/proc/thread-self/status", O_RDONLY | O_CLOEXEC);
  if (sys::failed(file)) return 0;
  char text[4096];
  const long size = sys::call(SYS_read, file, text, sizeof text - 1);
  sys::call(SYS_close, file);
  if (size <= 0) return 0;
  text[size] = '\0';
  const char* field = strstr(text, "SigPnd:");
  return field ? strtoull(field + strlen("SigPnd:"), nullptr, 16) : 0;
}

// What the main thread was sent while it blocked it is its own; in the kernel it would be every thread's.
void take_over_pending(GreenThread& main_thread) {
  uint64_t any = 0;
  sys::call(SYS_rt_sigpending, &any, sys::signal_set_size);
  if (!any) return;
  const timespec at_once{0, 0};
  siginfo_t info;
  while (const uint64_t own = pending_for_this_thread() & any) {
    if (sys::failed(sys::call(SYS_rt_sigtimedwait, &own, &info, &at_once, sys::signal_set_size))) return;
    if (!enqueue(main_thread.signals, info, false)) return;
  }
}

}  // namespace

void take_default_action(int signal) {
  struct sigaction plain {};
  plain.sa_handler = SIG_DFL;
  real().sigaction(signal, &plain, nullptr);
  const uint64_t all_but_it = ~(bit(signal) | libc_internal);
  uint64_t before = 0;
  sys::call(SYS_rt_sigprocmask, SIG_SETMASK, &all_but_it, &before, sys::signal_set_size);
  sys::call(SYS_tgkill, sys::call(SYS_getpid), sys::call(SYS_gettid), signal);
  set_kernel_mask(before);
  install(signal);  // it was one that only stops
}

void from_bits(uint64_t bits, sigset_t* set) {
  sigemptyset(set);
  *reinterpret_cast<uint64_t*>(set) = bits;
}

void set_kernel_mask(uint64_t mask) { sys::call(SYS_rt_sigprocmask, SIG_SETMASK, &mask, nullptr, sys::signal_set_size); }

void start(GreenThread& main_thread) {
  add_nodes(first_chunk);
  all.thread_count = 1;
  uint64_t mask = 0;
  sys::call(SYS_rt_sigprocmask, SIG_BLOCK, nullptr, &mask, sys::signal_set_size);
  all.kernel_mask = mask;
  account(main_thread, mask);
  take_over_pending(main_thread);

  if (void* stack = map_memory(fault_stack_size)) {
    stack_t alternate{};
    alternate.ss_sp = stack;
    alternate.ss_size = fault_stack_size;
    all.fault_stack = static_cast<char*>(stack);
    real().sigaltstack(&alternate, &main_thread.signals.alternate);
  }
  for (int signal = 1; signal <= signal_count; ++signal) {
    if ((unblockable | libc_internal) & bit(signal)) continue;
    real().sigaction(signal, nullptr, &all.actions[signal]);
    if (has_handler(all.actions[signal]) || (always_ours & bit(signal))) install(signal);
  }
}

int action(int signal, const struct sigaction* fresh, struct sigaction* old) {
  if (!valid(signal) || ((unblockable | libc_internal) & bit(signal))) return real().sigaction(signal, fresh, old);
  Locked locked;
  const struct sigaction before = all.actions[signal];
  if (fresh) {
    all.actions[signal] = *fresh;
    install(signal);
    // POSIX: setting a disposition that ignores discards what is pending.
    if (ignored(signal)) {
      discard(all.process, bit(signal));
      runtime().hub().for_each_thread([&](GreenThread& thread) { discard(thread.signals, bit(signal)); });
    }
  }
  if (old) *old = before;
  return 0;
}

int alternate_stack(GreenThread& me, const stack_t* fresh, stack_t* old) {
  stack_t& current = me.signals.alternate;
  const stack_t before = current;
  const bool in_use = within(current, __builtin_frame_address(0));
  if (fresh) {
    constexpr int autodisarm = 1 << 31;  // SS_AUTODISARM, of <linux/signal.h>
    constexpr size_t kernels_least = 2048;
    const int mode = fresh->ss_flags & ~autodisarm;
    if (in_use) return EPERM;
    if (mode != 0 && mode != SS_DISABLE && mode != SS_ONSTACK) return EINVAL;
    if (mode != SS_DISABLE && fresh->ss_size < kernels_least) return ENOMEM;
    current = mode == SS_DISABLE ? stack_t{nullptr, SS_DISABLE, 0} : stack_t{fresh->ss_sp, 0, fresh->ss_size};
  }
  if (old) {
    *old = before;
    if (in_use) old->ss_flags = SS_ONSTACK;
  }
  return 0;
}

bool combine(int how, uint64_t before, uint64_t set, uint64_t* mask) {
  switch (how) {
    case SIG_BLOCK: *mask = before | set; return true;
    case SIG_UNBLOCK: *mask = before & ~set; return true;
    case SIG_SETMASK: *mask = set; return true;
    default: return false;
  }
}

void set_mask(GreenThread& me, uint64_t mask) {
  change_mask(me, mask);
  run_arrived(me);
}

MaskDuringCall::MaskDuringCall(GreenThread* me, const sigset_t* mask) : me_(mask ? me : nullptr) {
  if (!me_) return;
  before_ = me_->signals.mask;
  deferred_before_ = std::exchange(me_->signals.deferred, true);
  change_mask(*me_, to_bits(*mask));
}

MaskDuringCall::~MaskDuringCall() noexcept(false) {
  if (!me_) return;
  change_mask(*me_, before_);
  me_->signals.deferred = deferred_before_;
  run_arrived(*me_);
}

void cancel_kernel_thread(int tid) { sys::call(SYS_tgkill, sys::call(SYS_getpid), tid, libcs_cancellation); }

// All are blocked: a handler that came in between would set the mask as guv wants it.
DeafToCancellation::DeafToCancellation(bool deaf) : deaf_(deaf) {
  constexpr uint64_t everything = ~uint64_t{0};
  if (deaf_) sys::call(SYS_rt_sigprocmask, SIG_SETMASK, &everything, &before_, sys::signal_set_size);
}

DeafToCancellation::~DeafToCancellation() {
  if (!deaf_) return;
  constexpr uint64_t it = bit(libcs_cancellation);
  const timespec at_once{0, 0};
  sys::call(SYS_rt_sigtimedwait, &it, nullptr, &at_once, sys::signal_set_size);
  set_kernel_mask(before_);
}

void interrupt_kernel_thread(int tid) {
  siginfo_t info{};
  info.si_signo = guvs_own;
  info.si_code = from_guv;
  sys::call(SYS_rt_tgsigqueueinfo, sys::call(SYS_getpid), tid, guvs_own, &info);
}

void let_interruptions_through() { set_kernel_mask(~(libc_internal | bit(guvs_own))); }
void hold_interruptions() { set_kernel_mask(~libc_internal); }

uint64_t take_raised() {
  uint64_t any = 0;
  sys::call(SYS_rt_sigpending, &any, sys::signal_set_size);
  if (!(any & raised_by_calls)) [[likely]] return 0;
  const uint64_t raised = pending_for_this_thread() & raised_by_calls;
  // The kernel gives the thread's own before what was sent to the process.
  const timespec at_once{0, 0};
  for (uint64_t left = raised; left; left &= left - 1) {
    const uint64_t one = left & -left;
    sys::call(SYS_rt_sigtimedwait, &one, nullptr, &at_once, sys::signal_set_size);
  }
  return raised;
}

void raise_taken(GreenThread& me, uint64_t raised) {
  for (; raised; raised &= raised - 1) {
    siginfo_t info = from_this_thread(__builtin_ctzll(raised) + 1);
    info.si_code = SI_USER;
    send(me, info);
  }
}

siginfo_t from_this_thread(int signal) {
  siginfo_t info{};
  info.si_signo = signal;
  info.si_code = SI_TKILL;
  info.si_pid = static_cast<pid_t>(sys::call(SYS_getpid));
  info.si_uid = static_cast<uid_t>(sys::call(SYS_getuid));
  return info;
}

int send(GreenThread& target, const siginfo_t& info) {
  const int signal = info.si_signo;
  if (signal == 0) return 0;
  if (!valid(signal)) return EINVAL;
  if (target.state == State::finished) return 0;
  if (!(target.signals.mask & bit(signal)) && !(target.signals.awaited & bit(signal))) {
    if (ignored(signal)) return 0;
    if (!has_handler(all.actions[signal])) {
      take_default_action(signal);
      return 0;
    }
  }
  {
    Locked locked;
    if (!enqueue(target.signals, info, false)) return EAGAIN;
  }
  if (&target == self()) {
    run_arrived(target);
  } else {
    Hub::unpark(&target);
  }
  return 0;
}

Ran run_pending(GreenThread& me) {
  Ran ran;
  // What arrives between handlers is run by this loop, and not on top of it.
  const Deferred meanwhile(me);
  for (;;) {
    siginfo_t info;
    {
      Locked locked;
      if (!dequeue(me.signals, ~me.signals.mask, &info)) return ran;
    }
    const Ran one = invoke(me, info, nullptr);
    ran.any |= one.any;
    ran.restart &= !one.any || one.restart;
  }
}

void run_arrived(GreenThread& me) {
  if (deliverable(me) && !me.signals.deferred) [[unlikely]] run_pending(me);
}

int take_awaited(GreenThread& me, uint64_t set, siginfo_t* info) {
  {
    Locked locked;
    if (dequeue(me.signals, set, info) || dequeue(all.process, set, info)) return info->si_signo;
  }
  const timespec at_once{0, 0};
  const long signal = sys::call(SYS_rt_sigtimedwait, &set, info, &at_once, sys::signal_set_size);
  if (sys::failed(signal)) return 0;
  const auto [target, alone, gone] = addressee(*info, &me);
  if (target == &me || !alone) return static_cast<int>(signal);
  if (!gone) leave_for(target, *info, false);
  return 0;
}

void await(GreenThread& me, uint64_t set) {
  Critical critical;
  me.signals.awaited = set;
  if ((set & ~all.awaited) == 0) return;
  all.awaited |= set;
  if (all.signal_fd < 0) {
    make_signal_fd();
  } else {
    sys::call(SYS_signalfd4, all.signal_fd, &all.awaited, sys::signal_set_size, SFD_CLOEXEC | SFD_NONBLOCK);
  }
}

void add_timer(GreenThread& thread, ThreadTimer& timer, int signal) {
  Locked locked;
  timer.thread = &thread;
  all.timers.push_back(&timer);
  all.sent_by_timers |= bit(signal);
  install(signal);
}

ThreadTimer* remove_timer(int id) {
  Locked locked;
  ThreadTimer* const timer = find_timer(id);
  if (timer) timer->unlink();
  return timer;
}

uint64_t pending(const GreenThread& me) {
  uint64_t kernel = 0;
  sys::call(SYS_rt_sigpending, &kernel, sys::signal_set_size);
  return (kernel | me.signals.pending_set | all.process.pending_set) & me.signals.mask;
}

void inherit_mask(const GreenThread& creator, GreenThread& thread) {
  ++all.thread_count;
  thread.signals.mask = creator.signals.mask;
  count_blocked(thread.signals.mask, 1);
}

void begin_with_mask(GreenThread& thread, const sigset_t& mask) { account(thread, to_bits(mask)); }

void forget(GreenThread& thread) {
  // It has left the hub's list and is finished: another is chosen.
  if (thread.signals.pending_set) [[unlikely]] pass_on(thread, ~uint64_t{0});
  if (thread.signals.pending_set) [[unlikely]] {
    Locked locked;
    discard(thread.signals, ~uint64_t{0});
  }
  for (ThreadTimer* timer = all.timers.front(); timer; timer = all.timers.next(timer)) {
    if (timer->thread == &thread) timer->thread = nullptr;
  }
  --all.thread_count;
  count_blocked(thread.signals.mask, -1);
  thread.signals.mask = 0;
  update_kernel_mask();
}

// It was held until the end of a critical section.
void take(const siginfo_t& info) {
  const auto [target, alone, gone] = addressee(info, runtime().hub().current());
  if (!gone) leave_for(target, info, !alone);
}

uint64_t mask_of_kernel_thread() { return all.kernel_mask; }

void unblock_after_hold() { set_kernel_mask(all.kernel_mask); }

void unblock_on_kernel_thread() {
  per_thread.signal_waits = false;
  set_kernel_mask(per_thread.mask_then);
}

// ---- other processes --------------------------------------------------------------------------------------------

void before_fork() {
  if (per_thread.hub) set_kernel_mask(~libc_internal);
}

void after_fork_in_parent() {
  if (per_thread.hub) set_kernel_mask(all.kernel_mask);
}

void after_fork(GreenThread& survivor) {
  const uint64_t mask = survivor.signals.mask;
  all.lock.reset();
  memset(all.blocked_by, 0, sizeof all.blocked_by);
  all.blocked_by_some = 0;
  memset(all.taken, 0, sizeof all.taken);
  all.congested = 0;
  // A child begins with no pending signals (fork(2)).
  all.free_nodes.abandon();
  for (Chunk* chunk = all.chunks; chunk; chunk = chunk->next) {
    for (auto& node : chunk->nodes) {
      node.reset();
      all.free_nodes.push_back(&node);
    }
  }
  for (ThreadSignals* signals : {&survivor.signals, &all.process}) {
    signals->pending.abandon();
    signals->pending_set = 0;
  }
  survivor.signals.awaited = all.awaited = 0;
  all.timers.abandon();  // timer_create(2): not inherited
  if (all.signal_fd >= 0) {
    private_fd::forget(all.signal_fd);
    sys::call(SYS_close, all.signal_fd);
    all.signal_fd = -1;
  }
  all.thread_count = 1;
  survivor.signals.mask = 0;
  all.kernel_mask = ~uint64_t{0};  // whatever it is: it is set now
  count_blocked(mask, 1);
  survivor.signals.mask = mask;
  update_kernel_mask();
}

MaskAsThread::MaskAsThread() : active_(self() && self()->signals.mask != all.kernel_mask) {
  if (active_) set_kernel_mask(self()->signals.mask);
}

MaskAsThread::~MaskAsThread() {
  if (active_) set_kernel_mask(all.kernel_mask);
}

WithMask::WithMask(uint64_t mask) { sys::call(SYS_rt_sigprocmask, SIG_SETMASK, &mask, &before_, sys::signal_set_size); }

WithMask::~WithMask() { set_kernel_mask(before_); }

PendingAsThread::PendingAsThread() : active_(self() && self()->signals.pending_set) {
  if (!active_) return;
  const Locked locked;
  siginfo_t info;
  while (dequeue(self()->signals, ~uint64_t{0}, &info)) give_back(&info);
}

PendingAsThread::~PendingAsThread() {
  if (!active_) return;
  const Locked locked;
  take_over_pending(*self());
}

void NativeScope::begin(GreenThread& me) {
  // The hub goes first: from then on signals are taken as on any kernel thread.
  per_thread.hub = nullptr;
  per_thread.self = nullptr;
  if (me.signals.mask != all.kernel_mask) set_kernel_mask(me.signals.mask);
}

void NativeScope::end(GreenThread& me) {
  if (me.signals.mask != all.kernel_mask) set_kernel_mask(all.kernel_mask);
  per_thread.self = &me;
  per_thread.hub = me.hub;
}

}  // namespace guv::signals
