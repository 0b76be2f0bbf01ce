#include "base/clock.hpp"

#include <gtest/gtest.h>

#include <climits>

namespace guv {
namespace {

constexpr int64_t second = nanoseconds_per_second;

TEST(Deadline, IsNeverByDefault) {
  EXPECT_TRUE(Deadline().is_never());
  EXPECT_EQ(Deadline(), Deadline::never());
  EXPECT_FALSE(Deadline().passed());
  EXPECT_LT(Deadline::in(second), Deadline::never());
}

TEST(Deadline, PassesWhenItsTimeHasCome) {
  EXPECT_TRUE(Deadline::at(now()).passed());
  EXPECT_TRUE(Deadline::in(-second).passed());
  EXPECT_TRUE(Deadline::at(0).passed());
  EXPECT_FALSE(Deadline::in(100 * second).passed());
}

TEST(Deadline, TooFarIsNever) {
  EXPECT_TRUE(Deadline::in(INT64_MAX).is_never());
  EXPECT_TRUE(Deadline::in(INT64_MAX - 1).is_never());
  EXPECT_TRUE(Deadline::in(timespec{LONG_MAX, 999'999'999}).is_never());
  EXPECT_TRUE(Deadline::in(timespec{INT64_MAX / second, 999'999'999}).is_never());
  EXPECT_TRUE(Deadline::on(CLOCK_MONOTONIC, timespec{LONG_MAX, 0}).is_never());
  EXPECT_FALSE(Deadline::on(CLOCK_REALTIME, timespec{LONG_MAX, 0}).passed());
}

TEST(Deadline, LongAgoHasPassedAndNothingIsLeft) {
  const timespec long_agos[] = {{LONG_MIN, 0}, {LONG_MIN, 999'999'999}, {INT64_MIN / second, 0}, {-1, 0}, {0, -1}, {0, 0}};
  for (const timespec& time : long_agos) {
    for (const clockid_t clock : {CLOCK_MONOTONIC, CLOCK_REALTIME}) {
      const Deadline deadline = Deadline::on(clock, time);
      EXPECT_TRUE(deadline.passed()) << time.tv_sec << " on clock " << clock;
      EXPECT_EQ(deadline.left(), 0);
    }
  }
  EXPECT_TRUE(Deadline::in(timespec{LONG_MIN, 0}).passed());
  EXPECT_TRUE(Deadline::in(timespec{-5, 3}).passed());
  EXPECT_EQ(Deadline::at(INT64_MIN).left(), 0);
}

TEST(Deadline, NegativeMillisecondsAreNever) {
  EXPECT_TRUE(Deadline::in_milliseconds(-1).is_never());
  EXPECT_TRUE(Deadline::in_milliseconds(INT_MIN).is_never());
  EXPECT_TRUE(Deadline::in_milliseconds(0).passed());
  const int64_t left = Deadline::in_milliseconds(INT_MAX).left();
  EXPECT_GT(left, int64_t{INT_MAX} * 1'000'000 - 10 * second);
}

TEST(Deadline, AnyClockIsTurnedIntoTheMonotonicOne) {
  for (const clockid_t clock : {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI}) {
    timespec time;
    clock_gettime(clock, &time);
    time.tv_sec += 100;
    const int64_t left = Deadline::on(clock, time).left();
    EXPECT_GT(left, 90 * second) << clock;
    EXPECT_LE(left, 100 * second + second / 10) << clock;
  }
}

TEST(Deadline, TimespecsAreCheckedAsPosixSays) {
  EXPECT_TRUE(valid(timespec{0, 0}));
  EXPECT_TRUE(valid(timespec{-1, 999'999'999}));
  EXPECT_FALSE(valid(timespec{0, -1}));
  EXPECT_FALSE(valid(timespec{0, second}));
}

TEST(Deadline, ADurationComesBackAsTimespec) {
  const timespec time = to_timespec(3 * second + 7);
  EXPECT_EQ(time.tv_sec, 3);
  EXPECT_EQ(time.tv_nsec, 7);
}

TEST(Patience, IsAskedForAsWrittenAndThenForWhatIsLeft) {
  const timespec minute{60, 0};
  Patience patience(&minute);
  timespec* const first = patience.left();
  EXPECT_EQ(first->tv_sec, 60);
  *first = {5, 0};  // as by ppoll(2)
  const timespec* const second = patience.left();
  EXPECT_LT(second->tv_sec, 60);
  EXPECT_GT(second->tv_sec, 50);
  EXPECT_FALSE(patience.at_once());
}

TEST(Patience, WaitsForEverWithoutATimeout) {
  Patience patience(nullptr);
  EXPECT_EQ(patience.left(), nullptr);
  EXPECT_TRUE(patience.until().is_never());
}

}  // namespace
}  // namespace guv
