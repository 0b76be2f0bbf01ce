#pragma once

#include <atomic>

namespace guv {

struct InboxLink {
  std::atomic<InboxLink*> before{nullptr};  // who was put in before
};

/// What any kernel thread and any signal handler may put in, and one takes out, all of it at once. T derives from InboxLink.
/// The inbox owns nothing.
template <class T>
class Inbox {
 public:
  bool empty() const { return newest_.load(std::memory_order_seq_cst) == nullptr; }

  /// It must not be in an inbox.
  void put(T& item) {
    InboxLink& link = item;
    InboxLink* newest = newest_.load(std::memory_order_relaxed);
    do {
      link.before.store(newest, std::memory_order_relaxed);
    } while (!newest_.compare_exchange_weak(newest, &link, std::memory_order_seq_cst, std::memory_order_relaxed));
  }

  /// Calls `take(T&)` with each, in the order in which they were put in. By then it may be put in again, or freed.
  template <class Take>
  void take_all(Take take) {
    if (newest_.load(std::memory_order_relaxed) == nullptr) return;
    InboxLink* newest_first = newest_.exchange(nullptr, std::memory_order_acq_rel);
    InboxLink* oldest_first = nullptr;
    while (InboxLink* link = newest_first) {
      newest_first = link->before.load(std::memory_order_relaxed);
      link->before.store(oldest_first, std::memory_order_relaxed);
      oldest_first = link;
    }
    while (InboxLink* link = oldest_first) {
      oldest_first = link->before.load(std::memory_order_relaxed);
      take(static_cast<T&>(*link));
    }
  }

  /// Forgets what is in it without touching it (after fork).
  void abandon() { newest_.store(nullptr, std::memory_order_relaxed); }

 private:
  std::atomic<InboxLink*> newest_{nullptr};
};

}  // namespace guv
