// Masks: each green thread's own, and what all block for the kernel's.
#include "hub/signals/rooms.hpp"

#include <utility>

#include "base/sys.hpp"
#include "hub/hub.hpp"

namespace guv::signals {

namespace {

template <class Visit>
void for_each_signal(uint64_t set, Visit visit) {
  for (; set; set &= set - 1) visit(__builtin_ctzll(set) + 1);
}

}  // namespace

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

void set_mask(GreenThread& me, uint64_t mask) {
  change_mask(me, mask);
  run_arrived(me);
}

void set_kernel_mask(uint64_t mask) { sys::call(SYS_rt_sigprocmask, SIG_SETMASK, &mask, nullptr, sys::signal_set_size); }

uint64_t mask_of_kernel_thread() { return all.kernel_mask; }

void from_bits(uint64_t bits, sigset_t* set) {
  sigemptyset(set);
  *reinterpret_cast<uint64_t*>(set) = bits;
}

bool combine(int how, uint64_t before, uint64_t set, uint64_t* mask) {
  switch (how) {
    case SIG_BLOCK: *mask = before | set; return true;
    case SIG_UNBLOCK: *mask = before & ~set; return true;
    case SIG_SETMASK: *mask = set; return true;
    default: return false;
  }
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

WithMask::WithMask(uint64_t mask) { sys::call(SYS_rt_sigprocmask, SIG_SETMASK, &mask, &before_, sys::signal_set_size); }

WithMask::~WithMask() { set_kernel_mask(before_); }

MaskAsThread::MaskAsThread() : active_(self() && self()->signals.mask != all.kernel_mask) {
  if (active_) set_kernel_mask(self()->signals.mask);
}

MaskAsThread::~MaskAsThread() {
  if (active_) set_kernel_mask(all.kernel_mask);
}

void inherit_mask(const GreenThread& creator, GreenThread& thread) {
  ++all.thread_count;
  thread.signals.mask = creator.signals.mask;
  count_blocked(thread.signals.mask, 1);
}

void begin_with_mask(GreenThread& thread, const sigset_t& mask) { account(thread, to_bits(mask)); }

void unblock_after_hold() { set_kernel_mask(all.kernel_mask); }

}  // namespace guv::signals
