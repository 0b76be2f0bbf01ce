// The start, fork, and children that run on a thread's own TCB.
#include "hub/signals/rooms.hpp"

#include <string.h>

#include "base/real.hpp"
#include "base/sys.hpp"
#include "hub/hub.hpp"
#include "runtime.hpp"

namespace guv::signals {

Everything all;

void start(GreenThread& main_thread) {
  begin_queues();
  all.thread_count = 1;
  uint64_t mask = 0;
  sys::call(SYS_rt_sigprocmask, SIG_BLOCK, nullptr, &mask, sys::signal_set_size);
  all.kernel_mask = mask;
  account(main_thread, mask);
  take_over_pending(main_thread);

  make_fault_stack(main_thread);
  for (int signal = 1; signal <= signal_count; ++signal) {
    if ((unblockable | libc_internal) & bit(signal)) continue;
    real().sigaction(signal, nullptr, &all.actions[signal]);
    if (has_handler(all.actions[signal]) || (always_ours & bit(signal))) install(signal);
  }
}

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
