// Who gets a signal.
#include "hub/signals/rooms.hpp"

#include <unistd.h>

#include "base/sys.hpp"
#include "hub/hub.hpp"
#include "hub/offload.hpp"
#include "runtime.hpp"

namespace guv::signals {

namespace {

List<ThreadTimer> timers;

bool reachable(const GreenThread& thread) {
  return thread.state != State::elsewhere || (thread.trip && thread.trip->reach.on_signal != OnSignal::wait);
}

// Whom the kernel would choose: the main thread, else one that is running, else any. Those away on a helper whose call
// is not to be interrupted come last: they take signals only when they are back.
GreenThread* choose(int signal) {
  Hub& hub = runtime().hub();
  const uint64_t wanted = bit(signal);
  auto eligible = [&](const GreenThread& thread) {
    return thread.state != State::finished && (!(thread.signals.mask & wanted) || (thread.signals.awaited & wanted));
  };
  GreenThread& first = runtime().main_thread();
  if (eligible(first) && reachable(first)) return &first;
  if (GreenThread* running = hub.current(); running && eligible(*running)) return running;
  GreenThread* found = nullptr;
  hub.for_each_thread([&](GreenThread& thread) {
    if (eligible(thread) && (!found || !reachable(*found))) found = &thread;
  });
  return found;
}

// What tgkill sent from here, and what the running thread's own system call brought about, which looks as if it had
// been sent by kill.
bool directed_at_thread(const siginfo_t& info) {
  const bool by_its_call = info.si_code == SI_USER && (raised_by_calls & bit(info.si_signo));
  return (info.si_code == SI_TKILL || by_its_call) && info.si_pid == static_cast<pid_t>(sys::call(SYS_getpid));
}

ThreadTimer* find_timer(int id) {
  for (ThreadTimer* timer = timers.front(); timer; timer = timers.next(timer)) {
    if (timer->id == id) return timer;
  }
  return nullptr;
}

}  // namespace

Addressee addressee(const siginfo_t& info, GreenThread* running) {
  if (info.si_code == SI_TIMER) {
    if (const ThreadTimer* timer = find_timer(info.si_timerid)) return {timer->thread, true, !timer->thread};
  }
  if (running && directed_at_thread(info)) return {running, true};
  return {choose(info.si_signo), false};
}

void leave_for(GreenThread* target, const siginfo_t& info, bool for_process) {
  {
    Locked locked;
    enqueue(target ? target->signals : of_process(), info, for_process);
  }
  if (target) Hub::unpark(target);
}

void pass_on(GreenThread& thread, uint64_t set) {
  uint64_t movable = 0;
  for (PendingSignal* node = thread.signals.pending.front(); node; node = thread.signals.pending.next(node)) {
    if (node->for_process) movable |= bit(node->info.si_signo) & set & ~thread.signals.awaited;
  }
  for (; movable; movable &= movable - 1) {
    siginfo_t info;
    {
      Locked locked;
      if (!dequeue(thread.signals, movable & -movable, &info)) continue;
    }
    leave_for(choose(info.si_signo), info, true);
  }
}

// It was held until the end of a critical section.
void take(const siginfo_t& info) {
  const auto [target, alone, gone] = addressee(info, runtime().hub().current());
  if (!gone) leave_for(target, info, !alone);
}

int send(GreenThread& target, const siginfo_t& info) {
  const int signal = info.si_signo;
  if (signal == 0) return 0;
  if (!valid(signal)) return EINVAL;
  if (target.state == State::finished) return 0;
  if (!(target.signals.mask & bit(signal)) && !(target.signals.awaited & bit(signal))) {
    if (ignored(signal)) return 0;
    if (!has_handler(disposition(signal))) {
      take_default_action(signal);
      return 0;
    }
  } else if (!(target.signals.awaited & bit(signal)) && shown_by_descriptor(signal)) {
    return keep_in_kernel(info);
  }
  {
    Locked locked;
    if (!enqueue(target.signals, info, false)) return EAGAIN;
  }
  if (&target == self()) {
    run_arrived(target);
  } else {
    Hub::unpark(&target);
  }
  return 0;
}

siginfo_t from_this_thread(int signal) {
  siginfo_t info{};
  info.si_signo = signal;
  info.si_code = SI_TKILL;
  info.si_pid = static_cast<pid_t>(sys::call(SYS_getpid));
  info.si_uid = static_cast<uid_t>(sys::call(SYS_getuid));
  return info;
}

void add_timer(GreenThread& thread, ThreadTimer& timer, int signal) {
  Locked locked;
  timer.thread = &thread;
  timers.push_back(&timer);
  install_by_default_too(signal);
}

ThreadTimer* remove_timer(int id) {
  Locked locked;
  ThreadTimer* const timer = find_timer(id);
  if (timer) timer->unlink();
  return timer;
}

void timers_after_fork() { timers.abandon(); }  // timer_create(2): not inherited

void forget(GreenThread& thread) {
  // It has left the hub's list and is finished: another is chosen.
  if (thread.signals.pending_set) [[unlikely]] pass_on(thread, ~uint64_t{0});
  if (thread.signals.pending_set) [[unlikely]] {
    Locked locked;
    discard(thread.signals, ~uint64_t{0});
  }
  for (ThreadTimer* timer = timers.front(); timer; timer = timers.next(timer)) {
    if (timer->thread == &thread) timer->thread = nullptr;
  }
  leave_masks(thread);
}

}  // namespace guv::signals
