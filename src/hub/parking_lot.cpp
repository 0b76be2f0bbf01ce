#include "hub/parking_lot.hpp"

#include <linux/futex.h>

#include <new>

#include "base/sys.hpp"
#include "hub/hub.hpp"

namespace guv {

void ParkingLot::enqueue(AddressWaiter& waiter) {
  Critical critical;
  Bucket& bucket = bucket_of(waiter.address);
  SpinGuard guard(bucket.lock);
  bucket.count.fetch_add(1, std::memory_order_seq_cst);
  waiter.signalled.store(0, std::memory_order_relaxed);
  waiter.queued.store(true, std::memory_order_relaxed);
  if (waiter.overtaken) {
    bucket.waiters.push_front(&waiter);
  } else {
    bucket.waiters.push_back(&waiter);
  }
}

bool ParkingLot::dequeue(AddressWaiter& waiter) {
  // Who unparked it has done with it.
  if (!waiter.queued.load(std::memory_order_acquire)) return false;
  Critical critical;
  // A requeue may move the waiter to another bucket while we wait for this one's lock.
  for (;;) {
    const void* address = waiter.address;
    Bucket& bucket = bucket_of(address);
    SpinGuard guard(bucket.lock);
    if (!waiter.queued.load(std::memory_order_relaxed)) return false;
    if (waiter.address != address) continue;
    waiter.unlink();
    waiter.queued.store(false, std::memory_order_relaxed);
    bucket.one_less();
    return true;
  }
}

void ParkingLot::wake(Bucket& bucket, AddressWaiter& waiter) {
  waiter.unlink();
  bucket.one_less();
  GreenThread* thread = waiter.thread;
  if (thread) {
    waiter.queued.store(false, std::memory_order_release);
    Hub::unpark(thread);
  } else {
    // Under the lock: the waiter takes it too before it leaves, so its memory is still there.
    waiter.signalled.store(1, std::memory_order_release);
    wake_sleeper(waiter.signalled);
    waiter.queued.store(false, std::memory_order_release);
  }
}

size_t ParkingLot::unpark_slowly(const void* address, size_t limit, uint32_t tags, bool* overtaken) {
  Critical critical;
  Bucket& bucket = bucket_of(address);
  SpinGuard guard(bucket.lock);
  size_t woken = 0;
  for (AddressWaiter* waiter = bucket.waiters.front(); waiter && woken < limit;) {
    AddressWaiter* next = bucket.waiters.next(waiter);
    if (waiter->address == address && (waiter->tag & tags)) {
      if (overtaken && waiter->overtaken) *overtaken = true;
      wake(bucket, *waiter);
      ++woken;
    }
    waiter = next;
  }
  return woken;
}

void ParkingLot::pass_on_slowly(const void* address) {
  bool overtaken = false;
  unpark_slowly(address, 1, ~0u, &overtaken);
  if (overtaken) [[unlikely]] give_way();
}

void ParkingLot::give_way() {
  GreenThread* me = self();
  if (me && !me->hub->in_critical()) me->hub->yield();
}

size_t ParkingLot::requeue(const void* from, const void* to, size_t wake_limit, size_t move_limit) {
  Critical critical;
  Bucket& source = bucket_of(from);
  Bucket& target = bucket_of(to);
  Bucket* first = &source < &target ? &source : &target;
  Bucket* second = &source < &target ? &target : &source;
  SpinGuard guard(first->lock);
  if (second != first) second->lock.lock();
  size_t done = 0, moved = 0;
  for (AddressWaiter* waiter = source.waiters.front(); waiter && (done < wake_limit || moved < move_limit);) {
    AddressWaiter* next = source.waiters.next(waiter);
    if (waiter->address == from) {
      if (done < wake_limit) {
        wake(source, *waiter);
        ++done;
      } else if (from == to) {
        ++moved;  // stays where it is: moved to the end it would be met again, for ever
      } else {
        waiter->unlink();
        source.one_less();
        waiter->address = to;
        target.count.fetch_add(1, std::memory_order_seq_cst);
        target.waiters.push_back(waiter);
        ++moved;
      }
    }
    waiter = next;
  }
  if (second != first) second->lock.unlock();
  return done + moved;
}

bool ParkingLot::anybody(const void* address, uint32_t tags) {
  Bucket& bucket = bucket_of(address);
  if (bucket.count.load(std::memory_order_seq_cst) == 0) return false;
  Critical critical;
  SpinGuard guard(bucket.lock);
  for (AddressWaiter* waiter = bucket.waiters.front(); waiter; waiter = bucket.waiters.next(waiter)) {
    if (waiter->address == address && (waiter->tag & tags)) return true;
  }
  return false;
}

int ParkingLot::sleep(const std::atomic<uint32_t>& word, Deadline until) {
  while (word.load(std::memory_order_acquire) == 0) {
    const timespec absolute = to_timespec(until.is_never() ? 0 : until.nanoseconds() > 0 ? until.nanoseconds() : 0);
    const long result = sys::call(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 0,
                                  until.is_never() ? nullptr : &absolute, nullptr, FUTEX_BITSET_MATCH_ANY);
    if (result == -ETIMEDOUT || result == -EINTR) return static_cast<int>(-result);
  }
  return 0;
}

void ParkingLot::wake_sleeper(const std::atomic<uint32_t>& word) { sys::call(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1); }

void ParkingLot::after_fork() {
  for (Bucket& bucket : buckets_) {
    bucket.lock.reset();
    if (bucket.count.load(std::memory_order_relaxed) == 0) continue;
    bucket.count.store(0, std::memory_order_relaxed);
    bucket.waiters.abandon();
  }
}

}  // namespace guv
