// Condition variables live on the parking lot, for kernel threads too: a real pthread_cond_wait would release the mutex
// inside libc, where no parked thread hears of it. libc's own state is used for the clock alone.
#include "interpose.hpp"

extern "C" int guv_wrap_pthread_mutex_lock(pthread_mutex_t*);
extern "C" int guv_wrap_pthread_mutex_unlock(pthread_mutex_t*);

namespace guv {

namespace {

// glibc's __wrefs: bit 0 process-shared, bit 1 the monotonic clock. Its <bits/struct_mutex.h>: bit 7 of the kind. Whoever waits
// with a mutex that is no other process's waits for threads of this one; libc would release it unheard of.
bool shared(const pthread_cond_t* cond, const pthread_mutex_t* mutex) {
  return (cond->__data.__wrefs & 1) && (mutex->__data.__kind & 128);
}
clockid_t clock_of(const pthread_cond_t* cond) { return cond->__data.__wrefs & 2 ? CLOCK_MONOTONIC : CLOCK_REALTIME; }

/// Gives the mutex up, but goes on using it in libc's eyes (pthread_mutex_destroy: EBUSY), and takes it back however the
/// wait ends: POSIX wants it held in cancellation cleanup handlers too.
class Released {
 public:
  explicit Released(pthread_mutex_t* mutex) : mutex_(mutex) {
    ++mutex->__data.__nusers;
    error_ = guv_wrap_pthread_mutex_unlock(mutex);
    if (error_) --mutex->__data.__nusers;
  }
  ~Released() {
    if (!error_ && !relocked_) lock_again();
  }
  int error() const { return error_; }
  int lock_again() {
    relocked_ = true;
    const int error = guv_wrap_pthread_mutex_lock(mutex_);
    --mutex_->__data.__nusers;
    return error;
  }
  Released(const Released&) = delete;
  Released& operator=(const Released&) = delete;

 private:
  pthread_mutex_t* mutex_;
  int error_;
  bool relocked_ = false;
};

/// Waits until it is taken from the queue by a signal; enqueued before the mutex is given up.
class CondWait : public AddressWait {
 public:
  CondWait(pthread_cond_t* cond, Deadline until) : AddressWait(cond, EBUSY, until) { cancellation_point = true; }
  Arm arm(GreenThread*) const { return Arm::look_again; }
  void disarm() const {}
};

int wait(pthread_cond_t* cond, pthread_mutex_t* mutex, Deadline until) {
  AddressWaiter waiter;
  waiter.address = cond;
  waiter.thread = self();
  struct Queued {
    AddressWaiter& waiter;
    bool done = false;
    bool leave() {
      done = true;
      return runtime().lot().dequeue(waiter);
    }
    ~Queued() {
      // Cancelled. A signal that was meant for us goes to another.
      if (!done && !leave()) runtime().lot().unpark_one(waiter.address);
    }
  };
  if (GreenThread* me = self()) test_cancel(*me);
  runtime().lot().enqueue(waiter);
  Queued queued{waiter};
  Released released(mutex);
  if (released.error()) {
    queued.leave();
    return released.error();
  }
  long result;
  if (waiter.thread) {
    result = blocking(CondWait(cond, until),
                      [&](Mode) -> long { return waiter.queued.load(std::memory_order_acquire) ? EBUSY : 0; });
  } else {
    // A handler runs in between and the wait goes on: pthread_cond_wait never returns EINTR.
    do {
      result = ParkingLot::sleep(waiter, until);
    } while (result == EINTR);
  }
  // Signalled at the last moment after all?
  if (!queued.leave()) result = 0;
  const int error = released.lock_again();
  return error ? error : static_cast<int>(result);
}

int wait_until(pthread_cond_t* cond, pthread_mutex_t* mutex, clockid_t clock, const timespec* until) {
  if (!valid(*until)) return EINVAL;
  return wait(cond, mutex, Deadline::on(clock, *until));
}

}  // namespace

}  // namespace guv

using namespace guv;

GUV_INTERPOSE(int, pthread_cond_wait, (pthread_cond_t * cond, pthread_mutex_t* mutex)) {
  if (!runtime_started()) return real().pthread_cond_wait(cond, mutex);
  if (shared(cond, mutex)) return offload_wait([=] { return real().pthread_cond_wait(cond, mutex); });
  return wait(cond, mutex, Deadline::never());
}

GUV_INTERPOSE(int, pthread_cond_timedwait, (pthread_cond_t * cond, pthread_mutex_t* mutex, const timespec* until)) {
  if (!runtime_started()) return real().pthread_cond_timedwait(cond, mutex, until);
  if (shared(cond, mutex)) return offload_wait([=] { return real().pthread_cond_timedwait(cond, mutex, until); });
  return wait_until(cond, mutex, clock_of(cond), until);
}

GUV_INTERPOSE(int, pthread_cond_clockwait,
              (pthread_cond_t * cond, pthread_mutex_t* mutex, clockid_t clock, const timespec* until)) {
  if (!runtime_started()) return real().pthread_cond_clockwait(cond, mutex, clock, until);
  if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC) return EINVAL;
  if (shared(cond, mutex)) {
    return offload_wait([=] { return real().pthread_cond_clockwait(cond, mutex, clock, until); });
  }
  return wait_until(cond, mutex, clock, until);
}

GUV_INTERPOSE(int, pthread_cond_signal, (pthread_cond_t * cond)) {
  if (!runtime_started()) return real().pthread_cond_signal(cond);
  // Somebody may wait in libc: in another process, on a helper, or since before the gates were opened.
  return runtime().lot().unpark(cond, 1) ? 0 : real().pthread_cond_signal(cond);
}

GUV_INTERPOSE(int, pthread_cond_broadcast, (pthread_cond_t * cond)) {
  if (!runtime_started()) return real().pthread_cond_broadcast(cond);
  runtime().lot().unpark_all(cond);
  return real().pthread_cond_broadcast(cond);
}
