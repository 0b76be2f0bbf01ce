#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

/// What queues keep their items in. Each has room for `capacity` items, fixed when it is made, so that push() allocates
/// nothing: who wants more makes a larger one and lets it change rooms.
namespace guv {
inline namespace v1 {
namespace detail {

/// First in, first out.
template <class T>
class Ring {
 public:
  Ring() = default;
  Ring larger(size_t capacity) const { return Ring(capacity); }

  size_t size() const { return size_; }
  size_t capacity() const { return slots_.size(); }

  void push(T&& item) {
    const size_t end = first_ + size_;
    slots_[end < slots_.size() ? end : end - slots_.size()].emplace(std::move(item));
    ++size_;
  }
  void pop_to(std::optional<T>& item) {
    item.emplace(std::move(*slots_[first_]));
    slots_[first_].reset();
    --size_;
    if (++first_ == slots_.size()) first_ = 0;
  }

  void change_rooms(Ring& empty) {
    std::optional<T> item;
    while (size_ != 0) {
      pop_to(item);
      empty.push(std::move(*item));
    }
    std::swap(*this, empty);
  }

 private:
  explicit Ring(size_t capacity) : slots_(capacity) {}

  std::vector<std::optional<T>> slots_;
  size_t first_ = 0, size_ = 0;
};

/// Last in, first out.
template <class T>
class Stack {
 public:
  Stack() = default;
  Stack larger(size_t capacity) const {
    Stack other;
    other.items_.reserve(capacity);
    return other;
  }

  size_t size() const { return items_.size(); }
  size_t capacity() const { return items_.capacity(); }

  void push(T&& item) { items_.push_back(std::move(item)); }
  void pop_to(std::optional<T>& item) {
    item.emplace(std::move(items_.back()));
    items_.pop_back();
  }

  void change_rooms(Stack& empty) {
    for (T& item : items_) empty.items_.push_back(std::move(item));
    items_.clear();
    items_.swap(empty.items_);
  }

 protected:
  std::vector<T> items_;
};

/// The lowest first.
template <class T, class Compare>
class Heap : private Stack<T> {
 public:
  explicit Heap(Compare compare) : compare_(std::move(compare)) {}
  Heap larger(size_t items) const {
    Heap other(compare_);
    other.items_.reserve(items);
    return other;
  }

  using Stack<T>::size;
  using Stack<T>::capacity;

  void push(T&& item) {
    Stack<T>::push(std::move(item));
    std::push_heap(this->items_.begin(), this->items_.end(), lowest_first());
  }
  void pop_to(std::optional<T>& item) {
    std::pop_heap(this->items_.begin(), this->items_.end(), lowest_first());
    Stack<T>::pop_to(item);
  }
  void change_rooms(Heap& empty) { Stack<T>::change_rooms(empty); }

 private:
  auto lowest_first() {
    return [this](const T& a, const T& b) { return compare_(b, a); };
  }

  Compare compare_;
};

}  // namespace detail
}  // namespace v1
}  // namespace guv
