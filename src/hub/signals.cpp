#include "hub/signals.hpp"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/log.hpp"
#include "base/real.hpp"
#include "base/sys.hpp"
#include "hub/hub.hpp"
#include "runtime.hpp"

namespace guv::signals {

namespace {

constexpr int signal_count = 64;
constexpr size_t kernel_set_size = 8;
constexpr uint64_t unblockable = bit(SIGKILL) | bit(SIGSTOP);
constexpr uint64_t libc_internal = bit(32) | bit(33);  // SIGCANCEL, SIGSETXID
constexpr uint64_t ignored_by_default = bit(SIGCHLD) | bit(SIGCONT) | bit(SIGURG) | bit(SIGWINCH);
constexpr uint64_t faults = bit(SIGSEGV) | bit(SIGBUS) | bit(SIGILL) | bit(SIGFPE) | bit(SIGTRAP) | bit(SIGSYS);
constexpr uint64_t always_ours = bit(SIGSEGV) | bit(SIGBUS);
constexpr size_t alternate_stack_size = 64 * 1024;
constexpr int node_count = 1024;

using Handler = void (*)(int, siginfo_t*, void*);

struct Everything {
  struct sigaction actions[signal_count + 1];  // what the program set
  uint32_t blocked_by[signal_count + 1];       // how many green threads block it
  uint64_t blocked_in_all = 0;                 // the sum of those
  uint64_t thread_count = 0;
  uint64_t kernel_mask = 0;                    // this hub's, as we set it
  ThreadSignals process;                       // sent to the process while nobody could take them
  List<PendingSignal> free_nodes;
  int signal_fd = -1;                          // wakes threads in sigwait when the kernel has something for them
  uint64_t awaited = 0;
};

Everything all;
PendingSignal nodes[node_count];

void on_signal(int signal, siginfo_t* info, void* context);

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
  if (has_handler(wanted) || (always_ours & bit(signal) && wanted.sa_handler == SIG_DFL)) {
    ours.sa_sigaction = &on_signal;
    ours.sa_flags = SA_SIGINFO | SA_RESTART | (wanted.sa_flags & (SA_NOCLDSTOP | SA_NOCLDWAIT));
    // Only faults run on guv's alternate stack: they do not park, and may come from an overflown stack.
    if (faults & bit(signal)) ours.sa_flags |= SA_ONSTACK;
    sigfillset(&ours.sa_mask);
  }
  real().sigaction(signal, &ours, nullptr);
}

void count_blocked(uint64_t bits, int step) {
  for (; bits; bits &= bits - 1) {
    all.blocked_by[__builtin_ctzll(bits) + 1] += step;
    all.blocked_in_all += step;
  }
}

void update_kernel_mask() {
  uint64_t mask = 0;
  if (all.blocked_in_all == 0 && all.kernel_mask == 0) return;
  for (int signal = 1; signal <= signal_count; ++signal) {
    if (all.blocked_by[signal] && all.blocked_by[signal] == all.thread_count) mask |= bit(signal);
  }
  if (mask == all.kernel_mask) return;
  all.kernel_mask = mask;
  set_kernel_mask(mask);
}

// Records the new mask; the kernel's follows if everybody's intersection changed.
void account(GreenThread& thread, uint64_t mask) {
  mask &= ~(unblockable | libc_internal);
  const uint64_t changed = thread.signals.mask ^ mask;
  if (!changed) return;
  count_blocked(changed & mask, 1);
  count_blocked(changed & ~mask, -1);
  thread.signals.mask = mask;
  update_kernel_mask();
}

bool enqueue(ThreadSignals& where, const siginfo_t& info) {
  // Standard signals do not queue: one pending is enough (signal(7)).
  if ((where.pending_set & bit(info.si_signo)) && info.si_signo < SIGRTMIN) return true;
  PendingSignal* node = all.free_nodes.pop_front();
  if (!node) return false;
  node->info = info;
  where.pending.push_back(node);
  where.pending_set |= bit(info.si_signo);
  return true;
}

// Lowest number first, as the kernel does; the oldest of that number.
bool dequeue(ThreadSignals& where, uint64_t allowed, siginfo_t* info) {
  const uint64_t candidates = where.pending_set & allowed;
  if (!candidates) return false;
  const int signal = __builtin_ctzll(candidates) + 1;
  PendingSignal* found = nullptr;
  bool more = false;
  for (PendingSignal* node = where.pending.front(); node; node = where.pending.next(node)) {
    if (node->info.si_signo != signal) continue;
    if (found) {
      more = true;
      break;
    }
    found = node;
  }
  if (!more) where.pending_set &= ~bit(signal);
  if (!found) return false;
  *info = found->info;
  found->unlink();
  all.free_nodes.push_back(found);
  return true;
}

// The default action, with the kernel's own hand: everything else about it (core, status, stop) is then right.
void take_default_action(const siginfo_t& info) {
  struct sigaction plain {};
  plain.sa_handler = SIG_DFL;
  const int signal = info.si_signo;
  real().sigaction(signal, &plain, nullptr);
  const uint64_t before = all.kernel_mask;
  set_kernel_mask(before & ~bit(signal));
  sys::call(SYS_tgkill, sys::call(SYS_getpid), sys::call(SYS_gettid), signal);
  set_kernel_mask(before);
  install(signal);  // it was one that only stops
}

// Runs the program's handler on the calling green thread.
Ran invoke(GreenThread& me, const siginfo_t& info, void* context) {
  const int signal = info.si_signo;
  const struct sigaction action = all.actions[signal];
  if (!has_handler(action)) {
    if (!ignored(signal)) take_default_action(info);
    return {};
  }
  if (action.sa_flags & SA_RESETHAND) {
    all.actions[signal].sa_handler = SIG_DFL;
    all.actions[signal].sa_flags &= ~SA_SIGINFO;
    install(signal);
  }
  const int saved_errno = errno;
  const uint64_t mask_before = me.signals.mask;
  uint64_t mask = mask_before | to_bits(action.sa_mask);
  if (!(action.sa_flags & SA_NODEFER)) mask |= bit(signal);
  {
    Critical critical;
    account(me, mask);
  }
  ++me.signals.handler_depth;
  if (action.sa_flags & SA_SIGINFO) {
    siginfo_t copy = info;
    if (context) {
      action.sa_sigaction(signal, &copy, context);
    } else {
      ucontext_t here;
      getcontext(&here);
      from_bits(mask_before, &here.uc_sigmask);
      action.sa_sigaction(signal, &copy, &here);
    }
  } else {
    action.sa_handler(signal);
  }
  --me.signals.handler_depth;
  {
    Critical critical;
    account(me, mask_before);
  }
  errno = saved_errno;
  return {true, (action.sa_flags & SA_RESTART) != 0};
}

GreenThread* choose(int signal) {
  Hub& hub = runtime().hub();
  const uint64_t wanted = bit(signal);
  auto eligible = [&](const GreenThread& thread) {
    return thread.state != State::finished && (!(thread.signals.mask & wanted) || (thread.signals.awaited & wanted));
  };
  GreenThread& first = runtime().main_thread();
  if (eligible(first)) return &first;
  if (GreenThread* running = hub.current(); running && eligible(*running)) return running;
  GreenThread* found = nullptr;
  hub.for_each_thread([&](GreenThread& thread) {
    if (!found && eligible(thread)) found = &thread;
  });
  return found;
}

bool directed_at_thread(const siginfo_t& info) {
  return info.si_code == SI_TKILL && info.si_pid == static_cast<pid_t>(sys::call(SYS_getpid));
}

bool is_fault(const siginfo_t& info) { return info.si_code > 0 && (faults & bit(info.si_signo)); }

void report_overflow(const siginfo_t& info, const StackSlot& slot) {
  GreenThread* thread = per_thread.owner;
  if (!thread || thread->slot.base != slot.base) {
    say("stack overflow at %p, in a stack that is not the running thread's", info.si_addr);
    return;
  }
  say("green thread %llu \"%s\" overflowed its %zu KiB stack (ask for a larger one: guv-run --stack-size)",
      static_cast<unsigned long long>(thread->id), thread->name, thread->stack_size / 1024);
}

void handle_fault(siginfo_t* info, void* context) {
  const int signal = info->si_signo;
  if (signal == SIGSEGV || signal == SIGBUS) {
    if (StackSlot slot = runtime().hub().stacks().find_guard(info->si_addr)) report_overflow(*info, slot);
  }
  if (!has_handler(all.actions[signal])) {
    // Back to the faulting instruction: the kernel's own action follows.
    real().sigaction(signal, &all.actions[signal], nullptr);
    return;
  }
  if (GreenThread* me = per_thread.owner) {
    invoke(*me, *info, context);
  } else {
    all.actions[signal].sa_sigaction(signal, info, context);
  }
}

// Runs on whatever the hub's kernel thread (or a native one) was doing, with all signals blocked.
void on_signal(int signal, siginfo_t* info, void* raw_context) {
  const int saved_errno = errno;
  auto* context = static_cast<ucontext_t*>(raw_context);
  Hub* hub = per_thread.hub;
  if (is_fault(*info)) {
    handle_fault(info, context);
  } else if (!hub) {
    if (per_thread.critical > 0) {
      // Back to the kernel, to be held until the critical section ends.
      per_thread.signal_waits = true;
      per_thread.mask_then = to_bits(context->uc_sigmask);
      sys::call(SYS_rt_tgsigqueueinfo, sys::call(SYS_getpid), sys::call(SYS_gettid), signal, info);
      sigfillset(&context->uc_sigmask);
    } else if (has_handler(all.actions[signal])) {
      const struct sigaction action = all.actions[signal];
      set_kernel_mask(to_bits(context->uc_sigmask) | to_bits(action.sa_mask) | (action.sa_flags & SA_NODEFER ? 0 : bit(signal)));
      if (action.sa_flags & SA_SIGINFO) {
        action.sa_sigaction(signal, info, context);
      } else {
        action.sa_handler(signal);
      }
    }
  } else if (hub->in_critical()) {
    hub->hold_signal(*info);
    sigfillset(&context->uc_sigmask);
  } else {
    // The mask of the kernel thread is that of no thread in particular: back to it before the handler may park.
    set_kernel_mask(all.kernel_mask);
    GreenThread* me = per_thread.owner;
    if (me && directed_at_thread(*info) && !(me->signals.mask & bit(signal))) {
      invoke(*me, *info, context);
    } else if (me && choose(signal) == me && !(me->signals.mask & bit(signal))) {
      invoke(*me, *info, context);
      run_pending(*me);
    } else {
      take(*info);
    }
    from_bits(all.kernel_mask, &context->uc_sigmask);
  }
  errno = saved_errno;
}

void make_signal_fd() {
  const long fd = sys::call(SYS_signalfd4, -1, &all.awaited, kernel_set_size, SFD_CLOEXEC | SFD_NONBLOCK);
  if (sys::failed(fd)) return;
  all.signal_fd = private_fd::hide(static_cast<int>(fd));
  runtime().hub().poller().watch_own(
      all.signal_fd,
      [](void*) {
        runtime().hub().for_each_thread([](GreenThread& thread) {
          if (thread.signals.awaited) Hub::unpark(&thread);
        });
      },
      nullptr);
}

}  // namespace

