#include "hub/offload.hpp"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>

#include "base/log.hpp"
#include "base/real.hpp"
#include "base/sys.hpp"
#include "base/tcb.hpp"
#include "hub/hub.hpp"
#include "hub/signals.hpp"
#include "runtime.hpp"

namespace guv {

// The thread leaves the hub in a context switch to the loop; only the loop, when the thread's registers are saved, may
// hand it to a helper.
void Offload::leave_hub(Trip& trip) {
  struct Handing {
    Offload* offload;
    Trip* trip;
  } handing{this, &trip};
  GreenThread& me = *trip.thread;
  // A handler that jumps out would leave the trip behind. What arrives now reaches the thread in its call.
  const bool deferred = std::exchange(me.signals.deferred, true);
  expect_trip(me, at_once);
  me.trip = &trip;
  for (;;) {
    me.hub->leave(
        [](void* argument) {
          auto* handing = static_cast<Handing*>(argument);
          GreenThread* thread = handing->trip->thread;
          handing->offload->enqueue(*handing->trip);
          // Sent before it had left: nobody else will say so. (It may be back on its own stack by now, but it is not gone:
          // it comes back by the hub.)
          if (thread->state == State::elsewhere) thread->hub->reach(*thread);
        },
        &handing);
    // Here we are on a helper, or back on the hub: to make one, or there is none to be had.
    if (!trip.helper) me.hub->leave_critical();
    if (!trip.called_back) break;
    make_helper(me, most);
  }
  me.signals.deferred = deferred;
}

void Offload::depart(Trip& trip) {
  leave_hub(trip);
  if (trip.helper) {
    per_thread.self = nullptr;
    per_thread.hub = nullptr;
    const SpinGuard guard(lock_);
    trip.under_way = true;
  } else {
    signals::NativeScope::begin(*trip.thread);
  }
}

uint64_t Offload::come_back(Trip& trip) {
  GreenThread* me = trip.thread;
  uint64_t raised = 0;
  if (trip.helper) {
    lock_.lock();
    trip.under_way = false;
    const bool reached = trip.reached;
    lock_.unlock();
    // What was sent arrives here at the latest, and not in the helper's next call. libc leaves its handler by unwinding, so
    // its signal is blocked still.
    if (reached) signals::let_interruptions_through();
    raised = signals::take_raised();
    // The helper unparks the thread once its registers are saved.
    guv_switch_context(&me->context, &trip.helper->context);
    per_thread.hub = me->hub;
    me->hub->leave_critical();
    per_thread.self = me;
  } else {
    signals::NativeScope::end(*me);
  }
  me->trip = nullptr;
  return raised;
}

Offload::Away::Away(Offload& offload, Trip& trip) : offload_(offload), trip_(trip) {
  offload_.depart(trip_);
  trip_.in_call = true;
}

// Helpers run no handlers: what was sent meanwhile has waited.
Offload::Away::~Away() noexcept(false) {
  trip_.in_call = false;
  const uint64_t raised = offload_.come_back(trip_);
  signals::raise_taken(*trip_.thread, raised);
  signals::run_arrived(*trip_.thread);
}

bool Offload::may_visit(const GreenThread& me) {
  // A wrapper that libc has called may be in the middle of something.
  return me.trip && me.trip->in_call && me.trip->reach.on_signal == OnSignal::visit && per_thread.critical == 0;
}

bool Offload::visit_home() {
  GreenThread* me = per_thread.owner;
  if (!me || !may_visit(*me) || !signals::deliverable(*me)) return true;
  Trip& trip = *me->trip;
  trip.in_call = false;
  {
    const AtHome at_home(*this, trip);
    signals::run_arrived(*me);
  }
  // What is sent from here on comes when the handler has returned: visits would pile up on the stack.
  if (trip.helper) signals::hold_interruptions();
  trip.in_call = true;
  return trip.helper != nullptr;
}

int64_t Offload::reach(GreenThread& thread) {
  Trip* trip = thread.trip;
  const auto [on_signal, cancellable] = trip->reach;
  const bool cancelled = cancellable && thread.cancel_requested;
  const bool unwinds = cancelled && on_signal != OnSignal::end;
  const bool interrupted = on_signal != OnSignal::wait && signals::deliverable(thread);
  const bool ended = on_signal == OnSignal::end && (cancelled || !thread.interrupts.empty());
  if (!unwinds && !interrupted && !ended) return 0;
  {
    SpinGuard guard(lock_);
    if (trip->under_way) {
      trip->reached = true;
      if (unwinds) signals::cancel_kernel_thread(trip->helper->tid);
      if (interrupted || ended) signals::interrupt_kernel_thread(trip->helper->tid);
    }
  }
  trip->patience = std::min(2 * trip->patience, longest_patience);
  return trip->patience;
}

// A job has no thread that could be called back: its helper is made at once, and it goes before those who can.
bool Offload::post(Trip& trip, void (*job)(void*), void* argument) {
  trip.job = job;
  trip.argument = argument;
  expect_trip(*self(), most);
  const Critical critical;
  enqueue(trip);
  return helpers_.load() > 0;
}

void Offload::enqueue(Trip& trip) {
  trip.helper = nullptr;
  lock_.lock();
  if (trip.job || trip.called_back) {
    queue_.push_front(&trip);
  } else {
    queue_.push_back(&trip);
  }
  trip.called_back = false;
  lock_.unlock();
  if (helpers_.load() == 0) return refuse_all();
  work_.fetch_add(1, std::memory_order_release);
  sys::call(SYS_futex, &work_, FUTEX_WAKE_PRIVATE, 1);
  expect_growth();
}

void Offload::give_back(Trip& trip) {
  trip.thread->state = State::parked;
  Hub::unpark(trip.thread);
}

void Offload::refuse_all() {
  for (;;) {
    lock_.lock();
    Trip* const trip = queue_.pop_front();
    if (trip) --waiting_;
    lock_.unlock();
    if (!trip) return;
    GUV_SAY_ONCE("no kernel thread to be had for a blocking call: it holds up all green threads (raise the pids limit)");
    if (trip->job) {
      trip->job(trip->argument);
    } else {
      give_back(*trip);
    }
  }
}

bool Offload::add_helper() {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, stack_size + tcb::static_size());
  // A helper must not take the program's signals, not even for its first instruction.
  sigset_t all;
  sigfillset(&all);
  pthread_attr_setsigmask_np(&attributes, &all);
  pthread_t thread;
  const uintptr_t generation = generation_;
  const int error = real().pthread_create(&thread, &attributes, &helper_main, reinterpret_cast<void*>(generation));
  pthread_attr_destroy(&attributes);
  if (error) return false;
  ++made_;
  const SpinGuard guard(lock_);
  if (generation == generation_) {
    ++idle_;
    helpers_.fetch_add(1);
  }
  return true;
}

