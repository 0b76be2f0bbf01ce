// Signals. signal(7), sigaction(2), pthread_sigmask(3), pthread_kill(3), sigwaitinfo(2), timer_create(2).
//
// Before the start everything is the kernel's. After it a green thread's mask, alternate stack and what pthread_kill sent
// it are guv's, and so are dispositions for everybody; see hub/signals.hpp. What is sent to the process the kernel delivers
// to the hub, and guv's handler finds the thread.
#include <gnu/libc-version.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <new>

#include "hub/signals.hpp"
#include "interpose.hpp"
#include "thread_id.hpp"
#include "wait/signal.hpp"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"  // System V's family, which programs use all the same

namespace guv {

namespace {


int change_action(int signal, const struct sigaction* fresh, struct sigaction* old) {
  // A child of vfork has dispositions of its own.
  const bool kernels = !runtime_started() || signals::NativeScope::active();
  return kernels ? real().sigaction(signal, fresh, old) : signals::action(signal, fresh, old);
}

/// As libc's: 0 or an errno, and libc's own signals stay unblocked.
int change_mask(int how, const sigset_t* set, sigset_t* old) {
  GreenThread* me = self();
  const uint64_t bits = set ? signals::to_bits(*set) & ~signals::libc_internal : 0;
  if (!me) {
    return static_cast<int>(-sys::call(SYS_rt_sigprocmask, how, set ? &bits : nullptr, old, sys::signal_set_size));
  }
  const uint64_t before = me->signals.mask;
  uint64_t mask;
  if (set && !signals::combine(how, before, bits, &mask)) return EINVAL;
  if (old) signals::from_bits(before, old);
  if (set) signals::set_mask(*me, mask);
  return 0;
}

uint64_t mask_now() {
  uint64_t mask = 0;
  change_mask(SIG_BLOCK, nullptr, reinterpret_cast<sigset_t*>(&mask));
  return mask;
}

/// Blocks or unblocks the signals of `bits`; whether any of them was blocked before.
bool change_bits(int how, uint64_t bits) {
  sigset_t set;
  signals::from_bits(bits, &set);
  const uint64_t before = mask_now();
  change_mask(how, &set, nullptr);
  return before & bits;
}

// ---- signal and its family: the flags differ ----------------------------------------------------------------------

uint64_t interrupting;  // siginterrupt(3): signal() leaves out SA_RESTART for these

sighandler_t fail_with_einval() {
  errno = EINVAL;
  return SIG_ERR;
}

sighandler_t set_handler(int signal, sighandler_t handler, int flags, bool block_it) {
  if (handler == SIG_ERR || !signals::valid(signal)) return fail_with_einval();
  struct sigaction fresh {}, old;
  fresh.sa_handler = handler;
  fresh.sa_flags = flags;
  if (block_it) sigaddset(&fresh.sa_mask, signal);
  return change_action(signal, &fresh, &old) == 0 ? old.sa_handler : SIG_ERR;
}

// ---- waiting ----------------------------------------------------------------------------------------------------------

long wait_for_signal(const sigset_t* set, siginfo_t* info, const timespec* timeout) {
  if (timeout && (!valid(*timeout) || timeout->tv_sec < 0)) return -EINVAL;
  const uint64_t wanted = signals::to_bits(*set) & ~(signals::libc_internal | signals::unblockable);
  siginfo_t taken;
  const long result = blocking(
      SignalWait(wanted, timeout ? Deadline::in(*timeout) : Deadline::never()), [&](Mode mode) -> long {
        // libc's own helper threads (timer_create) wait for its own signals.
        if (mode == Mode::native) return sys::call(SYS_rt_sigtimedwait, set, &taken, timeout, sys::signal_set_size);
        const int signal = signals::take_awaited(*self(), wanted, &taken);
        return signal ? signal : -EAGAIN;
      });
  if (result > 0 && info) {
    *info = taken;
    if (info->si_code == SI_TKILL) info->si_code = SI_USER;  // as libc does
  }
  return result;
}

int suspend(const sigset_t* mask) {
  GreenThread* me = self();
  signals::MaskDuringCall during(me, mask);
  return static_cast<int>(sys::result(blocking(SignalWait(0), [&](Mode mode) -> long {
    return mode == Mode::native ? sys::call(SYS_rt_sigsuspend, mask, sys::signal_set_size) : -EAGAIN;
  })));
}

// ---- sending ----------------------------------------------------------------------------------------------------------

int send_to(GreenThread& target, int signal) {
  if (signal != 0 && (!signals::valid(signal) || (signals::libc_internal & signals::bit(signal)))) return EINVAL;
  count_call();
  return signals::send(target, signals::from_this_thread(signal));
}

int or_errno(int error) {
  if (!error) return 0;
  errno = error;
  return -1;
}

// libc's timer_t is the kernel's number, but for SIGEV_THREAD.
int kernel_timer(timer_t timer) { return static_cast<int>(reinterpret_cast<intptr_t>(timer)); }

}  // namespace

}  // namespace guv

using namespace guv;