void from_bits(uint64_t bits, sigset_t* set) {
  sigemptyset(set);
  *reinterpret_cast<uint64_t*>(set) = bits;
}

uint64_t block_all() {
  const uint64_t everything = ~uint64_t{0};
  uint64_t before = 0;
  sys::call(SYS_rt_sigprocmask, SIG_SETMASK, &everything, &before, kernel_set_size);
  return before;
}

void set_kernel_mask(uint64_t mask) { sys::call(SYS_rt_sigprocmask, SIG_SETMASK, &mask, nullptr, kernel_set_size); }

void start(GreenThread& main_thread) {
  for (auto& node : nodes) all.free_nodes.push_back(&node);
  all.thread_count = 1;
  uint64_t mask = 0;
  sys::call(SYS_rt_sigprocmask, SIG_BLOCK, nullptr, &mask, kernel_set_size);
  all.kernel_mask = mask;
  account(main_thread, mask);

  void* stack = mmap(nullptr, alternate_stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (stack != MAP_FAILED) {
    stack_t alternate{};
    alternate.ss_sp = stack;
    alternate.ss_size = alternate_stack_size;
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
  Critical critical;
  const struct sigaction before = all.actions[signal];
  if (fresh) {
    all.actions[signal] = *fresh;
    install(signal);
    // POSIX: setting a disposition that ignores discards what is pending.
    if (ignored(signal)) {
      siginfo_t discarded;
      runtime().hub().for_each_thread([&](GreenThread& thread) {
        while (dequeue(thread.signals, bit(signal), &discarded)) {
        }
      });
    }
  }
  if (old) *old = before;
  return 0;
}

void set_mask(GreenThread& me, uint64_t mask) {
  {
    Critical critical;
    account(me, mask);
    // What the process was sent while nobody could take it.
    siginfo_t info;
    while (dequeue(all.process, ~me.signals.mask, &info)) enqueue(me.signals, info);
  }
  if (deliverable(me)) run_pending(me);
}

int change_mask(GreenThread& me, int how, const sigset_t* set, sigset_t* old) {
  const uint64_t before = me.signals.mask;
  if (set) {
    const uint64_t bits = to_bits(*set);
    uint64_t mask;
    switch (how) {
      case SIG_BLOCK: mask = before | bits; break;
      case SIG_UNBLOCK: mask = before & ~bits; break;
      case SIG_SETMASK: mask = bits; break;
      default: return EINVAL;
    }
    if (old) from_bits(before, old);
    set_mask(me, mask);
    return 0;
  }
  if (old) from_bits(before, old);
  return 0;
}

int send(GreenThread& target, const siginfo_t& info) {
  const int signal = info.si_signo;
  if (signal == 0) return 0;
  if (!valid(signal)) return EINVAL;
  if (target.state == State::finished) return 0;
  const bool blocked = target.signals.mask & bit(signal);
  const bool awaited = target.signals.awaited & bit(signal);
  if (!blocked && !awaited) {
    if (ignored(signal)) return 0;
    if (!has_handler(all.actions[signal])) {
      take_default_action(info);
      return 0;
    }
    if (&target == self()) {
      invoke(target, info, nullptr);
      return 0;
    }
  }
  Critical critical;
  if (!enqueue(target.signals, info)) return EAGAIN;
  if (!blocked || awaited) Hub::unpark(&target);
  return 0;
}

Ran run_pending(GreenThread& me) {
  Ran ran;
  siginfo_t info;
  for (;;) {
    {
      Critical critical;
      if (!dequeue(me.signals, ~me.signals.mask, &info)) return ran;
    }
    const Ran one = invoke(me, info, nullptr);
    ran.any |= one.any;
    if (one.any) ran.restart &= one.restart;
  }
}

int take_awaited(GreenThread& me, uint64_t set, siginfo_t* info) {
  {
    Critical critical;
    if (dequeue(me.signals, set, info) || dequeue(all.process, set, info)) return info->si_signo;
  }
  const timespec at_once{0, 0};
  const long signal = sys::call(SYS_rt_sigtimedwait, &set, info, &at_once, kernel_set_size);
  return signal > 0 ? static_cast<int>(signal) : 0;
}

void await(GreenThread& me, uint64_t set) {
  Critical critical;
  me.signals.awaited = set;
  if (!set) return;
  all.awaited |= set;
  if (all.signal_fd < 0) {
    make_signal_fd();
  } else {
    sys::call(SYS_signalfd4, all.signal_fd, &all.awaited, kernel_set_size, SFD_CLOEXEC | SFD_NONBLOCK);
  }
}

uint64_t pending(const GreenThread& me) {
  uint64_t kernel = 0;
  sys::call(SYS_rt_sigpending, &kernel, kernel_set_size);
  return (kernel | me.signals.pending_set | all.process.pending_set) & me.signals.mask;
}

void inherit_mask(const GreenThread& creator, GreenThread& thread) {
  ++all.thread_count;
  thread.signals.mask = creator.signals.mask;
  count_blocked(thread.signals.mask, 1);
}

void forget(GreenThread& thread) {
  siginfo_t discarded;
  while (dequeue(thread.signals, ~uint64_t{0}, &discarded)) {
  }
  --all.thread_count;
  count_blocked(thread.signals.mask, -1);
  thread.signals.mask = 0;
  update_kernel_mask();
}

// The signal was sent to the process and nobody can run it right here: gives it to the thread that shall.
void take(const siginfo_t& info) {
  Critical critical;
  GreenThread* running = runtime().hub().current();
  GreenThread* target = directed_at_thread(info) && running ? running : choose(info.si_signo);
  if (!target) {
    enqueue(all.process, info);
    return;
  }
  enqueue(target->signals, info);
  if (target != running) Hub::unpark(target);
}

void unblock_after_hold() { set_kernel_mask(all.kernel_mask); }

void unblock_on_kernel_thread() {
  per_thread.signal_waits = false;
  set_kernel_mask(per_thread.mask_then);
}

void after_fork(GreenThread& survivor) {
  const uint64_t mask = survivor.signals.mask;
  memset(all.blocked_by, 0, sizeof all.blocked_by);
  all.blocked_in_all = 0;
  // A child begins with no pending signals (fork(2)).
  all.free_nodes.abandon();
  for (auto& node : nodes) {
    node.next = node.previous = &node;
    all.free_nodes.push_back(&node);
  }
  survivor.signals.pending.abandon();
  survivor.signals.pending_set = 0;
  all.process.pending.abandon();
  all.process.pending_set = 0;
  all.thread_count = 1;
  survivor.signals.mask = 0;
  all.kernel_mask = ~uint64_t{0};
  account(survivor, mask);
  update_kernel_mask();
  all.awaited = 0;
  if (all.signal_fd >= 0) {
    private_fd::forget(all.signal_fd);
    sys::call(SYS_close, all.signal_fd);
    all.signal_fd = -1;
  }
}

MaskAsThread::MaskAsThread() : active_(self() && self()->signals.mask != all.kernel_mask) {
  if (active_) set_kernel_mask(self()->signals.mask);
}

MaskAsThread::~MaskAsThread() {
  if (active_) set_kernel_mask(all.kernel_mask);
}

}  // namespace guv::signals
