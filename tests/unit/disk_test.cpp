#include "hub/disk.hpp"

#include <gtest/gtest.h>
#include <time.h>

#include "base/sys.hpp"
#include "green.hpp"

namespace guv {
namespace {

using test::go;
using test::join;

class SlowDisk : public test::WithRuntime {
 protected:
  SlowDisk() {
    other = go([this] {
      while (!done) test::hub().yield();
    });
  }
  ~SlowDisk() override {
    done = true;
    join(other);
  }
  int quick_calls_until_it_is_trusted() {
    int calls = 0;
    for (; !disk.answers_at_once(); ++calls) disk.was_elsewhere(false);
    return calls;
  }

  Disk disk;
  GreenThread* other;
  bool done = false;
};

TEST_F(SlowDisk, IsTrustedAtFirst) { EXPECT_TRUE(disk.answers_at_once()); }

TEST_F(SlowDisk, OneLateCallSendsAFewToHelpers) {
  disk.was_late();
  EXPECT_FALSE(disk.answers_at_once());
  EXPECT_EQ(quick_calls_until_it_is_trusted(), 32);
}

TEST_F(SlowDisk, OneThatWaitedThereSendsManyMore) {
  disk.was_late();
  disk.was_elsewhere(true);
  EXPECT_GT(quick_calls_until_it_is_trusted(), 1000);
}

TEST_F(SlowDisk, HoldsUpNobodyWhereThereIsNobody) {
  done = true;
  join(other);
  disk.was_late();
  EXPECT_TRUE(disk.answers_at_once());
  other = go([] {});
}

TEST_F(SlowDisk, IsFoundOutByAStopwatch) {
  const Stopwatch watch;
  const timespec while_asleep{0, 20'000'000};
  sys::call(SYS_nanosleep, &while_asleep, nullptr);
  EXPECT_TRUE(watch.late());
}

// The last one: it is for good.
TEST_F(SlowDisk, IsWhatAllDisksAreOnceALeaseIsTaken) {
  Disk::lease_taken();
  Disk& disk = runtime().disk();
  for (int i = 0; i < 100; ++i) disk.was_elsewhere(false);
  EXPECT_FALSE(disk.answers_at_once());
}

}  // namespace
}  // namespace guv