// ---- dispositions -----------------------------------------------------------------------------------------------------

GUV_INTERPOSE(int, sigaction, (int signal, const struct sigaction* fresh, struct sigaction* old)) {
  return change_action(signal, fresh, old);
}

GUV_INTERPOSE(sighandler_t, signal, (int signal, sighandler_t handler)) {
  const bool restart = signals::valid(signal) && !(interrupting & signals::bit(signal));
  return set_handler(signal, handler, restart ? SA_RESTART : 0, true);
}

GUV_INTERPOSE(sighandler_t, sysv_signal, (int signal, sighandler_t handler)) {
  return set_handler(signal, handler, static_cast<int>(SA_RESETHAND) | SA_NODEFER, false);
}

GUV_INTERPOSE(int, siginterrupt, (int signal, int interrupt)) {
  struct sigaction action;
  if (change_action(signal, nullptr, &action) != 0) return -1;
  interrupting = interrupt ? interrupting | signals::bit(signal) : interrupting & ~signals::bit(signal);
  action.sa_flags = interrupt ? action.sa_flags & ~SA_RESTART : action.sa_flags | SA_RESTART;
  return change_action(signal, &action, nullptr);
}

GUV_INTERPOSE(sighandler_t, sigset, (int signal, sighandler_t handler)) {
  if (handler == SIG_ERR || !signals::valid(signal)) return fail_with_einval();
  struct sigaction old {};
  if (handler == SIG_HOLD) {
    if (change_bits(SIG_BLOCK, signals::bit(signal))) return SIG_HOLD;
    return change_action(signal, nullptr, &old) == 0 ? old.sa_handler : SIG_ERR;
  }
  const sighandler_t before = set_handler(signal, handler, 0, false);
  if (before == SIG_ERR) return SIG_ERR;
  return change_bits(SIG_UNBLOCK, signals::bit(signal)) ? SIG_HOLD : before;
}

GUV_INTERPOSE(int, sighold, (int signal)) {
  if (!signals::valid(signal)) return or_errno(EINVAL);
  change_bits(SIG_BLOCK, signals::bit(signal));
  return 0;
}

GUV_INTERPOSE(int, sigrelse, (int signal)) {
  if (!signals::valid(signal)) return or_errno(EINVAL);
  change_bits(SIG_UNBLOCK, signals::bit(signal));
  return 0;
}

GUV_INTERPOSE(int, sigignore, (int signal)) {
  return set_handler(signal, SIG_IGN, 0, false) == SIG_ERR ? -1 : 0;
}

GUV_INTERPOSE(int, sigaltstack, (const stack_t* fresh, stack_t* old)) {
  GreenThread* me = self();
  return me ? or_errno(signals::alternate_stack(*me, fresh, old)) : real().sigaltstack(fresh, old);
}

// ---- masks ------------------------------------------------------------------------------------------------------------
// sigsetjmp and siglongjmp come to these by libc's entries.

GUV_INTERPOSE(int, pthread_sigmask, (int how, const sigset_t* set, sigset_t* old)) { return change_mask(how, set, old); }

GUV_INTERPOSE(int, sigprocmask, (int how, const sigset_t* set, sigset_t* old)) {
  return or_errno(change_mask(how, set, old));
}

GUV_INTERPOSE(int, sigblock, (int mask)) {
  const auto before = static_cast<int>(mask_now());
  change_bits(SIG_BLOCK, static_cast<unsigned>(mask));
  return before;
}

GUV_INTERPOSE(int, sigsetmask, (int mask)) {
  const auto before = static_cast<int>(mask_now());
  change_bits(SIG_SETMASK, static_cast<unsigned>(mask));
  return before;
}

GUV_INTERPOSE(int, siggetmask, ()) { return static_cast<int>(mask_now()); }
GUV_INTERPOSE(int, sigpending, (sigset_t * set)) {
  GreenThread* me = self();
  if (!me) return static_cast<int>(sys::result(sys::call(SYS_rt_sigpending, set, sys::signal_set_size)));
  signals::from_bits(signals::pending(*me), set);
  return 0;
}

// ---- waiting ----------------------------------------------------------------------------------------------------------

GUV_INTERPOSE(int, sigtimedwait, (const sigset_t* set, siginfo_t* info, const timespec* timeout)) {
  return static_cast<int>(sys::result(wait_for_signal(set, info, timeout)));
}

GUV_INTERPOSE(int, sigwaitinfo, (const sigset_t* set, siginfo_t* info)) {
  return static_cast<int>(sys::result(wait_for_signal(set, info, nullptr)));
}

GUV_INTERPOSE(int, sigwait, (const sigset_t* set, int* signal)) {
  long result;
  do {
    result = wait_for_signal(set, nullptr, nullptr);
  } while (result == -EINTR);
  if (sys::failed(result)) return static_cast<int>(-result);
  *signal = static_cast<int>(result);
  return 0;
}

GUV_INTERPOSE(int, sigsuspend, (const sigset_t* mask)) { return suspend(mask); }

