#pragma once

#include <climits>
#include <mutex>
#include <stdexcept>

#include "guv/deadline.hpp"
#include "guv/detail/line.hpp"
#include "guv/error.hpp"

/// Semaphores. The Python guv's semaphore.
///
/// They may be used by green and kernel threads together, and who waits gets on in the order of coming. try_acquire()
/// and those forms of release() that do not wait may be called on the hub too. One may be destroyed as soon as nobody
/// waits for it.
namespace guv {
inline namespace v1 {

namespace detail {

/// A number of permits, and those who wait for one. The number is negative after a resize only.
class Permits {
 public:
  explicit Permits(long count) : count_(count) {}

  /// Takes a permit; 0, or a negative errno value as guv_wait's.
  int take(Deadline deadline) {
    std::unique_lock held(lock_);
    if (count_ > 0) {
      --count_;
      return 0;
    }
    Place place;
    return line_.wait(held, place, deadline);
  }

  /// Gives one back, or to the first who waits; false if there would then be more than `limit`.
  bool give(long limit) {
    const std::lock_guard guard(lock_);
    if (count_ >= limit) return false;
    add_one();
    return true;
  }

  /// Changes how many there are in all.
  void change(long difference) {
    const std::lock_guard guard(lock_);
    for (; difference > 0; --difference) add_one();
    count_ += difference;
  }

  long count() const {
    const std::lock_guard guard(lock_);
    return count_;
  }
  size_t waiting() const {
    const std::lock_guard guard(lock_);
    return line_.size();
  }
  /// Permits, less those who wait for one.
  long balance() const {
    const std::lock_guard guard(lock_);
    return count_ - static_cast<long>(line_.size());
  }

 private:
  void add_one() {
    if (count_ >= 0 && !line_.empty()) {
      line_.serve_first();
    } else {
      ++count_;
    }
  }

  mutable Lock lock_;
  Line line_{lock_};
  long count_;
};

/// What the semaphores without waiting release() have in common.
class PlainSemaphore {
 public:
  /// Takes one permit, and waits until there is one. False at the deadline.
  bool acquire(Deadline deadline = {}) { return in_time(permits_.take(deadline)); }

  /// As above if `blocking`, else as try_acquire().
  bool acquire(bool blocking, Deadline deadline = {}) { return acquire(blocking ? deadline : Deadline::at_once()); }

  /// Takes one if there is one now; whether it did.
  bool try_acquire() { return acquire(Deadline::at_once()); }

  /// Whether acquire() would wait.
  bool locked() const { return permits_.count() <= 0; }

  /// For std::unique_lock and its kin.
  void lock() { acquire(); }
  bool try_lock() { return try_acquire(); }

 protected:
  explicit PlainSemaphore(long permits) : permits_(permits) {
    if (permits < 0) throw std::invalid_argument("a semaphore's value must not be negative");
  }
  ~PlainSemaphore() = default;

  Permits permits_;
};

}  // namespace detail

/// A counter of permits that any thread may give back.
///
///   guv::Semaphore at_most_two(2);
///   guv::Semaphore::Guard guard(at_most_two);
class Semaphore : public detail::PlainSemaphore {
 public:
  /// Holds a permit as long as it lives.
  using Guard = std::unique_lock<Semaphore>;

  /// Throws std::invalid_argument when `value` is negative.
  explicit Semaphore(long value = 1) : PlainSemaphore(value) {}

  /// Gives a permit back: to the thread that has waited longest, if any does. Never waits.
  void release() { permits_.give(LONG_MAX); }
  void unlock() { release(); }

  /// How many acquire() can be made before one waits; negative, the number of threads that wait.
  long balance() const { return permits_.balance(); }

  /// Whether release() would wait: never.
  bool bounded() const { return false; }
};

/// A Semaphore that notices when more is given back than was taken.
class BoundedSemaphore : public detail::PlainSemaphore {
 public:
  using Guard = std::unique_lock<BoundedSemaphore>;

  /// Throws std::invalid_argument when `value` is negative.
  explicit BoundedSemaphore(long value = 1) : PlainSemaphore(value), limit_(value) {}

  /// As Semaphore::release; throws std::invalid_argument, and gives nothing back, when there are as many as at first.
  void release() {
    if (!try_release()) throw std::invalid_argument("Semaphore released too many times");
  }
  void unlock() { release(); }

  /// As Semaphore's.
  long balance() const { return permits_.balance(); }
  bool bounded() const { return false; }

 protected:
  bool try_release() { return permits_.give(limit_); }

 private:
  const long limit_;
};

/// A semaphore with an upper limit, at which release() waits as acquire() does at zero.
class CappedSemaphore {
 public:
  /// Holds a permit as long as it lives. Its end may wait, and must not be killed or timed out there: destructors do
  /// not throw.
  using Guard = std::unique_lock<CappedSemaphore>;

  /// Throws std::invalid_argument unless 0 ≤ count ≤ limit.
  CappedSemaphore(long count, long limit) : count_(count), limit_(limit) {
    if (count < 0 || count > limit) throw std::invalid_argument("a semaphore's value must be between 0 and its limit");
  }

  /// Takes one permit, and waits until there is one. False at the deadline.
  bool acquire(Deadline deadline = {}) { return detail::in_time(take(deadline)); }
  bool acquire(bool blocking, Deadline deadline = {}) { return acquire(blocking ? deadline : Deadline::at_once()); }
  bool try_acquire() { return acquire(Deadline::at_once()); }

  /// Gives one back, and waits until there are less than the limit. False at the deadline.
  bool release(Deadline deadline = {}) { return detail::in_time(give(deadline)); }
  bool release(bool blocking, Deadline deadline = {}) { return release(blocking ? deadline : Deadline::at_once()); }
  bool try_release() { return release(Deadline::at_once()); }

  /// Permits, less the threads that wait in acquire(), plus those that wait in release().
  long balance() const {
    const std::lock_guard guard(lock_);
    return count_ - static_cast<long>(acquirers_.size()) + static_cast<long>(releasers_.size());
  }
  /// Whether acquire() would wait.
  bool locked() const {
    const std::lock_guard guard(lock_);
    return count_ == 0 && releasers_.empty();
  }
  /// Whether release() would wait.
  bool bounded() const {
    const std::lock_guard guard(lock_);
    return count_ == limit_ && acquirers_.empty();
  }

  void lock() { acquire(); }
  bool try_lock() { return try_acquire(); }
  void unlock() { release(); }

 protected:
  // As guv_wait.
  int take(Deadline deadline) { return move(-1, 0, releasers_, acquirers_, deadline); }
  int give(Deadline deadline) { return move(+1, limit_, acquirers_, releasers_, deadline); }

 private:
  /// One step with somebody who waits to make the opposite one, or else towards `end`, where `own` line is to be
  /// joined.
  int move(long step, long end, detail::Line& opposite, detail::Line& own, Deadline deadline) {
    std::unique_lock held(lock_);
    if (!opposite.empty()) {
      opposite.serve_first();
    } else if (count_ != end) {
      count_ += step;
    } else {
      detail::Place place;
      return own.wait(held, place, deadline);
    }
    return 0;
  }

  mutable detail::Lock lock_;
  detail::Line acquirers_{lock_};
  detail::Line releasers_{lock_};
  long count_;
  const long limit_;
};

}  // namespace v1
}  // namespace guv
