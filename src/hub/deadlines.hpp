#pragma once

#include <cstdint>

#include "base/clock.hpp"
#include "base/list.hpp"

namespace guv {

/// Something that shall happen at a deadline: a link in the wheel, owned by who waits.
struct Timer : ListNode {
  Deadline deadline;
  void (*fire)(Timer&) = nullptr;  // on the loop, disarmed
  uint8_t level = 0, slot = 0;
  bool armed() const { return linked(); }
};

/// A hierarchical timing wheel: arming, disarming and firing are O(1), whatever the number pending.
/// Its resolution is 2^16 ns (66 µs); a timer never fires early. Used by the hub's kernel thread only.
class Deadlines {
 public:
  explicit Deadlines(int64_t now) : tick_(now >> tick_bits) {}

  void arm(Timer& timer, Deadline deadline);
  void disarm(Timer& timer) {
    if (timer.armed()) take_out(timer);
  }

  /// Advances to `now` and calls `fire(Timer&)` for each timer that has come due, disarmed.
  template <class Fire>
  void advance(int64_t now, Fire fire) {
    const int64_t target = now >> tick_bits;
    while (count_ > 0) {
      // Expiry means: the whole tick has passed.
      const int64_t at = next_turn().tick;
      if (at > target) break;
      tick_ = at;
      // Cascade from the top, so that what is due now reaches the lowest level within this step.
      for (int level = levels - 1; level > 0; --level) {
        if ((at & ((int64_t{1} << (level_bits * level)) - 1)) != 0) continue;
        List<Timer> moving;
        take_slot(level, slot_of(at, level), moving);
        while (Timer* timer = moving.pop_front()) {
          --count_;
          place(*timer);
        }
      }
      List<Timer> due;
      take_slot(0, slot_of(at, 0), due);
      tick_ = at + 1;  // before firing: a timer that is armed again for the past must find a slot still to come
      while (Timer* timer = due.pop_front()) {
        --count_;
        fire(*timer);
      }
    }
    if (tick_ < target) tick_ = target;
  }

  /// When `advance` should next be called: never later than the earliest deadline's tick.
  Deadline next();
  bool empty() const { return count_ == 0; }

  /// Forgets all timers without touching them (after fork).
  void abandon();

 private:
  static constexpr int tick_bits = 16, level_bits = 6, levels = 8, slots = 1 << level_bits;

  /// At `tick` there is something to be done: `slot` is emptied, if that is known.
  struct Turn {
    int64_t tick;
    List<Timer>* slot;
  };

  static int slot_of(int64_t tick, int level) { return static_cast<int>((tick >> (level_bits * level)) & (slots - 1)); }
  static int64_t tick_of(Deadline deadline) {
    const int64_t nanoseconds = deadline.nanoseconds();
    if (nanoseconds <= 0) return 0;
    return (nanoseconds >> tick_bits) + 1;  // rounded up: never early
  }
  void place(Timer& timer);
  void take_out(Timer& timer);
  void take_slot(int level, int slot, List<Timer>& into) {
    if (!(occupied_[level] >> slot & 1)) return;
    into.take(wheel_[level][slot]);
    occupied_[level] &= ~(uint64_t{1} << slot);
  }
  Turn next_turn();

  int64_t tick_;  // the next tick to be looked at
  int64_t count_ = 0;
  uint64_t occupied_[levels] = {};
  List<Timer> wheel_[levels][slots];
};

}  // namespace guv
