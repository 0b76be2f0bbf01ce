#pragma once

#include <cerrno>
#include <exception>
#include <system_error>

namespace guv {
inline namespace v1 {

/// What kill() throws into a green thread by default. It ends the thread quietly. Not a std::exception, so that code
/// that catches those lets it pass.
class GreenExit {};

class Timeout;

/// What a wait throws at its deadline: the deadline it was given, or that of a Timeout around it. Not a std::exception,
/// as GreenExit.
class TimedOut {
 public:
  TimedOut() = default;
  explicit TimedOut(const Timeout* which) : which_(which) {}

  /// Whether it was `timeout` that struck, and not another one further out.
  bool is(const Timeout& timeout) const { return which_ == &timeout; }

 private:
  const Timeout* which_ = nullptr;
};

namespace detail {

/// Throws what a function of guv.h returned, which is negative.
[[noreturn]] inline void throw_error(int error) {
  if (error == -ECANCELED) throw GreenExit();
  if (error == -ETIMEDOUT) throw TimedOut();
  throw std::system_error(-error, std::generic_category(), "guv");
}

inline int check(int result) {
  if (result < 0) throw_error(result);
  return result;
}

/// Whether a wait came to its end before the deadline; throws what else has ended it.
inline bool in_time(int result) {
  if (result != -ETIMEDOUT) check(result);
  return result != -ETIMEDOUT;
}

}  // namespace detail

}  // namespace v1
}  // namespace guv
