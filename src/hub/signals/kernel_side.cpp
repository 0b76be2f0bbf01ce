// Where the kernel enters: guv's handler of all signals that have one.
#include "hub/signals/rooms.hpp"

#include <errno.h>
#include <ucontext.h>

#include "arch/signal_stack.hpp"
#include "base/log.hpp"
#include "base/mapping.hpp"
#include "base/real.hpp"
#include "base/sys.hpp"
#include "hub/hub.hpp"
#include "hub/offload.hpp"
#include "runtime.hpp"

namespace guv::signals {

namespace {

constexpr size_t fault_stack_size = 64 * 1024;
char* fault_stack = nullptr;  // the kernel's alternate stack

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
  const struct sigaction action = disposition(signal);
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
    mask_in(*context) = mask_of_kernel_thread();
  } else {
    HandlerCall{action, *info, context}();
  }
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
  mask_in(*context) = mask_of_kernel_thread();
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
  const struct sigaction& action = disposition(info.si_signo);
  if (!has_handler(action)) return nullptr;
  char* const interrupted = stack_pointer_of(context);
  if (char* top = alternate_stack_for(action, *me, interrupted)) return top;
  if (overflown_stack(info)) return nullptr;
  constexpr int red_zone = 128;
  const auto* here = static_cast<char*>(__builtin_frame_address(0));
  const bool on_fault_stack = here >= fault_stack && here < fault_stack + fault_stack_size;
  return on_fault_stack && interrupted ? interrupted - red_zone : nullptr;
}

}  // namespace

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

void make_fault_stack(GreenThread& main_thread) {
  void* const stack = map_memory(fault_stack_size);
  if (!stack) return;
  stack_t alternate{};
  alternate.ss_sp = stack;
  alternate.ss_size = fault_stack_size;
  fault_stack = static_cast<char*>(stack);
  real().sigaltstack(&alternate, &main_thread.signals.alternate);
}

void unblock_on_kernel_thread() {
  per_thread.signal_waits = false;
  set_kernel_mask(per_thread.mask_then);
}

}  // namespace guv::signals
