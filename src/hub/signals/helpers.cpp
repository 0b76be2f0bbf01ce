// Between the hub and threads away on helpers: what interrupts them, and what their calls raise.
#include "hub/signals/rooms.hpp"

#include <signal.h>

#include "base/sys.hpp"
#include "hub/hub.hpp"

namespace guv::signals {

namespace {

constexpr int libcs_cancellation = 32;

}  // namespace

void cancel_kernel_thread(int tid) { sys::call(SYS_tgkill, sys::call(SYS_getpid), tid, libcs_cancellation); }

// All are blocked: a handler that came in between would set the mask as guv wants it.
DeafToCancellation::DeafToCancellation(bool deaf) {
  if (deaf) everything_.emplace(~uint64_t{0});
}

DeafToCancellation::~DeafToCancellation() {
  if (!everything_) return;
  constexpr uint64_t it = bit(libcs_cancellation);
  const timespec at_once{0, 0};
  sys::call(SYS_rt_sigtimedwait, &it, nullptr, &at_once, sys::signal_set_size);
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

}  // namespace guv::signals
