#include "hub/deadlines.hpp"

#include <algorithm>

namespace guv {

void Deadlines::place(Timer& timer) {
  int64_t when = tick_of(timer.deadline);
  if (when < tick_) when = tick_;
  constexpr int64_t horizon = (int64_t{1} << (level_bits * levels)) - 1;
  if (when - tick_ > horizon) when = tick_ + horizon;  // looked at again when that time has come
  // The level is that of the highest digit in which `when` differs from now: its slot is cascaded when that digit turns.
  const uint64_t difference = static_cast<uint64_t>(when ^ tick_) | (slots - 1);
  int level = (63 - __builtin_clzll(difference)) / level_bits;
  if (level >= levels) level = levels - 1;
  timer.level = static_cast<uint8_t>(level);
  timer.slot = static_cast<uint8_t>(slot_of(when, level));
  wheel_[level][timer.slot].push_back(&timer);
  occupied_[level] |= uint64_t{1} << timer.slot;
  ++count_;
}

void Deadlines::arm(Timer& timer, Deadline deadline) {
  disarm(timer);
  timer.deadline = deadline;
  if (!deadline.is_never()) place(timer);
}

void Deadlines::take_out(Timer& timer) {
  timer.unlink();
  --count_;
  if (wheel_[timer.level][timer.slot].empty()) occupied_[timer.level] &= ~(uint64_t{1} << timer.slot);
}

Deadline Deadlines::next() {
  if (count_ == 0) return Deadline::never();
  const auto [turn, slot] = next_turn();
  // All other slots come later. A timer that is alone in this one need not be cascaded before it is due.
  const bool alone = slot && slot->front() == slot->back();
  const int64_t tick = alone ? std::max(turn, tick_of(slot->front()->deadline)) : turn;
  return tick > INT64_MAX >> tick_bits ? Deadline::never() : Deadline::at(tick << tick_bits);
}

Deadlines::Turn Deadlines::next_turn() {
  // When tick_ is the very first tick of a slot of an upper level, that slot has not been cascaded yet: what it holds may
  // come before anything at the levels below.
  for (int level = 1; level < levels && (tick_ & ((int64_t{1} << (level_bits * level)) - 1)) == 0; ++level) {
    if (occupied_[level] >> slot_of(tick_, level) & 1) return {tick_, nullptr};
  }
  for (int level = 0; level < levels; ++level) {
    const int shift = level_bits * level;
    const int current = slot_of(tick_, level);
    // At level 0 the current slot is still to come; above it, it is empty.
    const int first = level == 0 ? current : current + 1;
    if (first >= slots) continue;
    const uint64_t later = occupied_[level] >> first << first;
    if (later) {
      const int slot = __builtin_ctzll(later);
      const int64_t base = tick_ >> (shift + level_bits) << (shift + level_bits);
      return {base + (int64_t{slot} << shift), &wheel_[level][slot]};
    }
  }
  // Only slots of the top level that have wrapped around are left: look again when it turns.
  constexpr int top = level_bits * levels;
  return {((tick_ >> top) + 1) << top, nullptr};
}

void Deadlines::abandon() {
  count_ = 0;
  for (int level = 0; level < levels; ++level) {
    occupied_[level] = 0;
    for (auto& slot : wheel_[level]) slot.abandon();
  }
}

}  // namespace guv
