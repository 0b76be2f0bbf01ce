// The start, fork, and children that run on a thread's own TCB.
#include "hub/signals/rooms.hpp"

#include "hub/hub.hpp"

namespace guv::signals {

void start(GreenThread& main_thread) {
  begin_queues();
  begin_masks(main_thread);
  take_over_pending(main_thread);
  make_fault_stack(main_thread);
  begin_dispositions();
}

void before_fork() {
  if (per_thread.hub) set_kernel_mask(~libc_internal);
}

void after_fork_in_parent() {
  if (per_thread.hub) set_kernel_mask(mask_of_kernel_thread());
}

void after_fork(GreenThread& survivor) {
  Locked::after_fork();
  queues_after_fork(survivor);
  timers_after_fork();
  masks_after_fork(survivor);
}

void NativeScope::begin(GreenThread& me) {
  // The hub goes first: from then on signals are taken as on any kernel thread.
  per_thread.hub = nullptr;
  per_thread.self = nullptr;
  if (me.signals.mask != mask_of_kernel_thread()) set_kernel_mask(me.signals.mask);
}

void NativeScope::end(GreenThread& me) {
  if (me.signals.mask != mask_of_kernel_thread()) set_kernel_mask(mask_of_kernel_thread());
  per_thread.self = &me;
  per_thread.hub = me.hub;
}

}  // namespace guv::signals