bool Offload::wants_helper(int limit) {
  const SpinGuard guard(lock_);
  return idle_ < waiting_ && helpers_.load() < limit;
}

// Here and not on the loop: libc makes a thread under locks that green threads hold, and the loop cannot wait for those.
bool Offload::make_helper(GreenThread& me, int limit) {
  if (!wants_helper(limit)) return false;
  const int saved_errno = errno;
  me.makes_helper = true;
  refused_ = !add_helper();
  me.makes_helper = false;
  errno = saved_errno;
  return !refused_;
}

void Offload::expect_trip(GreenThread& me, int limit) {
  lock_.lock();
  ++waiting_;
  lock_.unlock();
  make_helper(me, limit);
}

void Offload::expect_growth() {
  if (growth_.armed()) return;
  {
    const SpinGuard guard(lock_);
    if (idle_ >= waiting_ || helpers_.load() >= most) return;
    taken_ = 0;
  }
  growth_.fire = [](Timer&) { runtime().offload().grow(); };
  runtime().hub().arm(growth_, Deadline::in(refused_ ? refused_interval : growth_interval));
}

void Offload::grow() {
  Trip* maker = nullptr;
  {
    const SpinGuard guard(lock_);
    if (taken_ * soon < waiting_) {
      maker = queue_.front();
      while (maker && maker->job) maker = queue_.next(maker);
      if (maker) maker->unlink();
    }
  }
  if (maker) {
    maker->called_back = true;
    give_back(*maker);
  }
  expect_growth();
}

void Offload::renew() {
  lock_.lock();
  ++generation_;
  idle_ = 0;
  helpers_.store(0);
  const bool waited_for = waiting_ != 0;
  lock_.unlock();
  work_.fetch_add(1, std::memory_order_release);
  sys::call(SYS_futex, &work_, FUTEX_WAKE_PRIVATE, INT_MAX);
  if (!waited_for) return;
  while (make_helper(*self(), at_once)) {
  }
  const Critical critical;
  if (helpers_.load() == 0) return refuse_all();
  expect_growth();
}

namespace {

/// The calling kernel thread itself, not the process.
bool has_children() {
  siginfo_t info;
  const int options = WEXITED | WNOHANG | WNOWAIT | __WALL | __WNOTHREAD;
  return sys::call(SYS_waitid, P_ALL, 0, &info, options, nullptr) != -ECHILD;
}

}  // namespace

// A child that has asked for a signal at its parent's end (PR_SET_PDEATHSIG) is sent it at that of the kernel thread
// that started it.
void* Offload::helper_main(void* generation) {
  real().pthread_setname_np(pthread_self(), "guv-helper");
  runtime().offload().serve(reinterpret_cast<uintptr_t>(generation));
  const timespec a_while = to_timespec(idle_time);
  while (has_children()) sys::call(SYS_nanosleep, &a_while, nullptr);
  return nullptr;
}

void Offload::serve(uintptr_t generation) {
  Helper here{{}, static_cast<int>(sys::call(SYS_gettid))};
  here.context.thread_pointer = thread_pointer();
  signals::let_interruptions_through();
  Trip* trip = nullptr;
  for (;;) {
    const uint32_t seen = work_.load(std::memory_order_acquire);
    lock_.lock();
    if (generation != generation_) break;
    if (trip) ++idle_;
    trip = queue_.pop_front();
    if (trip) {
      --waiting_;
      --idle_;
      ++taken_;
    }
    lock_.unlock();
    if (!trip) {
      const timespec patience = to_timespec(idle_time);
      const long result = sys::call(SYS_futex, &work_, FUTEX_WAIT_PRIVATE, seen, &patience);
      if (result != -ETIMEDOUT || has_children()) continue;
      lock_.lock();
      if (generation != generation_) break;
      if (idle_ > waiting_) {
        --idle_;
        helpers_.fetch_sub(1);
        break;
      }
      lock_.unlock();
      continue;
    }
    trip->helper = &here;
    if (trip->job) {
      trip->job(trip->argument);
      continue;
    }
    GreenThread* thread = trip->thread;
    guv_switch_context(&here.context, &thread->context);
    thread->returned.store(true, std::memory_order_release);
    Hub::unpark(thread);
  }
  lock_.unlock();
}

void Offload::after_fork() {
  lock_.reset();
  queue_.abandon();
  growth_.reset();
  idle_ = waiting_ = 0;
  helpers_.store(0);
  made_ = 0;
}

}  // namespace guv