GUV_INTERPOSE(int, pause, ()) {
  return static_cast<int>(sys::result(blocking(SignalWait(0), [](Mode mode) -> long {
    return mode == Mode::native ? sys::call(SYS_ppoll, nullptr, 0, nullptr, nullptr, sys::signal_set_size) : -EAGAIN;
  })));
}

// System V's: removes one signal from the mask. What <signal.h> calls sigpause is this name.
GUV_INTERPOSE_UNDECLARED(int, __xpg_sigpause, (int signal)) {
  if (!signals::valid(signal)) return or_errno(EINVAL);
  sigset_t mask;
  signals::from_bits(mask_now() & ~signals::bit(signal), &mask);
  return suspend(&mask);
}

// BSD's, by its own name: the whole mask.
GUV_INTERPOSE_UNDECLARED(int, sigpause, (int mask)) {
  sigset_t set;
  signals::from_bits(static_cast<unsigned>(mask), &set);
  return suspend(&set);
}

GUV_INTERPOSE_UNDECLARED(int, __sigpause, (int signal_or_mask, int is_signal)) {
  return is_signal ? guv_wrap___xpg_sigpause(signal_or_mask) : guv_wrap_sigpause(signal_or_mask);
}

GUV_INTERPOSE(int, signalfd, (int fd, const sigset_t* set, int flags)) {
  static const auto next = GUV_NEXT(signalfd);
  const int result = next(fd, set, flags);
  if (result >= 0) signals::show_to_descriptors(signals::to_bits(*set));
  return result;
}

// ---- sending ----------------------------------------------------------------------------------------------------------

GUV_INTERPOSE(int, pthread_kill, (pthread_t thread, int signal)) {
  GreenThread* target = green_thread_of(thread);
  return target ? send_to(*target, signal) : real().pthread_kill(thread, signal);
}

GUV_INTERPOSE(int, pthread_sigqueue, (pthread_t thread, int signal, const union sigval value)) {
  GreenThread* target = green_thread_of(thread);
  if (!target) return real().pthread_sigqueue(thread, signal, value);
  if (signal != 0 && (!signals::valid(signal) || (signals::libc_internal & signals::bit(signal)))) return EINVAL;
  siginfo_t info = signals::from_this_thread(signal);
  info.si_code = SI_QUEUE;
  info.si_value = value;
  return signals::send(*target, info);
}

// Linux takes the id of any thread for its process.
GUV_INTERPOSE(int, kill, (pid_t process, int signal)) {
  return static_cast<int>(sys::result(sys::call(SYS_kill, kernel_id(process), signal)));
}

GUV_INTERPOSE(int, sigqueue, (pid_t process, int signal, const union sigval value)) {
  static const auto next = GUV_NEXT(sigqueue);
  return next(kernel_id(process), signal, value);
}

GUV_INTERPOSE(int, tgkill, (pid_t process, pid_t tid, int signal)) {
  GreenThread* target = process == getpid() ? thread_with_tid(tid) : nullptr;
  return target ? or_errno(send_to(*target, signal)) : static_cast<int>(sys::result(sys::call(SYS_tgkill, process, tid, signal)));
}

GUV_INTERPOSE(int, raise, (int signal)) {
  GreenThread* me = self();
  return me ? or_errno(send_to(*me, signal)) : real().raise(signal);
}

// libc's own raises the signal with a thread id that it asks for inside, and changes the kernel's mask for that.
GUV_INTERPOSE(void, abort, ()) {
  static const bool unblocks = strverscmp(gnu_get_libc_version(), "2.41") < 0;
  if (unblocks) change_bits(SIG_UNBLOCK, signals::bit(SIGABRT));
  guv_wrap_raise(SIGABRT);
  signals::take_default_action(SIGABRT);
  __builtin_trap();
}

// ---- timers -----------------------------------------------------------------------------------------------------------

// The kernel sends to its own threads only: to the hub's, where the number of the timer leads to the green thread.
GUV_INTERPOSE(int, timer_create, (clockid_t clock, sigevent* event, timer_t* timer)) {
  static const auto next = GUV_NEXT(timer_create);
  GreenThread* target = event && event->sigev_notify == SIGEV_THREAD_ID ? thread_with_tid(event->_sigev_un._tid) : nullptr;
  if (!target) return next(clock, event, timer);
  auto* const for_thread = new (std::nothrow) signals::ThreadTimer;
  if (!for_thread) return or_errno(EAGAIN);
  sigevent for_hub = *event;
  for_hub._sigev_un._tid = static_cast<pid_t>(sys::call(SYS_gettid));
  const int result = next(clock, &for_hub, timer);
  if (result == 0) {
    for_thread->id = kernel_timer(*timer);
    signals::add_timer(*target, *for_thread, event->sigev_signo);
  } else {
    delete for_thread;
  }
  return result;
}

GUV_INTERPOSE(int, timer_delete, (timer_t timer)) {
  static const auto next = GUV_NEXT(timer_delete);
  const int result = next(timer);
  if (result == 0 && self()) delete signals::remove_timer(kernel_timer(timer));
  return result;
}
