#pragma once

#include <pthread.h>
#include <sys/single_threaded.h>

#include <utility>

#include "base/clock.hpp"
#include "base/real.hpp"
#include "base/sys.hpp"
#include "hub/signals.hpp"
#include "runtime.hpp"

/// The one idea of guv: try without blocking; would it block? then park until something changed; try again.
///
/// What can be waited on is a small value, `On`:
///   bool would_block(long result)     does this result mean "wait"? (asked once more after every attempt)
///   Deadline deadline()               asked only when there is need to wait
///   long give_up(int reason)          the call's result when it ends with ETIMEDOUT, EINTR or EBADF
///   Arm arm(GreenThread* me)          says where to wake us; from here on no change is missed
///   void disarm()                     takes that back
///   void succeeded()                  after a wait: lets the next waiter have what is left
///   void abandoned()                  the wait ends unused: a wake-up that was meant for us goes to another
///   OnHandler on_handler              what becomes of the call when a signal handler ran meanwhile
///   bool cancellation_point           whether pthread_cancel ends it (pthreads(7))
///   static constexpr bool for_kernel_threads   whether kernel threads wait in the same place: then
///   int sleep(Deadline until)         waits as one: 0, ETIMEDOUT or EINTR
///   static constexpr bool waits_mostly = true   may be left out: whoever waits so hardly ever finds that there is no need
namespace guv {

/// How to make an attempt: without blocking, or as the program wrote it, because the caller is no green thread.
enum class Mode : bool { native, attempt };
constexpr int only_if(Mode mode, int flag) { return mode == Mode::attempt ? flag : 0; }

/// signal(7) says which calls are which.
enum class OnHandler : uint8_t {
  go_on,             // pthread_*(3) never end with EINTR
  restart_if_asked,  // by SA_RESTART
  end,               // with EINTR
};

enum class Arm : uint8_t {
  park,        // armed: nothing is missed from the moment of the last attempt
  look_again,  // armed now: what changed before this went unseen
  offload,     // nothing to wait for: the call must be made on a helper thread
};

/// What most waits answer: an `On` may derive from it and hide what is different.
struct PlainWait {
  static constexpr bool for_kernel_threads = false;
  static constexpr bool cancellation_point = true;
  void disarm() const {}
  bool closed() const { return false; }
  void succeeded() const {}
  void abandoned() const {}
};

/// On while armed; disarms however the scope ends (cancellation unwinds through here).
template <class On>
class Armed {
 public:
  Armed(On& on, GreenThread* me) : on_(on), how_(on.arm(me)) {}
  ~Armed() { on_.disarm(); }
  Armed(const Armed&) = delete;
  Armed& operator=(const Armed&) = delete;
  Arm how() const { return how_; }

