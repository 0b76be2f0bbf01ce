#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include <guv/guv.hpp>

#include "kernel_thread.hpp"

using namespace std::chrono_literals;

namespace {

TEST(Semaphore, LetsInAsManyAsItsValue) {
  guv::Semaphore semaphore(2);
  EXPECT_EQ(semaphore.balance(), 2);
  EXPECT_TRUE(semaphore.acquire());
  EXPECT_FALSE(semaphore.locked());
  EXPECT_TRUE(semaphore.try_acquire());
  EXPECT_TRUE(semaphore.locked());
  EXPECT_FALSE(semaphore.try_acquire());
  EXPECT_FALSE(semaphore.acquire(false));
  EXPECT_FALSE(semaphore.bounded());
  semaphore.release();
  EXPECT_TRUE(semaphore.acquire(true));
}

TEST(Semaphore, HasOnePermitUnlessToldOtherwise) {
  guv::Semaphore semaphore;
  EXPECT_TRUE(semaphore.try_acquire());
  EXPECT_FALSE(semaphore.try_acquire());
  EXPECT_THROW(guv::Semaphore(-1), std::invalid_argument);
}

// The seed's example: True if acquired, False if timed out.
TEST(Semaphore, AcquireEndsAtItsDeadline) {
  guv::Semaphore semaphore(0);
  const int64_t start = guv_now();
  EXPECT_FALSE(semaphore.acquire(10ms));
  EXPECT_GE(guv_now() - start, 10'000'000);
  EXPECT_EQ(semaphore.balance(), 0);
}

TEST(Semaphore, LetsWaitersInInTheOrderOfTheirComing) {
  guv::Semaphore semaphore(0);
  std::string log;
  std::vector<guv::GreenThread<void>> threads;
  for (char c = 'a'; c <= 'e'; ++c) {
    threads.push_back(guv::spawn([&, c] {
      semaphore.acquire();
      log += c;
    }));
  }
  guv::gyield();
  EXPECT_EQ(semaphore.balance(), -5);
  for (auto& thread : threads) {
    semaphore.release();
    // It has been handed over: nobody overtakes.
    EXPECT_FALSE(semaphore.try_acquire());
    thread.get();
  }
  EXPECT_EQ(log, "abcde");
  EXPECT_EQ(semaphore.balance(), 0);
}

TEST(Semaphore, ReleaseWakesExactlyOne) {
  guv::Semaphore semaphore(0);
  int in = 0;
  std::vector<guv::GreenThread<void>> threads;
  for (int i = 0; i < 3; ++i) {
    threads.push_back(guv::spawn([&] {
      semaphore.acquire();
      ++in;
    }));
  }
  guv::gyield();
  semaphore.release();
  guv::sleep(2ms);
  EXPECT_EQ(in, 1);
  semaphore.release();
  semaphore.release();
  for (auto& thread : threads) thread.get();
}

TEST(Semaphore, AKilledWaiterLeavesTheLine) {
  guv::Semaphore semaphore(0);
  auto killed = guv::spawn([&] { semaphore.acquire(); });
  auto next = guv::spawn([&] { semaphore.acquire(); });
  guv::gyield();
  killed.kill();
  EXPECT_EQ(semaphore.balance(), -1);
  semaphore.release();
  next.get();
  EXPECT_THROW(killed.get(), guv::GreenExit);
}

// The permit has gone to the thread: the kill is for its next wait.
TEST(Semaphore, APermitHandedOverIsNotLostByAKill) {
  guv::Semaphore semaphore(0);
  bool in = false;
  auto thread = guv::spawn([&] {
    const bool acquired = semaphore.acquire();
    in = acquired;
    semaphore.release();
    guv::sleep(1h);
  });
  guv::gyield();
  semaphore.release();
  thread.kill();
  EXPECT_THROW(thread.get(), guv::GreenExit);
  EXPECT_TRUE(in);
  EXPECT_EQ(semaphore.balance(), 1);
}

TEST(Semaphore, ATimeoutThrowsThroughAcquire) {
  guv::Semaphore semaphore(0);
  guv::Timeout timeout(2ms);
  EXPECT_THROW(semaphore.acquire(), guv::TimedOut);
  EXPECT_EQ(semaphore.balance(), 0);
}

TEST(Semaphore, PthreadCancelEndsAcquire) {
  guv::Semaphore semaphore(0);
  pthread_t handle{};
  auto thread = guv::spawn([&] {
    handle = pthread_self();
    semaphore.acquire();
  });
  guv::gyield();
  pthread_cancel(handle);
  EXPECT_THROW(thread.get(), guv::GreenExit);
  EXPECT_EQ(semaphore.balance(), 0);
}

TEST(Semaphore, GuardHoldsAPermit) {
  guv::Semaphore semaphore;
  {
    guv::Semaphore::Guard guard(semaphore);
    EXPECT_TRUE(semaphore.locked());
    guv::Semaphore::Guard second(semaphore, std::try_to_lock);
    EXPECT_FALSE(second);
  }
  EXPECT_FALSE(semaphore.locked());
}

TEST(Semaphore, IsSharedWithKernelThreads) {
  guv::Semaphore to_kernel(0), to_green(0);
  auto green = guv::spawn([&] {
    for (int i = 0; i < 1000; ++i) {
      to_green.acquire();
      to_kernel.release();
    }
  });
  on_kernel_thread([&] {
    EXPECT_FALSE(to_kernel.acquire(2ms));
    for (int i = 0; i < 1000; ++i) {
      to_green.release();
      to_kernel.acquire();
    }
  });
  green.get();
}

TEST(Semaphore, CanBeReleasedOnTheHub) {
  guv::Semaphore semaphore(0);
  guv::call_on_hub([&] {
    EXPECT_FALSE(semaphore.try_acquire());
    EXPECT_THROW(semaphore.acquire(), std::system_error);
    semaphore.release();
  });
  EXPECT_TRUE(semaphore.acquire());
}

TEST(Semaphore, ServesTenThousandThreads) {
  constexpr int many = 10'000;
  guv::Semaphore semaphore(3);
  int inside = 0, most = 0, done = 0;
  std::vector<guv::GreenThread<void>> threads;
  for (int i = 0; i < many; ++i) {
    threads.push_back(guv::spawn([&] {
      guv::Semaphore::Guard guard(semaphore);
      most = std::max(most, ++inside);
      guv::gyield();
      --inside;
      ++done;
    }));
  }
  for (auto& thread : threads) thread.get();
  EXPECT_EQ(done, many);
  EXPECT_EQ(most, 3);
  EXPECT_EQ(semaphore.balance(), 3);
}

// Permits are neither lost nor made while waiters come, are killed and give up.
TEST(Semaphore, KeepsCountAmongKillsAndTimeouts) {
  guv::Semaphore semaphore(2);
  std::vector<guv::GreenThread<void>> threads;
  for (int i = 0; i < 200; ++i) {
    threads.push_back(guv::spawn([&, i] {
      for (int turn = 0; turn < 20; ++turn) {
        if (!semaphore.acquire(i % 3 == 0 ? guv::Deadline(100us) : guv::Deadline())) continue;
        try {
          if (turn % 4 == 0) guv::gyield();
        } catch (...) {
          semaphore.release();
          throw;
        }
        semaphore.release();
      }
    }));
  }
  for (size_t i = 0; i < threads.size(); i += 5) {
    guv::gyield();
    threads[i].kill();
  }
  on_kernel_thread([&] {
    for (int i = 0; i < 1000; ++i) {
      if (semaphore.acquire(1ms)) semaphore.release();
    }
  });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(semaphore.balance(), 2);
}

TEST(BoundedSemaphore, NoticesOneReleaseTooMany) {
  guv::BoundedSemaphore semaphore(2);
  EXPECT_THROW(semaphore.release(), std::invalid_argument);
  semaphore.acquire();
  semaphore.release();
  EXPECT_THROW(semaphore.release(), std::invalid_argument);
  EXPECT_EQ(semaphore.balance(), 2);
  const guv::BoundedSemaphore::Guard guard(semaphore);
}

TEST(CappedSemaphore, BlocksAtZeroAndAtItsLimit) {
  guv::CappedSemaphore semaphore(1, 2);
  EXPECT_EQ(semaphore.balance(), 1);
  EXPECT_TRUE(semaphore.release());
  EXPECT_TRUE(semaphore.bounded());
  EXPECT_FALSE(semaphore.release(false));
  EXPECT_FALSE(semaphore.release(2ms));
  EXPECT_TRUE(semaphore.acquire());
  EXPECT_TRUE(semaphore.acquire());
  EXPECT_TRUE(semaphore.locked());
  EXPECT_FALSE(semaphore.try_acquire());
  EXPECT_FALSE(semaphore.acquire(2ms));
  EXPECT_EQ(semaphore.balance(), 0);
  EXPECT_THROW(guv::CappedSemaphore(3, 2), std::invalid_argument);
}

TEST(CappedSemaphore, AcquireLetsInAWaitingRelease) {
  guv::CappedSemaphore semaphore(1, 1);
  auto thread = guv::spawn([&] { return semaphore.release(); });
  guv::gyield();
  EXPECT_EQ(semaphore.balance(), 2);
  EXPECT_TRUE(semaphore.acquire());
  EXPECT_TRUE(thread.get());
  EXPECT_EQ(semaphore.balance(), 1);
}

TEST(CappedSemaphore, AKilledReleaseGivesNothingBack) {
  guv::CappedSemaphore semaphore(1, 1);
  auto thread = guv::spawn([&] { semaphore.release(); });
  guv::gyield();
  thread.kill();
  EXPECT_THROW(thread.get(), guv::GreenExit);
  EXPECT_EQ(semaphore.balance(), 1);
}

}  // namespace
