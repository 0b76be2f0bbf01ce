// Running the program's handlers on green threads: stacks, masks and frames.
#include "hub/signals/rooms.hpp"

#include <errno.h>
#include <ucontext.h>

#include <utility>

#include "arch/signal_stack.hpp"
#include "base/sys.hpp"
#include "hub/hub.hpp"

namespace guv::signals {

namespace {

bool within(const stack_t& stack, const void* address) {
  const auto* where = static_cast<const char*>(address);
  const auto* low = static_cast<const char*>(stack.ss_sp);
  return !(stack.ss_flags & SS_DISABLE) && where > low && where <= low + stack.ss_size;
}

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

}  // namespace

char* alternate_stack_for(const struct sigaction& action, const GreenThread& me, const void* stack_pointer) {
  const stack_t& alternate = me.signals.alternate;
  if (!(action.sa_flags & SA_ONSTACK) || (alternate.ss_flags & SS_DISABLE)) return nullptr;
  return within(alternate, stack_pointer) ? nullptr : static_cast<char*>(alternate.ss_sp) + alternate.ss_size;
}

uint64_t mask_while_handling(uint64_t mask, int signal, const struct sigaction& action) {
  return mask | to_bits(action.sa_mask) | (action.sa_flags & SA_NODEFER ? 0 : bit(signal));
}

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
  if (context) set_kernel_mask(mask_of_kernel_thread());
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

}  // namespace guv::signals
