#pragma once

#include <exception>
#include <functional>
#include <optional>
#include <utility>

#include "guv/deadline.hpp"
#include "guv/error.hpp"
#include "guv/guv.h"

/// Time-outs around whatever waits. The Python guv's timeout.
namespace guv {
inline namespace v1 {

/// From its deadline on, and until it goes out of scope, the wait that the thread is in, or else its next, throws: in
/// guv's waits and in calls of libc's that are cancellation points (pthreads(7)). Once. Time-outs nest.
///
///   guv::Timeout limit(2s);
///   reply = ask_a_slow_server();      // throws TimedOut after two seconds
///
/// For the green thread that makes it; a kernel thread gets std::system_error (EPERM).
class Timeout {
 public:
  /// Not pending: to be thrown by hand, or started later.
  Timeout() = default;

  /// Throws TimedOut, for which TimedOut::is(*this) holds.
  explicit Timeout(Deadline deadline) { start(deadline); }

  /// Throws `exception`.
  template <class Exception>
  Timeout(Deadline deadline, Exception exception) : exception_(std::make_exception_ptr(std::move(exception))) {
    start(deadline);
  }

  ~Timeout() { cancel(); }
  Timeout(const Timeout&) = delete;
  Timeout& operator=(const Timeout&) = delete;

  /// Starts it (again); it must not be pending. A deadline that never comes starts nothing.
  void start(Deadline deadline) {
    detail::check(guv_timeout_start(&timeout_, deadline.nanoseconds(), -ETIMEDOUT, &raise, this));
  }

  /// Takes it back if it has not thrown yet.
  void cancel() { guv_timeout_cancel(&timeout_); }

  /// Whether it is still to throw.
  bool pending() const { return guv_timeout_pending(&timeout_); }

 private:
  static void raise(void* argument) {
    const auto* timeout = static_cast<Timeout*>(argument);
    if (timeout->exception_) std::rethrow_exception(timeout->exception_);
    throw TimedOut(timeout);
  }

  guv_timeout timeout_{};
  std::exception_ptr exception_;
};

/// Calls `function()` under a Timeout; whether it came to its end. Other exceptions, those of other Timeouts too, pass.
template <class Function>
bool silent_timeout(Deadline deadline, Function&& function) {
  Timeout timeout(deadline);
  try {
    std::invoke(std::forward<Function>(function));
    return true;
  } catch (const TimedOut& struck) {
    if (!struck.is(timeout)) throw;
    return false;
  }
}

/// Returns `function()`, or `fallback` if that has not returned by the deadline.
template <class Function, class Fallback>
auto with_timeout(Deadline deadline, Function&& function, Fallback&& fallback) -> std::invoke_result_t<Function> {
  Timeout timeout(deadline);
  try {
    return std::invoke(std::forward<Function>(function));
  } catch (const TimedOut& struck) {
    if (!struck.is(timeout)) throw;
    return std::forward<Fallback>(fallback);
  }
}

/// Returns `function()`, or throws TimedOut.
template <class Function>
auto with_timeout(Deadline deadline, Function&& function) -> std::invoke_result_t<Function> {
  Timeout timeout(deadline);
  return std::invoke(std::forward<Function>(function));
}

}  // namespace v1
}  // namespace guv