 private:
  On& on_;
  Arm how_;
};

/// For calls that tell the program to ask again (the try forms): it may do so in a circle.
inline void count_call() {
  if (GreenThread* me = self()) me->hub->count_call();
}

inline bool ends(OnHandler rule, const signals::Ran& ran) {
  return ran.any && (rule == OnHandler::end || (rule == OnHandler::restart_if_asked && !ran.restart));
}

/// Whether the calling thread has cancellation enabled now. (Not inlined: a frame that cancellation unwinds leaves the
/// marks that AddressSanitizer makes around variables behind.)
__attribute__((noinline)) inline bool cancellable() {
  int state;
  real().pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
  real().pthread_setcancelstate(state, nullptr);
  return state == PTHREAD_CANCEL_ENABLE;
}

/// While the calling thread makes calls of libc's that are no cancellation points here.
class WithoutCancellation {
 public:
  WithoutCancellation() { real().pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
  ~WithoutCancellation() { real().pthread_setcancelstate(before_, nullptr); }
  WithoutCancellation(const WithoutCancellation&) = delete;
  WithoutCancellation& operator=(const WithoutCancellation&) = delete;

 private:
  int before_;
};

/// Whether a cancellation is due: asked for, and not disabled (libc itself disables it inside some functions, so it is
/// asked).
inline bool cancel_due(const GreenThread& me) { return me.cancel_requested && cancellable(); }

/// Whether a cancellation or an interrupt shall end what `on` is for.
template <class On>
bool shall_end(const On& on, const GreenThread& me) {
  return on.cancellation_point && (cancel_due(me) || !me.interrupts.empty());
}

/// What ends a system call that the calling thread makes on a helper.
inline Reach interruptions(bool cancellation_point = true) {
  return {OnSignal::end, cancellation_point && cancellable()};
}

/// Ends the thread when a cancellation is due. Once one is being acted on, or after pthread_exit, none is any more:
/// libc then comes back from here, and cleanup handlers may wait like anybody.
inline void test_cancel(GreenThread& me) {
  if (!cancel_due(me)) [[likely]] return;
  me.cancel_requested = false;
  pthread_testcancel();
}

/// With PTHREAD_CANCEL_ASYNCHRONOUS any moment will do, and switches are the moments we have.
inline void test_asynchronous_cancel(GreenThread& me) {
  if (me.cancel_asynchronous) [[unlikely]] test_cancel(me);
}

template <class On, class Attempt>
__attribute__((always_inline)) inline long wait_green(GreenThread& me, On& on, Attempt& attempt, long result) {
  const Deadline until = on.deadline();
  const signals::Deferred deferred(me);
  for (;;) {
    if (until.passed()) return on.give_up(ETIMEDOUT);
    {
      Armed armed(on, &me);
      if (armed.how() == Arm::offload && !signals::deliverable(me) && !shall_end(on, me)) {
        result = runtime().offload().run([&] { return attempt(Mode::native); }, interruptions(on.cancellation_point));
        if (result != -EINTR) return result;
      } else if (armed.how() == Arm::look_again) {
        result = attempt(Mode::attempt);
        if (!on.would_block(result)) return result;
      }
      if (armed.how() != Arm::offload && !signals::deliverable(me) && !shall_end(on, me)) me.hub->park(until);
    }
    if (shall_end(on, me)) [[unlikely]] {
      on.abandoned();
      test_cancel(me);
      if (const int error = Hub::take_interrupt(me)) return on.give_up(error);
    }
    test_asynchronous_cancel(me);
    if (on.closed()) return on.give_up(EBADF);
    // What there is to be had goes before a signal, as in the kernel.
    result = attempt(Mode::attempt);
    if (!on.would_block(result)) {
      on.succeeded();
      return result;
    }
    if (!signals::deliverable(me)) [[likely]]
      continue;
    const signals::Ran ran = signals::run_pending(me);
    if (ends(on.on_handler, ran)) return on.give_up(EINTR);
    // The handler may have parked, and the loop seen what we wait for.
    result = attempt(Mode::attempt);
    if (!on.would_block(result)) return result;
  }
}

/// Out of the way of callers that mostly need not wait.
template <class On, class Attempt>
__attribute__((noinline)) long wait_green_aside(GreenThread& me, On& on, Attempt& attempt, long result) {
  return wait_green(me, on, attempt, result);
}

template <class On, class Attempt>
__attribute__((noinline)) long wait_on_kernel_thread(On& on, Attempt& attempt, long result) {
  const Deadline until = on.deadline();
  for (;;) {
    int reason = 0;
    {
      Armed armed(on, nullptr);
      result = attempt(Mode::attempt);
      if (!on.would_block(result)) return result;
      reason = on.sleep(until);
    }
    result = attempt(Mode::attempt);
    if (!on.would_block(result)) return result;
    if (reason && !(reason == EINTR && on.on_handler == OnHandler::go_on)) return on.give_up(reason);
  }
}

/// A blocking system call made as such, on a thread that is no green one. There it must end by pthread_cancel, as in
/// libc's own wrapper: asynchronous cancellation while it lasts.
template <class Call>
long native_call(Call call) {
  if (__libc_single_threaded || per_thread.hub || !real_resolved) return call();
  int type;
  real().pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
  const long result = call();
  real().pthread_setcanceltype(type, nullptr);
  return result;
}

/// Result of `attempt`, as -errno or a value (or, for pthread functions, whatever `on` understands).
template <class On, class Attempt>
inline long blocking(On&& on, Attempt attempt) {
  GreenThread* me = self();
  if (!me) [[unlikely]] {
    if constexpr (std::remove_reference_t<On>::for_kernel_threads) {
      if (!runtime_started()) return attempt(Mode::native);
      const long result = attempt(Mode::attempt);
      return on.would_block(result) ? wait_on_kernel_thread(on, attempt, result) : result;
    } else {
      return native_call([&] { return attempt(Mode::native); });
    }
  }
  if (on.cancellation_point) test_cancel(*me);
  const long result = attempt(Mode::attempt);
  if (!on.would_block(result)) [[likely]] {
    me->hub->count_call();
    return result;
  }
  if constexpr (requires { std::remove_reference_t<On>::waits_mostly; }) {
    return wait_green(*me, on, attempt, result);
  } else {
    return wait_green_aside(*me, on, attempt, result);
  }
}

/// As `blocking`, for a write that must move all of `total`: `attempt(mode, done)` moves some. What was moved before an
/// error, a signal or a time-out is the result (write(2)).
template <class On, class Attempt>
inline long blocking_all(On&& on, size_t total, Attempt attempt) {
  size_t done = 0;
  for (;;) {
    const long result = blocking(on, [&](Mode mode) { return attempt(mode, done); });
    if (sys::failed(result)) return done ? static_cast<long>(done) : result;
    done += static_cast<size_t>(result);
    if (done >= total || result == 0 || !self()) return static_cast<long>(done);
  }
}

/// Calls `call()`, one of libc's functions, on a helper thread, while the green thread is away from the hub.
template <class Call>
inline auto offload(Call call) {
  if (!self()) return call();
  return runtime().offload().run(std::move(call), {OnSignal::wait, cancellable()});
}

/// As `offload`, for functions that wait for other threads and go on after a handler: locks, joins.
template <class Call>
inline auto offload_wait(Call call) {
  if (!self()) return call();
  return runtime().offload().run(std::move(call), {OnSignal::visit, cancellable()});
}

}  // namespace guv
