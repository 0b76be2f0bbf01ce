#pragma once

#include <time.h>

#include <compare>
#include <cstdint>

namespace guv {

constexpr int64_t nanoseconds_per_second = 1'000'000'000;

/// The monotonic clock, in nanoseconds.
inline int64_t now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * nanoseconds_per_second + time.tv_nsec;
}

inline bool valid(const timespec& time) { return time.tv_nsec >= 0 && time.tv_nsec < nanoseconds_per_second; }

/// On any clock; for calls that wait for ever only by way of a time-out.
inline constexpr timespec end_of_time{time_t{1} << 40, 0};

/// A point in time on the monotonic clock; `never` by default. Additions saturate.
class Deadline {
 public:
  constexpr Deadline() = default;
  static constexpr Deadline never() { return {}; }
  static constexpr Deadline at(int64_t nanoseconds) { return Deadline(nanoseconds); }
  static Deadline in(int64_t nanoseconds) {
    int64_t sum;
    return __builtin_add_overflow(now(), nanoseconds, &sum) ? never() : Deadline(sum);
  }
  static Deadline in(const timespec& duration) { return in(saturated(duration)); }
  static Deadline in_milliseconds(int milliseconds) {
    return milliseconds < 0 ? never() : in(int64_t{milliseconds} * 1'000'000);
  }
  /// The moment at which `clock` will show `time`, as far as can be told now.
  static Deadline on(clockid_t clock, const timespec& time) {
    const int64_t wanted = saturated(time);
    if (clock == CLOCK_MONOTONIC) return Deadline(wanted);
    timespec current;
    clock_gettime(clock, &current);
    int64_t left;
    if (__builtin_sub_overflow(wanted, saturated(current), &left)) left = wanted < 0 ? INT64_MIN / 2 : INT64_MAX / 2;
    return in(left);
  }

  constexpr bool is_never() const { return nanoseconds_ == INT64_MAX; }
  bool passed() const { return !is_never() && now() >= nanoseconds_; }
  constexpr int64_t nanoseconds() const { return nanoseconds_; }
  int64_t left() const {
    const int64_t current = now();
    return nanoseconds_ <= current ? 0 : nanoseconds_ - current;
  }
  constexpr auto operator<=>(const Deadline&) const = default;

 private:
  constexpr explicit Deadline(int64_t nanoseconds) : nanoseconds_(nanoseconds) {}
  static constexpr int64_t saturated(const timespec& time) {
    int64_t total;
    if (__builtin_mul_overflow(int64_t{time.tv_sec}, nanoseconds_per_second, &total) ||
        __builtin_add_overflow(total, int64_t{time.tv_nsec}, &total)) {
      return time.tv_sec < 0 ? INT64_MIN / 2 : INT64_MAX;
    }
    return total;
  }

  int64_t nanoseconds_ = INT64_MAX;
};

inline timespec to_timespec(int64_t nanoseconds) {
  return {nanoseconds / nanoseconds_per_second, nanoseconds % nanoseconds_per_second};
}

/// The relative time-out of a call that waits: for the same moment when it is made again, or made elsewhere.
class Patience {
 public:
  /// `timeout`: null waits for ever.
  explicit Patience(const timespec* timeout) : timeout_(timeout) {}

  bool at_once() const { return timeout_ && timeout_->tv_sec == 0 && timeout_->tv_nsec == 0; }

  /// The moment. It counts from the first time that this or what is left is asked for.
  Deadline until() {
    if (timeout_ && !begun_) {
      begun_ = true;
      until_ = Deadline::in(*timeout_);
    }
    return until_;
  }

  /// To be given to the call, which may overwrite it: as the program wrote it the first time (the kernel may find fault with
  /// it), then what is left; null for ever.
  timespec* left() {
    if (!timeout_) return nullptr;
    left_ = begun_ ? to_timespec(until_.left()) : *timeout_;
    until();
    return &left_;
  }

 private:
  const timespec* timeout_;
  bool begun_ = false;
  Deadline until_;
  timespec left_{};
};

}  // namespace guv
