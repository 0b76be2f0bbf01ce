#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "guv/deadline.hpp"
#include "guv/detail/line.hpp"
#include "guv/detail/lock.hpp"
#include "guv/detail/storage.hpp"
#include "guv/error.hpp"

/// Queues between threads. The Python guv's queue.
///
/// Any number of green and kernel threads may put and get; who waits gets on in the order of coming. What does not wait
/// may be done on the hub too. An item's move constructor (and the comparison of a PriorityQueue) is called while
/// others are kept out: it must not wait, nor allocate memory. An item is in one place at any time: with who puts it
/// until put() has returned without an exception, and with who gets it from then on that get() has returned; kills and
/// time-outs lose none.
namespace guv {
inline namespace v1 {

/// What put() throws at its deadline.
class Full : public std::runtime_error {
 public:
  Full() : std::runtime_error("the queue is full") {}
};

/// What get() throws at its deadline.
class Empty : public std::runtime_error {
 public:
  Empty() : std::runtime_error("the queue is empty") {}
};

/// A queue's maxsize: any number of items.
inline constexpr std::optional<size_t> unbounded = std::nullopt;

namespace detail {

/// What the queues have in common; `Items` keeps them in their order.
template <class T, class Items>
class BasicQueue {
 public:
  /// A queue of at most `maxsize` items. With 0 it is a channel: put() waits until a get() takes the item.
  explicit BasicQueue(std::optional<size_t> maxsize = unbounded, Items items = {})
      : maxsize_(maxsize), items_(std::move(items)) {}
  BasicQueue(const BasicQueue&) = delete;
  BasicQueue& operator=(const BasicQueue&) = delete;

  /// Puts an item in, and waits until there is room for it. Throws Full at the deadline.
  void put(T item, Deadline deadline = {}) {
    if (!try_put(item, deadline)) throw Full();
  }
  /// Puts an item in if there is room now, or somebody waits for it; else throws Full.
  void put_nowait(T item) { put(std::move(item), Deadline::at_once()); }

  /// Moves `item` in, and waits until there is room for it. False at the deadline, `item` being as it was.
  bool try_put(T& item, Deadline deadline = Deadline::at_once()) { return in_time(insert(item, deadline)); }
  bool try_put(T&& item, Deadline deadline = Deadline::at_once()) { return try_put(item, deadline); }

  /// Takes the next item out, and waits until there is one. Throws Empty at the deadline.
  T get(Deadline deadline = {}) {
    std::optional<T> item = try_get(deadline);
    if (!item) throw Empty();
    return std::move(*item);
  }
  /// Takes the next item out if there is one now, or somebody waits to put one in; else throws Empty.
  T get_nowait() { return get(Deadline::at_once()); }

  /// As get(), with nothing at the deadline.
  std::optional<T> try_get(Deadline deadline = Deadline::at_once()) {
    Getter getter;
    in_time(extract(getter, deadline));
    return std::move(getter.item);
  }

  /// How many items there are, those of waiting put() not counted.
  size_t qsize() const {
    const std::lock_guard guard(lock_);
    return items_.size();
  }
  bool empty() const { return qsize() == 0; }
  /// Whether there are maxsize items (or more, after resize()); of a channel, always.
  bool full() const {
    const std::lock_guard guard(lock_);
    return !has_place();
  }

  /// How many threads wait in get().
  size_t getting() const {
    const std::lock_guard guard(lock_);
    return getters_.size();
  }
  /// How many threads wait in put().
  size_t putting() const {
    const std::lock_guard guard(lock_);
    return putters_.size();
  }

  std::optional<size_t> maxsize() const {
    const std::lock_guard guard(lock_);
    return maxsize_;
  }

  /// Changes maxsize; lets in whom there is room for. Items that are in stay in.
  void resize(std::optional<size_t> maxsize) {
    std::unique_lock held(lock_);
    maxsize_ = maxsize;
    while (!putters_.empty() && has_place()) {
      if (has_room()) {
        admit_putter();
      } else {
        grow(held);
      }
    }
  }

 protected:
  struct Getter : Place {
    std::optional<T> item;
  };

  mutable Lock lock_;
  size_t unfinished_ = 0;  // items that were put in, less those that task_done() was called for

  /// 0, or as guv_wait.
  int insert(T& item, Deadline deadline) {
    std::unique_lock held(lock_);
    for (;;) {
      if (Place* getter = getters_.first()) {
        static_cast<Getter*>(getter)->item.emplace(std::move(item));
        getters_.serve_first();
        ++unfinished_;
      } else if (!has_place()) {
        Putter putter;
        putter.item = &item;
        return putters_.wait(held, putter, deadline);
      } else if (has_room()) {
        items_.push(std::move(item));
        ++unfinished_;
      } else {
        grow(held);
        continue;
      }
      return 0;
    }
  }

  /// 0, or as guv_wait.
  int extract(Getter& getter, Deadline deadline) {
    std::unique_lock held(lock_);
    if (items_.size() != 0) {
      items_.pop_to(getter.item);
      if (!putters_.empty() && has_place()) admit_putter();
    } else if (Place* putter = putters_.first()) {
      getter.item.emplace(std::move(*static_cast<Putter*>(putter)->item));
      putters_.serve_first();
      ++unfinished_;
    } else {
      return getters_.wait(held, getter, deadline);
    }
    return 0;
  }

 private:
  struct Putter : Place {
    T* item;
  };

  bool has_place() const { return !maxsize_ || items_.size() < *maxsize_; }

  bool has_room() const { return items_.size() < items_.capacity(); }

  void admit_putter() {
    items_.push(std::move(*static_cast<Putter*>(putters_.first())->item));
    putters_.serve_first();
    ++unfinished_;
  }

  /// Memory is had and given back without the lock.
  void grow(std::unique_lock<Lock>& held) {
    const size_t capacity = 2 * items_.capacity() + 8;
    held.unlock();
    {
      Items other = items_.larger(capacity);
      const std::lock_guard guard(lock_);
      if (items_.capacity() < capacity) items_.change_rooms(other);
    }
    held.lock();
  }

  Line getters_{lock_};
  Line putters_{lock_};
  std::optional<size_t> maxsize_;
  Items items_;
};

/// A queue that knows of the work on its items.
template <class T, class Items>
class TaskQueue : public BasicQueue<T, Items> {
 public:
  using BasicQueue<T, Items>::BasicQueue;

  /// Says that the work on an item that get() returned is done. Throws std::invalid_argument when that has been said of
  /// all items.
  void task_done() {
    if (!finish()) throw std::invalid_argument("task_done() called too many times");
  }

  /// Waits until task_done() has been called for every item that has been put in. False if it was not by the deadline.
  bool join(Deadline deadline = {}) { return in_time(wait_until_finished(deadline)); }

 protected:
  bool finish() {
    const std::lock_guard guard(this->lock_);
    if (this->unfinished_ == 0) return false;
    if (--this->unfinished_ == 0) {
      while (!joiners_.empty()) joiners_.serve_first();
    }
    return true;
  }

  /// 0, or as guv_wait.
  int wait_until_finished(Deadline deadline) {
    std::unique_lock held(this->lock_);
    if (this->unfinished_ == 0) return 0;
    Place place;
    return joiners_.wait(held, place, deadline);
  }

 private:
  Line joiners_{this->lock_};
};

}  // namespace detail

/// First in, first out.
///
///   guv::Queue<std::string> queue(10);
///   guv::spawn_n([&] { queue.put("work"); });
///   do_it(queue.get());
///   queue.task_done();
template <class T>
class Queue : public detail::TaskQueue<T, detail::Ring<T>> {
  using detail::TaskQueue<T, detail::Ring<T>>::TaskQueue;
};

/// A Queue without task_done() and join().
template <class T>
class LightQueue : public detail::BasicQueue<T, detail::Ring<T>> {
  using detail::BasicQueue<T, detail::Ring<T>>::BasicQueue;
};

/// A Queue from which the lowest item is taken first, as `Compare` has it; equals in no particular order.
template <class T, class Compare = std::less<T>>
class PriorityQueue : public detail::TaskQueue<T, detail::Heap<T, Compare>> {
 public:
  /// `compare(a, b)` says whether a is to come before b.
  explicit PriorityQueue(std::optional<size_t> maxsize = unbounded, Compare compare = {})
      : detail::TaskQueue<T, detail::Heap<T, Compare>>(maxsize, detail::Heap<T, Compare>(std::move(compare))) {}
};

/// A Queue from which the last item put in is taken first.
template <class T>
class LifoQueue : public detail::TaskQueue<T, detail::Stack<T>> {
  using detail::TaskQueue<T, detail::Stack<T>>::TaskQueue;
};

}  // namespace v1
}  // namespace guv
