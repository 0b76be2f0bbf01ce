#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.hpp"
#include "base/list.hpp"
#include "base/spinlock.hpp"
#include "hub/green_thread.hpp"

namespace guv {

/// Somebody who waits for something at an address: a green thread, or a kernel thread (thread == nullptr), which sleeps
/// on `signalled`. Lives on the waiter's stack.
struct AddressWaiter : ListNode {
  const void* address = nullptr;
  GreenThread* thread = nullptr;
  std::atomic<uint32_t> signalled{0};
  uint32_t tag = ~0u;  // unpark may ask for tags it has a bit in common with
  std::atomic<bool> queued{false};
  bool overtaken = false;  // it was woken before, and found that somebody else had been quicker
};

/// Who is parked where. The state that decides whether to wait is the program's own (the mutex, the semaphore, the futex
/// word); the lot only knows the waiters. Green and kernel threads wait on the same addresses.
///
/// No wake-up is lost if a waiter enqueues first, then looks at the state once more, and only then parks; and if a waker
/// changes the state first and then unparks.
class ParkingLot {
 public:
  /// Who was overtaken goes to the front.
  void enqueue(AddressWaiter& waiter);

  /// Enqueues only if `still_so()`, asked under the lock that an unparker of this address takes.
  template <class Condition>
  bool enqueue_if(AddressWaiter& waiter, Condition still_so);

  /// Leaves the queue; false if the waiter had been unparked already.
  bool dequeue(AddressWaiter& waiter);

  /// Wakes the longest-parked waiters on `address`, at most `limit`; returns how many.
  /// Costs one load when nobody is parked in that bucket.
  /// `overtaken`: whether one of them was.
  size_t unpark(const void* address, size_t limit, uint32_t tags = ~0u, bool* overtaken = nullptr) {
    return nobody_near(address) ? 0 : unpark_slowly(address, limit, tags, overtaken);
  }
  bool unpark_one(const void* address) { return unpark(address, 1) != 0; }
  void unpark_all(const void* address) { unpark(address, SIZE_MAX); }

  /// Lets those who are ready run first, if the caller is a green thread.
  static void give_way();

  /// As unpark_one, for what the first to come gets (a mutex). If who is woken was overtaken before, the caller gives way: it
  /// may want the same again at once, and may be made to yield only where it has it.
  void pass_on(const void* address) {
    if (!nobody_near(address)) pass_on_slowly(address);
  }

  /// Wakes at most `wake` waiters at `from` and moves at most `move` others to `to`; returns how many in all.
  size_t requeue(const void* from, const void* to, size_t wake, size_t move);

  /// Whether anybody with one of `tags` is parked on `address` (a hint unless the caller excludes changes).
  bool anybody(const void* address, uint32_t tags = ~0u);

  /// Puts a kernel thread to sleep until it is unparked, or `word` is no longer 0 and its sleeper is woken: 0.
  /// ETIMEDOUT when the deadline passed first, EINTR when a signal came.
  static int sleep(const std::atomic<uint32_t>& word, Deadline until);
  static int sleep(const AddressWaiter& waiter, Deadline until) { return sleep(waiter.signalled, until); }
  static void wake_sleeper(const std::atomic<uint32_t>& word);

  /// After fork: nobody is parked.
  void after_fork();

 private:
  struct alignas(64) Bucket {
    std::atomic<uint32_t> count{0};  // written under the lock
    Spinlock lock;
    List<AddressWaiter> waiters;

    void one_less() { count.store(count.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed); }
  };
  static constexpr int bucket_bits = 12;

  Bucket& bucket_of(const void* address) {
    const auto key = reinterpret_cast<uintptr_t>(address) >> 2;
    return buckets_[(key * 0x9E3779B97F4A7C15u) >> (64 - bucket_bits)];
  }
  /// The caller has just changed the program's state with an atomic read-modify-write; on x86 that is a full barrier.
  bool nobody_near(const void* address) {
#if !defined(__x86_64__)
    std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
    return bucket_of(address).count.load(std::memory_order_relaxed) == 0;
  }
  size_t unpark_slowly(const void* address, size_t limit, uint32_t tags, bool* overtaken);
  void pass_on_slowly(const void* address);
  static void wake(Bucket& bucket, AddressWaiter& waiter);

  Bucket buckets_[1 << bucket_bits];
};

/// Keeps signal handlers from running in between (they are held until the outermost one ends): a handler may call
/// sem_post while the interrupted code holds a bucket's lock, or is half-way through the ready queue.
class Critical {
 public:
  Critical() { enter(); }
  ~Critical() { leave(); }
  Critical(const Critical&) = delete;
  Critical& operator=(const Critical&) = delete;

  // For a section that does not end with a scope.
  static void enter();
  static void leave();

 private:
  static void leave_on_kernel_thread();
};

template <class Condition>
bool ParkingLot::enqueue_if(AddressWaiter& waiter, Condition still_so) {
  Critical critical;
  Bucket& bucket = bucket_of(waiter.address);
  SpinGuard guard(bucket.lock);
  bucket.count.fetch_add(1, std::memory_order_seq_cst);
  if (!still_so()) {
    bucket.one_less();
    return false;
  }
  waiter.signalled.store(0, std::memory_order_relaxed);
  waiter.queued.store(true, std::memory_order_relaxed);
  bucket.waiters.push_back(&waiter);
  return true;
}

}  // namespace guv
