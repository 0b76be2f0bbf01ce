#pragma once

#include <chrono>
#include <limits>

#include "guv/guv.h"

namespace guv {
inline namespace v1 {

/// Until when something may take: made from a duration (from now on), from a moment of steady_clock, or `never`.
/// What takes one is called as `queue.get(100ms)`, `event.wait(Deadline::never())`, `read_until(start + 2s)`.
class Deadline {
 public:
  /// Never comes.
  constexpr Deadline() = default;
  static constexpr Deadline never() { return {}; }
  /// Has passed: what cannot be had at once is not waited for.
  static constexpr Deadline at_once() { return Deadline(0); }

  /// As the functions of guv.h take it.
  static constexpr Deadline at(int64_t nanoseconds) { return Deadline(nanoseconds); }

  /// In `duration` from now; one that is too long to be told never comes, a negative one has passed.
  template <class Rep, class Period>
  Deadline(std::chrono::duration<Rep, Period> duration) : nanoseconds_(in(duration)) {}

  Deadline(std::chrono::steady_clock::time_point moment)
      : nanoseconds_(std::chrono::nanoseconds(moment.time_since_epoch()).count()) {}

  /// Whether it is never().
  constexpr bool is_never() const { return nanoseconds_ == GUV_NEVER; }
  /// Whether it is at_once().
  constexpr bool is_at_once() const { return nanoseconds_ == 0; }
  /// Whether it has passed by now.
  bool passed() const { return !is_never() && guv_now() >= nanoseconds_; }

  /// As the functions of guv.h take it.
  constexpr int64_t nanoseconds() const { return nanoseconds_; }

 private:
  constexpr explicit Deadline(int64_t nanoseconds) : nanoseconds_(nanoseconds) {}

  template <class Duration>
  static int64_t in(Duration duration) {
    using Seconds = std::chrono::duration<long double>;
    const int64_t now = guv_now();
    if (Seconds(duration) >= Seconds(std::chrono::nanoseconds(GUV_NEVER - now))) return GUV_NEVER;
    if (duration <= Duration::zero()) return 0;
    return now + std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
  }

  int64_t nanoseconds_ = GUV_NEVER;
};

}  // namespace v1
}  // namespace guv
