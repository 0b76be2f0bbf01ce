// What shall be done with a signal: sigaction(2). The kernel's copy is guv's, the program's is kept here.
#include "hub/signals/rooms.hpp"

#include <signal.h>
#include <ucontext.h>

#include "base/real.hpp"
#include "base/sys.hpp"
#include "hub/hub.hpp"
#include "runtime.hpp"

namespace guv::signals {

namespace {

constexpr uint64_t ignored_by_default = bit(SIGCHLD) | bit(SIGCONT) | bit(SIGURG) | bit(SIGWINCH);

struct sigaction actions[signal_count + 1];  // what the program set
uint64_t by_default_too = 0;

}  // namespace

void begin_dispositions() {
  for (int signal = 1; signal <= signal_count; ++signal) {
    if ((unblockable | libc_internal) & bit(signal)) continue;
    real().sigaction(signal, nullptr, &actions[signal]);
    if (has_handler(actions[signal]) || (always_ours & bit(signal))) install(signal);
  }
}

const struct sigaction& disposition(int signal) { return actions[signal]; }

bool has_handler(const struct sigaction& action) {
  return action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN;
}

bool ignored(int signal) {
  const auto& action = actions[signal];
  return action.sa_handler == SIG_IGN || (action.sa_handler == SIG_DFL && (ignored_by_default & bit(signal)));
}

void install(int signal) {
  const struct sigaction& wanted = actions[signal];
  struct sigaction ours = wanted;
  const bool by_default = (always_ours | by_default_too) & bit(signal) && wanted.sa_handler == SIG_DFL;
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

void install_by_default_too(int signal) {
  by_default_too |= bit(signal);
  install(signal);
}

struct sigaction disposition_at_delivery(int signal) {
  Locked locked;
  const struct sigaction action = actions[signal];
  if (has_handler(action) && (action.sa_flags & SA_RESETHAND)) {
    actions[signal].sa_handler = SIG_DFL;
    actions[signal].sa_flags &= ~SA_SIGINFO;
    install(signal);
  }
  return action;
}

void take_default_action(int signal) {
  struct sigaction plain {};
  plain.sa_handler = SIG_DFL;
  real().sigaction(signal, &plain, nullptr);
  {
    const WithMask all_but_it(~(bit(signal) | libc_internal));
    sys::call(SYS_tgkill, sys::call(SYS_getpid), sys::call(SYS_gettid), signal);
  }
  install(signal);  // it was one that only stops
}

int action(int signal, const struct sigaction* fresh, struct sigaction* old) {
  if (!valid(signal) || ((unblockable | libc_internal) & bit(signal))) return real().sigaction(signal, fresh, old);
  Locked locked;
  const struct sigaction before = actions[signal];
  if (fresh) {
    actions[signal] = *fresh;
    install(signal);
    // POSIX: setting a disposition that ignores discards what is pending.
    if (ignored(signal)) {
      discard(of_process(), bit(signal));
      runtime().hub().for_each_thread([&](GreenThread& thread) { discard(thread.signals, bit(signal)); });
    }
  }
  if (old) *old = before;
  return 0;
}

}  // namespace guv::signals
