#pragma once

#include <cerrno>
#include <cstddef>
#include <mutex>

#include "guv/deadline.hpp"
#include "guv/detail/lock.hpp"
#include "guv/guv.h"

namespace guv {
inline namespace v1 {
namespace detail {

class Line;

/// A thread's place in a Line. On its stack.
class Place {
 public:
  Place() = default;
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  friend class Line;

  Line* line_;
  Place* next_;
  Place* previous_;
  guv_turn turn_;
};

/// Threads that wait for something to be handed to them, first come first served. Who serves a place has given its
/// thread what it waits for: kills and time-outs that come later are for the thread's next wait. Everything but the
/// wait itself is done under the lock of what the line is part of.
class Line {
 public:
  explicit Line(Lock& lock) : lock_(lock) {}
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  bool empty() const { return !first_; }
  size_t size() const { return size_; }
  Place* first() { return first_; }

  /// Takes the first place out, and wakes its thread.
  void serve_first() {
    Place& place = *first_;
    remove(place);
    guv_turn_give(&place.turn_);
  }

  /// Waits at the end of the line, with the lock held, which is then released for good. Returns 0 when the place has
  /// been served, else the place has left the line and the result is what guv_wait's would be.
  int wait(std::unique_lock<Lock>& held, Place& place, Deadline deadline) {
    if (deadline.is_at_once()) return -ETIMEDOUT;
    push_back(place);
    held.release();
    return guv_turn_wait(&place.turn_, lock_.handle(), &leave, &place, deadline.nanoseconds());
  }

 private:
  static void leave(void* argument) {
    auto& place = *static_cast<Place*>(argument);
    place.line_->remove(place);
  }

  void push_back(Place& place) {
    place.line_ = this;
    place.next_ = nullptr;
    place.previous_ = last_;
    (last_ ? last_->next_ : first_) = &place;
    last_ = &place;
    ++size_;
  }

  void remove(Place& place) {
    (place.previous_ ? place.previous_->next_ : first_) = place.next_;
    (place.next_ ? place.next_->previous_ : last_) = place.previous_;
    --size_;
  }

  Lock& lock_;
  Place* first_ = nullptr;
  Place* last_ = nullptr;
  size_t size_ = 0;
};

}  // namespace detail
}  // namespace v1
}  // namespace guv
