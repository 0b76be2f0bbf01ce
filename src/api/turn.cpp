// What events, queues and semaphores are made of: a lock for short work, and turns, which threads give one another.
#include "api/api.hpp"
#include "base/spinlock.hpp"
#include "guv/guv.h"

using namespace guv;

namespace {

static_assert(sizeof(Spinlock) <= sizeof(guv_lock));
Spinlock& spinlock_in(guv_lock* lock) { return *reinterpret_cast<Spinlock*>(lock); }

struct Turn {
  enum Given : uint32_t { not_yet, on_the_same_kernel_thread, from_elsewhere };

  GreenThread* thread = self();  // null: a kernel thread, asleep at `given`
  std::atomic<uint32_t> given{not_yet};
};
static_assert(sizeof(Turn) <= sizeof(guv_turn));
Turn& turn_in(guv_turn* turn) { return *reinterpret_cast<Turn*>(turn); }

/// Who gives the turn unparks the thread: there is nothing to be armed.
class TurnWait : public PlainWait {
 public:
  static constexpr bool for_kernel_threads = true;
  static constexpr bool waits_mostly = true;
  static constexpr bool cancellation_point = false;  // wait_for looks
  static constexpr OnHandler on_handler = OnHandler::go_on;

  TurnWait(const Turn& turn, Deadline until) : turn_(turn), until_(until) {}

  bool would_block(long result) const { return result == EBUSY; }
  Deadline deadline() const { return until_; }
  long give_up(int reason) const { return reason; }
  Arm arm(GreenThread*) const { return Arm::park; }
  int sleep(Deadline until) const { return ParkingLot::sleep(turn_.given, until); }

 private:
  const Turn& turn_;
  Deadline until_;
};

}  // namespace

extern "C" {

void guv_lock_acquire(guv_lock* lock) {
  Critical::enter();
  spinlock_in(lock).lock();
}

void guv_lock_release(guv_lock* lock) {
  spinlock_in(lock).unlock();
  Critical::leave();
}

int guv_turn_wait(guv_turn* room, guv_lock* lock, void (*leave)(void*), void* argument, int64_t deadline) {
  Turn& turn = *new (room) Turn;
  guv_lock_release(lock);
  const int result = api::wait_for(
      TurnWait(turn, Deadline::at(deadline)),
      [&] { return turn.given.load(std::memory_order_acquire) == Turn::not_yet; },
      [&] {
        const Critical critical;
        const SpinGuard guard(spinlock_in(lock));
        if (turn.given.load(std::memory_order_relaxed) != Turn::not_yet) return false;
        leave(argument);
        return true;
      });
  if (turn.given.load(std::memory_order_relaxed) == Turn::from_elsewhere) {
    // Who gave it may still hold the lock, and we may be about to destroy that.
    guv_lock_acquire(lock);
    guv_lock_release(lock);
  }
  return result;
}

void guv_turn_give(guv_turn* room) {
  Turn& turn = turn_in(room);
  // On another kernel thread the turn, and the stack that it is on, may be gone as soon as it is given.
  GreenThread* const thread = turn.thread;
  const bool same = thread && thread->hub == per_thread.hub;
  turn.given.store(same ? Turn::on_the_same_kernel_thread : Turn::from_elsewhere, std::memory_order_release);
  if (thread) {
    Hub::unpark(thread);
  } else {
    ParkingLot::wake_sleeper(turn.given);
  }
}

}  // extern "C"
