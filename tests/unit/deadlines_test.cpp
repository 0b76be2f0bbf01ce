#include "hub/deadlines.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace guv {
namespace {

constexpr int64_t tick = 1 << 16;  // the wheel's resolution, as its header promises

struct Numbered : Timer {
  int fired = 0;
};

/// Advances and checks every timer that fires against its deadline.
int advance(Deadlines& wheel, int64_t time) {
  int count = 0;
  wheel.advance(time, [&](Timer& timer) {
    EXPECT_FALSE(timer.armed());
    EXPECT_LE(timer.deadline.nanoseconds(), time) << "fired early";
    ++static_cast<Numbered&>(timer).fired;
    ++count;
  });
  return count;
}

/// Lets time pass only as next() says, until the wheel is empty; the time at which `timer` fired.
int64_t fired_at(Deadlines& wheel, const Numbered& timer) {
  for (int steps = 0; steps < 200; ++steps) {
    const Deadline next = wheel.next();
    if (next.is_never()) return -1;
    advance(wheel, next.nanoseconds());
    if (timer.fired) return next.nanoseconds();
  }
  return -2;
}

TEST(Deadlines, AnEmptyWheelHasNothingNext) {
  Deadlines wheel(12345);
  EXPECT_TRUE(wheel.empty());
  EXPECT_TRUE(wheel.next().is_never());
  EXPECT_EQ(advance(wheel, int64_t{1} << 50), 0);
}

TEST(Deadlines, NeverIsNotArmed) {
  Deadlines wheel(0);
  Numbered timer;
  wheel.arm(timer, Deadline::never());
  EXPECT_FALSE(timer.armed());
  EXPECT_TRUE(wheel.empty());
}

TEST(Deadlines, FiresAtEveryDistanceNeitherEarlyNorLate) {
  for (const int64_t start : {int64_t{0}, tick - 1, tick * 63, tick * 64 * 64 - 1, int64_t{1} << 45}) {
    for (int bit = 0; bit < 62; ++bit) {
      for (const int64_t off : {-1, 0, 1}) {
        const int64_t when = start + (int64_t{1} << bit) + off;
        Deadlines wheel(start);
        Numbered timer;
        wheel.arm(timer, Deadline::at(when));
        const int64_t at = fired_at(wheel, timer);
        EXPECT_GE(at, when) << start << " " << bit;
        EXPECT_LE(at, when + tick) << start << " " << bit;
        EXPECT_TRUE(wheel.empty());
      }
    }
  }
}

TEST(Deadlines, FiresOnBothSidesOfEveryCascade) {
  for (int level = 1; level < 7; ++level) {
    const int64_t turn = tick << (6 * level);
    for (int64_t start = turn - 2 * tick; start <= turn + 2 * tick; start += tick / 2) {
      for (int64_t when = start - tick; when <= turn + 3 * tick; when += tick / 2) {
        Deadlines wheel(start);
        Numbered timer;
        wheel.arm(timer, Deadline::at(when));
        const int64_t at = fired_at(wheel, timer);
        EXPECT_GE(at, when);
        EXPECT_LE(at, std::max(when, start) + tick);
      }
    }
  }
}

TEST(Deadlines, WhoWaitsAloneIsLookedAtOnce) {
  constexpr int64_t start = tick * 5;
  for (int bit = 17; bit < 60; ++bit) {
    Deadlines wheel(start);
    Numbered timer;
    wheel.arm(timer, Deadline::at(start + (int64_t{1} << bit)));
    EXPECT_EQ(advance(wheel, wheel.next().nanoseconds()), 1) << bit;
  }
}

TEST(Deadlines, WhatHasPassedFiresAtTheNextAdvance) {
  const int64_t time = int64_t{1} << 40;
  Deadlines wheel(time);
  Numbered past, negative;
  wheel.arm(past, Deadline::at(time - 5 * tick));
  wheel.arm(negative, Deadline::at(INT64_MIN));
  EXPECT_LE(wheel.next().nanoseconds(), time);
  EXPECT_EQ(advance(wheel, time), 2);
}

TEST(Deadlines, TheFarthestDeadlineDoesNotMakeTheHubSpin) {
  for (const int64_t when : {INT64_MAX - 1, INT64_MAX - tick, INT64_MAX / 2}) {
    const int64_t time = int64_t{1} << 50;
    Deadlines wheel(time);
    Numbered timer;
    wheel.arm(timer, Deadline::at(when));
    EXPECT_GT(wheel.next().nanoseconds(), time) << when;
    EXPECT_EQ(advance(wheel, time + (int64_t{1} << 40)), 0);
    wheel.disarm(timer);
    EXPECT_TRUE(wheel.empty());
  }
}

TEST(Deadlines, ArmingAgainMovesTheDeadline) {
  Deadlines wheel(0);
  Numbered timer;
  wheel.arm(timer, Deadline::at(10 * tick));
  wheel.arm(timer, Deadline::at(1000 * tick));
  EXPECT_EQ(advance(wheel, 500 * tick), 0);
  EXPECT_EQ(advance(wheel, 1002 * tick), 1);
  wheel.arm(timer, Deadline::at(5000 * tick));
  wheel.arm(timer, Deadline::never());
  EXPECT_TRUE(wheel.empty());
}

TEST(Deadlines, ATimerMayBeArmedAgainWhileItFires) {
  // Also for a moment that has passed already.
  for (const int64_t again : {int64_t{0}, 5 * tick, 64 * tick, 70 * tick}) {
    for (int64_t first = 0; first < 130 * tick; first += tick) {
      Deadlines wheel(0);
      Numbered timer;
      wheel.arm(timer, Deadline::at(first));
      int fired = 0;
      for (int64_t time = 0; time < first + 80 * tick; time += tick) {
        wheel.advance(time, [&](Timer& due) {
          if (++fired == 1) wheel.arm(due, Deadline::at(first + again));
        });
      }
      EXPECT_EQ(fired, 2) << first << " " << again;
    }
  }
}

TEST(Deadlines, ATimerMayBeDisarmedByAnotherThatFiresWithIt) {
  Deadlines wheel(0);
  Numbered one, two;
  wheel.arm(one, Deadline::at(5));
  wheel.arm(two, Deadline::at(6));
  int fired = 0;
  wheel.advance(10 * tick, [&](Timer& timer) {
    ++fired;
    wheel.disarm(&timer == &one ? two : one);
  });
  EXPECT_EQ(fired, 1);
  EXPECT_TRUE(wheel.empty());
}

TEST(Deadlines, AgreesWithASortedModel) {
  for (const unsigned seed : {1u, 2u, 3u, 4u, 5u, 6u}) {
    std::mt19937_64 random(seed);
    int64_t time = static_cast<int64_t>(random() >> (random() % 40 + 8));
    Deadlines wheel(time);
    std::vector<Numbered> timers(300);
    for (int step = 0; step < 20'000; ++step) {
      Numbered& timer = timers[random() % timers.size()];
      switch (random() % 4) {
        case 0:
        case 1:
          // Distances of all magnitudes.
          wheel.arm(timer, Deadline::at(time + static_cast<int64_t>(random() >> (4 + random() % 58)) - 2 * tick));
          break;
        case 2:
          wheel.disarm(timer);
          EXPECT_FALSE(timer.armed());
          break;
        case 3:
          if (random() % 2) {
            time += static_cast<int64_t>(random() >> (30 + random() % 33));
          } else if (!wheel.empty()) {
            time = std::max(time, wheel.next().nanoseconds());
          }
          advance(wheel, time);
          break;
      }
      if (step % 16 != 0) continue;
      int64_t earliest = INT64_MAX;
      for (const Numbered& each : timers) {
        if (each.armed()) earliest = std::min(earliest, each.deadline.nanoseconds());
      }
      EXPECT_EQ(wheel.empty(), earliest == INT64_MAX);
      if (earliest == INT64_MAX) continue;
      EXPECT_LE(wheel.next().nanoseconds(), std::max(earliest, time) + tick) << "next() is late at step " << step;
    }
    // Everything armed comes, in the order of the ticks.
    int64_t last = INT64_MIN;
    size_t left = 0;
    for (const Numbered& each : timers) left += each.armed();
    for (int steps = 0; !wheel.empty() && steps < 100'000; ++steps) {
      time = std::max(time, wheel.next().nanoseconds());
      wheel.advance(time, [&](Timer& timer) {
        EXPECT_LE(timer.deadline.nanoseconds(), time);
        EXPECT_GE(timer.deadline.nanoseconds() + tick, last);
        last = std::max(last, timer.deadline.nanoseconds());
        --left;
      });
    }
    EXPECT_EQ(left, 0u);
  }
}

TEST(Deadlines, ForgetsAllAfterFork) {
  Deadlines wheel(0);
  Numbered timer;
  wheel.arm(timer, Deadline::at(100 * tick));
  wheel.abandon();
  timer.reset();
  EXPECT_TRUE(wheel.empty());
  EXPECT_TRUE(wheel.next().is_never());
  wheel.arm(timer, Deadline::at(100 * tick));
  EXPECT_EQ(advance(wheel, 102 * tick), 1);
}

}  // namespace
}  // namespace guv
