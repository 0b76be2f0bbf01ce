// Masks: each green thread's own, and what all block for the kernel's.
#include "hub/signals/rooms.hpp"

#include <string.h>

#include <utility>

#include "base/sys.hpp"
#include "hub/hub.hpp"

namespace guv::signals {

namespace {

uint32_t blocked_by[signal_count + 1];  // how many green threads block it
uint64_t blocked_by_some = 0;           // where that is not 0
uint64_t thread_count = 0;
uint64_t kept = 0;                      // back, whoever could take it
uint64_t kernel_mask = 0;               // this hub's, as we set it

template <class Visit>
void for_each_signal(uint64_t set, Visit visit) {
  for (; set; set &= set - 1) visit(__builtin_ctzll(set) + 1);
}

void count_blocked(uint64_t set, int step) {
  for_each_signal(set, [=](int signal) {
    blocked_by[signal] += step;
    blocked_by_some &= ~bit(signal);
    if (blocked_by[signal]) blocked_by_some |= bit(signal);
  });
}

void update_kernel_mask() {
  uint64_t mask = 0;
  for_each_signal(blocked_by_some, [&](int signal) {
    if (blocked_by[signal] == thread_count) mask |= bit(signal);
  });
  mask |= kept;
  if (mask == kernel_mask) return;
  kernel_mask = mask;
  set_kernel_mask(mask);
}

}  // namespace

void begin_masks(GreenThread& main_thread) {
  thread_count = 1;
  sys::call(SYS_rt_sigprocmask, SIG_BLOCK, nullptr, &kernel_mask, sys::signal_set_size);
  account(main_thread, kernel_mask);
}

void masks_after_fork(GreenThread& survivor) {
  const uint64_t mask = std::exchange(survivor.signals.mask, 0);
  memset(blocked_by, 0, sizeof blocked_by);
  blocked_by_some = kept = 0;
  thread_count = 1;
  kernel_mask = ~uint64_t{0};  // whatever it is: it is set now
  count_blocked(mask, 1);
  survivor.signals.mask = mask;
  update_kernel_mask();
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

bool kept_back(int signal) { return kept & bit(signal); }

void keep_back(int signal, bool on) {
  kept = on ? kept | bit(signal) : kept & ~bit(signal);
  update_kernel_mask();
}

void change_mask(GreenThread& me, uint64_t mask) {
  account(me, mask);
  while (of_process().pending_set & ~me.signals.mask) {
    Locked locked;
    siginfo_t info;
    if (!dequeue(of_process(), ~me.signals.mask, &info)) break;
    enqueue(me.signals, info, true);
  }
  if (me.signals.pending_set & me.signals.mask) [[unlikely]] pass_on(me, me.signals.mask);
}

void set_mask(GreenThread& me, uint64_t mask) {
  change_mask(me, mask);
  run_arrived(me);
}

void set_kernel_mask(uint64_t mask) {
  sys::call(SYS_rt_sigprocmask, SIG_SETMASK, &mask, nullptr, sys::signal_set_size);
}

uint64_t mask_of_kernel_thread() { return kernel_mask; }

// The kernel writes no more of it either, and sigemptyset does in some versions of libc.
void from_bits(uint64_t bits, sigset_t* set) {
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

WithMask::WithMask(uint64_t mask) {
  sys::call(SYS_rt_sigprocmask, SIG_SETMASK, &mask, &before_, sys::signal_set_size);
}

WithMask::~WithMask() { set_kernel_mask(before_); }

MaskAsThread::MaskAsThread() : active_(self() && self()->signals.mask != kernel_mask) {
  if (active_) set_kernel_mask(self()->signals.mask);
}

MaskAsThread::~MaskAsThread() {
  if (active_) set_kernel_mask(kernel_mask);
}

void inherit_mask(const GreenThread& creator, GreenThread& thread) {
  ++thread_count;
  thread.signals.mask = creator.signals.mask;
  count_blocked(thread.signals.mask, 1);
}

void leave_masks(GreenThread& thread) {
  --thread_count;
  count_blocked(thread.signals.mask, -1);
  thread.signals.mask = 0;
  update_kernel_mask();
}

void begin_with_mask(GreenThread& thread, const sigset_t& mask) { account(thread, to_bits(mask)); }

void unblock_after_hold() { set_kernel_mask(kernel_mask); }

}  // namespace guv::signals
