#include "hub/parking_lot.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "green.hpp"

namespace guv {
namespace {

/// A kernel thread's waiter that nobody sleeps on: `woken` tells what the lot did.
struct Waiter : AddressWaiter {
  explicit Waiter(const void* where, uint32_t mark = ~0u) {
    address = where;
    tag = mark;
  }
  bool woken() const { return signalled.load() != 0; }
};

class Lot : public test::WithRuntime {
 protected:
  std::unique_ptr<ParkingLot> lot_ = std::make_unique<ParkingLot>();
  int here_ = 0, there_ = 0;
};

TEST_F(Lot, UnparkingNobodyDoesNothing) {
  EXPECT_FALSE(lot_->unpark_one(&here_));
  lot_->unpark_all(&here_);
  EXPECT_FALSE(lot_->anybody(&here_));
}

TEST_F(Lot, WakesTheLongestParkedFirst) {
  Waiter one(&here_), two(&here_), three(&here_), other(&there_);
  for (Waiter* waiter : {&one, &two, &other, &three}) lot_->enqueue(*waiter);
  EXPECT_TRUE(lot_->unpark_one(&here_));
  EXPECT_TRUE(one.woken());
  EXPECT_FALSE(two.woken());
  EXPECT_EQ(lot_->unpark(&here_, 5), 2u);
  EXPECT_TRUE(two.woken() && three.woken());
  EXPECT_FALSE(other.woken());
  EXPECT_TRUE(lot_->dequeue(other));
}

TEST_F(Lot, WhoWasOvertakenGoesFirst) {
  Waiter one(&here_), again(&here_);
  lot_->enqueue(one);
  again.overtaken = true;
  lot_->enqueue(again);
  EXPECT_TRUE(lot_->unpark_one(&here_));
  EXPECT_TRUE(again.woken());
  EXPECT_FALSE(one.woken());
  EXPECT_TRUE(lot_->dequeue(one));
}

TEST_F(Lot, LeavingTellsWhetherOneWasUnparked) {
  Waiter waiter(&here_);
  lot_->enqueue(waiter);
  EXPECT_TRUE(lot_->anybody(&here_));
  EXPECT_TRUE(lot_->dequeue(waiter));
  EXPECT_FALSE(lot_->dequeue(waiter));
  EXPECT_FALSE(lot_->anybody(&here_));
  lot_->enqueue(waiter);
  lot_->unpark_one(&here_);
  EXPECT_FALSE(lot_->dequeue(waiter));
}

TEST_F(Lot, TagsChooseWhoIsWoken) {
  Waiter red(&here_, 1), blue(&here_, 2), both(&here_, 3);
  for (Waiter* waiter : {&red, &blue, &both}) lot_->enqueue(*waiter);
  EXPECT_TRUE(lot_->anybody(&here_, 2));
  EXPECT_FALSE(lot_->anybody(&here_, 4));
  EXPECT_EQ(lot_->unpark(&here_, SIZE_MAX, 4), 0u);
  EXPECT_EQ(lot_->unpark(&here_, SIZE_MAX, 2), 2u);
  EXPECT_FALSE(red.woken());
  EXPECT_TRUE(blue.woken() && both.woken());
  EXPECT_EQ(lot_->unpark(&here_, SIZE_MAX, 1), 1u);
}

TEST_F(Lot, EnqueuesOnlyIfTheConditionStillHolds) {
  Waiter waiter(&here_);
  EXPECT_FALSE(lot_->enqueue_if(waiter, [] { return false; }));
  EXPECT_FALSE(lot_->anybody(&here_));
  EXPECT_TRUE(lot_->enqueue_if(waiter, [] { return true; }));
  EXPECT_TRUE(lot_->anybody(&here_));
  EXPECT_TRUE(lot_->dequeue(waiter));
}

TEST_F(Lot, RequeueWakesSomeAndMovesOthers) {
  Waiter one(&here_), two(&here_), three(&here_), four(&here_), resident(&there_);
  lot_->enqueue(resident);
  for (Waiter* waiter : {&one, &two, &three, &four}) lot_->enqueue(*waiter);
  EXPECT_EQ(lot_->requeue(&here_, &there_, 1, 2), 3u);
  EXPECT_TRUE(one.woken());
  EXPECT_FALSE(two.woken() || three.woken() || four.woken());
  EXPECT_EQ(lot_->unpark(&here_, SIZE_MAX), 1u);
  EXPECT_TRUE(four.woken());
  EXPECT_TRUE(lot_->dequeue(three)) << "who was moved can still leave";
  EXPECT_EQ(lot_->unpark(&there_, 1), 1u);
  EXPECT_TRUE(resident.woken());
  EXPECT_EQ(lot_->unpark(&there_, SIZE_MAX), 1u);
  EXPECT_TRUE(two.woken());
}

TEST_F(Lot, RequeueToTheSameAddressEnds) {
  Waiter one(&here_), two(&here_), three(&here_);
  for (Waiter* waiter : {&one, &two, &three}) lot_->enqueue(*waiter);
  lot_->requeue(&here_, &here_, 1, SIZE_MAX);
  EXPECT_TRUE(one.woken());
  EXPECT_EQ(lot_->unpark(&here_, SIZE_MAX), 2u);
}

TEST_F(Lot, RequeueWithinABucketKeepsAll) {
  // Enough addresses for some to share a bucket with the first.
  std::vector<int> words(40'000);
  for (size_t i = 1; i < words.size(); i += 7) {
    Waiter one(&words[0]), two(&words[0]), three(&words[0]);
    for (Waiter* waiter : {&one, &two, &three}) lot_->enqueue(*waiter);
    EXPECT_EQ(lot_->requeue(&words[0], &words[i], 0, 2), 2u);
    EXPECT_EQ(lot_->unpark(&words[0], SIZE_MAX), 1u);
    EXPECT_EQ(lot_->unpark(&words[i], SIZE_MAX), 2u);
    ASSERT_TRUE(one.woken() && two.woken() && three.woken());
  }
}

TEST_F(Lot, AKernelThreadSleepsUntilItsDeadline) {
  std::atomic<int> reason{-1};
  std::atomic<int64_t> took{0};
  std::thread sleeper([&] {
    Waiter waiter(&here_);
    lot_->enqueue(waiter);
    const int64_t before = now();
    reason = ParkingLot::sleep(waiter, Deadline::in(2 * test::millisecond));
    took = now() - before;
    EXPECT_TRUE(lot_->dequeue(waiter));
  });
  sleeper.join();
  EXPECT_EQ(reason, ETIMEDOUT);
  EXPECT_GE(took, 2 * test::millisecond);
}

TEST_F(Lot, AKernelThreadIsWoken) {
  std::atomic<bool> done{false};
  std::thread sleeper([&] {
    Waiter waiter(&here_);
    lot_->enqueue(waiter);
    EXPECT_EQ(ParkingLot::sleep(waiter, test::patience()), 0);
    EXPECT_FALSE(lot_->dequeue(waiter));
    done = true;
  });
  while (!lot_->unpark_one(&here_)) std::this_thread::yield();
  sleeper.join();
  EXPECT_TRUE(done);
}

TEST_F(Lot, AfterForkNobodyIsParked) {
  Waiter waiter(&here_);
  lot_->enqueue(waiter);
  lot_->after_fork();
  EXPECT_FALSE(lot_->anybody(&here_));
  EXPECT_EQ(lot_->unpark(&here_, 1), 0u);
}

/// The simplest lock that can be made on the lot.
class Lock {
 public:
  void lock() {
    AddressWait on(&word_, 1);
    blocking(on, [&](Mode) -> long { return word_.exchange(1); });
  }
  void unlock() {
    word_.exchange(0);
    runtime().lot().unpark_one(&word_);
  }

 private:
  std::atomic<uint32_t> word_{0};
};

TEST_F(Lot, GreenAndKernelThreadsLoseNoWakeUp) {
  constexpr int kernel_threads = 3, green_threads = 5, rounds = 3000;
  Lock lock;
  long counter = 0;
  std::atomic<int> left{kernel_threads + green_threads};
  std::vector<std::thread> kernel;
  for (int i = 0; i < kernel_threads; ++i) {
    kernel.emplace_back([&] {
      for (int k = 0; k < rounds; ++k) {
        lock.lock();
        ++counter;
        lock.unlock();
      }
      --left;
    });
  }
  std::vector<GreenThread*> green;
  for (int i = 0; i < green_threads; ++i) {
    green.push_back(test::go([&] {
      for (int k = 0; k < rounds; ++k) {
        lock.lock();
        ++counter;
        if (k % 5 == 0) test::hub().yield();  // while it is held: the others have to park
        lock.unlock();
      }
      --left;
    }));
  }
  for (GreenThread* thread : green) test::join(thread);
  for (auto& thread : kernel) thread.join();
  EXPECT_EQ(left, 0);
  EXPECT_EQ(counter, long{kernel_threads + green_threads} * rounds);
}

TEST_F(Lot, ATokenGoesRoundAmongBothKinds) {
  // Each waits for its own turn at one address and then names the next: a lost wake-up would stop all.
  constexpr int parties = 6, turns = 3000;
  std::atomic<uint32_t> turn{0};
  auto party = [&](uint32_t number) {
    for (uint32_t mine = number; mine < turns; mine += parties) {
      AddressWait on(&turn, -1);
      blocking(on, [&](Mode) -> long { return turn.load() == mine ? 0 : -1; });
      turn.exchange(mine + 1);
      runtime().lot().unpark_all(&turn);
    }
  };
  std::vector<std::thread> kernel;
  std::vector<GreenThread*> green;
  for (uint32_t number = 0; number < parties; ++number) {
    if (number % 2) {
      kernel.emplace_back(party, number);
    } else {
      green.push_back(test::go([&party, number] { party(number); }));
    }
  }
  for (GreenThread* thread : green) test::join(thread);
  for (auto& thread : kernel) thread.join();
  EXPECT_EQ(turn, uint32_t{turns});
}

TEST_F(Lot, RequeuedWaitersLoseNoWakeUp) {
  constexpr int kernel_threads = 3, rounds = 1000;
  std::atomic<int> arrived{0}, left{kernel_threads};
  std::vector<std::thread> kernel;
  for (int i = 0; i < kernel_threads; ++i) {
    kernel.emplace_back([&] {
      for (int k = 0; k < rounds; ++k) {
        Waiter waiter(&here_);
        lot_->enqueue(waiter);
        ++arrived;
        // Some leave on their own, which meets the moving.
        const Deadline until = k % 3 ? Deadline::never() : Deadline::in(20'000);
        while (ParkingLot::sleep(waiter, until) == EINTR) {
        }
        lot_->dequeue(waiter);
      }
      --left;
    });
  }
  while (left > 0) {
    lot_->requeue(&here_, &there_, 0, 2);
    lot_->unpark(&there_, 2);
    lot_->requeue(&here_, &there_, 1, SIZE_MAX);
    lot_->unpark(&there_, SIZE_MAX);
    std::this_thread::yield();
  }
  for (auto& thread : kernel) thread.join();
  EXPECT_EQ(arrived, kernel_threads * rounds);
  EXPECT_FALSE(lot_->anybody(&here_));
  EXPECT_FALSE(lot_->anybody(&there_));
}

}  // namespace
}  // namespace guv
