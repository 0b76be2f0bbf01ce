#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <guv/guv.hpp>

#include "kernel_thread.hpp"

using namespace std::chrono_literals;

namespace {

TEST(Queue, GivesItemsInTheOrderOfPutting) {
  guv::Queue<int> queue;
  for (int i = 0; i < 1000; ++i) queue.put(i);
  EXPECT_EQ(queue.qsize(), 1000u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(queue.get(), i);
  EXPECT_TRUE(queue.empty());
}

TEST(Queue, KeepsTheOrderWhenItGrowsInTheMiddle) {
  guv::LightQueue<int> queue;
  int put = 0, got = 0;
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 7; ++i) queue.put(put++);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(queue.get(), got++);
  }
  while (!queue.empty()) EXPECT_EQ(queue.get(), got++);
  EXPECT_EQ(got, put);
}

TEST(Queue, GetWaitsForAnItem) {
  guv::Queue<std::string> queue;
  auto getter = guv::spawn([&] { return queue.get(); });
  guv::gyield();
  EXPECT_EQ(queue.getting(), 1u);
  queue.put("item");
  EXPECT_EQ(queue.getting(), 0u);
  EXPECT_EQ(getter.get(), "item");
}

TEST(Queue, PutWaitsForRoom) {
  guv::Queue<int> queue(1);
  queue.put(1);
  EXPECT_TRUE(queue.full());
  auto putter = guv::spawn([&] { queue.put(2); });
  guv::gyield();
  EXPECT_EQ(queue.putting(), 1u);
  EXPECT_EQ(queue.qsize(), 1u);
  EXPECT_EQ(queue.get(), 1);
  EXPECT_EQ(queue.putting(), 0u);
  EXPECT_EQ(queue.qsize(), 1u);
  EXPECT_EQ(queue.get(), 2);
  putter.get();
}

TEST(Queue, ThrowsFullAndEmptyWithoutWaitingOrAtTheDeadline) {
  guv::Queue<int> queue(1);
  EXPECT_THROW(queue.get_nowait(), guv::Empty);
  EXPECT_THROW(queue.get(2ms), guv::Empty);
  EXPECT_EQ(queue.try_get(), std::nullopt);
  queue.put_nowait(1);
  EXPECT_THROW(queue.put_nowait(2), guv::Full);
  EXPECT_THROW(queue.put(3, 2ms), guv::Full);
  EXPECT_FALSE(queue.try_put(4));
  EXPECT_EQ(queue.get_nowait(), 1);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.putting(), 0u);
}

TEST(Queue, LeavesTheItemWithWhoCouldNotPutIt) {
  guv::Queue<std::unique_ptr<int>> queue(1);
  auto first = std::make_unique<int>(1), second = std::make_unique<int>(2);
  EXPECT_TRUE(queue.try_put(first));
  EXPECT_EQ(first, nullptr);
  EXPECT_FALSE(queue.try_put(second, 1ms));
  EXPECT_EQ(*second, 2);
  EXPECT_EQ(*queue.get(), 1);
}

TEST(Queue, OfSizeZeroIsAChannel) {
  guv::Queue<int> queue(0);
  EXPECT_TRUE(queue.empty());
  EXPECT_TRUE(queue.full());
  EXPECT_THROW(queue.put_nowait(0), guv::Full);
  std::string log;
  auto putter = guv::spawn([&] {
    queue.put(1);
    log += "put ";
  });
  guv::gyield();
  EXPECT_EQ(log, "");
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.putting(), 1u);
  EXPECT_EQ(queue.get_nowait(), 1);
  putter.get();
  EXPECT_EQ(log, "put ");
  auto getter = guv::spawn([&] { return queue.get(); });
  guv::gyield();
  queue.put_nowait(2);
  EXPECT_EQ(getter.get(), 2);
  EXPECT_EQ(queue.qsize(), 0u);
}

TEST(Queue, ServesWaitersInTheOrderOfTheirComing) {
  guv::Queue<int> queue;
  std::string log;
  std::vector<guv::GreenThread<void>> getters;
  for (char c = 'a'; c <= 'd'; ++c) getters.push_back(guv::spawn([&, c] { log += c + std::to_string(queue.get()); }));
  guv::gyield();
  for (int i = 1; i <= 4; ++i) queue.put(i);
  for (auto& getter : getters) getter.get();
  EXPECT_EQ(log, "a1b2c3d4");

  guv::Queue<int> narrow(1);
  narrow.put(0);
  for (int i = 1; i <= 4; ++i) guv::spawn_n([&, i] { narrow.put(i); });
  guv::gyield();
  for (int i = 0; i <= 4; ++i) EXPECT_EQ(narrow.get(), i);
}

TEST(Queue, TheItemOfAKilledPutIsNotDelivered) {
  for (const size_t size : {0, 1}) {
    guv::Queue<int> queue(size);
    if (size) queue.put(0);
    auto killed = guv::spawn([&] { queue.put(1); });
    auto other = guv::spawn([&] { queue.put(2); });
    guv::gyield();
    killed.kill();
    EXPECT_THROW(killed.get(), guv::GreenExit);
    if (size) {
      EXPECT_EQ(queue.get(), 0);
    }
    EXPECT_EQ(queue.get(), 2);
    EXPECT_TRUE(queue.empty());
    other.get();
  }
}

// The item has gone to the thread: the kill is for its next wait.
TEST(Queue, AnItemHandedOverIsNotLostByAKill) {
  guv::Queue<int> queue;
  int got = 0;
  auto getter = guv::spawn([&] {
    got = queue.get();
    guv::sleep(1h);
  });
  guv::gyield();
  queue.put(1);
  getter.kill();
  EXPECT_THROW(getter.get(), guv::GreenExit);
  EXPECT_EQ(got, 1);

  guv::Queue<int> channel(0);
  bool put = false;
  auto putter = guv::spawn([&] {
    channel.put(1);
    put = true;
    guv::sleep(1h);
  });
  guv::gyield();
  EXPECT_EQ(channel.get(), 1);
  putter.kill();
  EXPECT_THROW(putter.get(), guv::GreenExit);
  EXPECT_TRUE(put);
}

TEST(Queue, KillsAndTimeoutsThrowThroughGetAndPut) {
  guv::Queue<int> queue(1);
  auto getter = guv::spawn([&] { queue.get(); });
  guv::gyield();
  getter.kill(std::make_exception_ptr(std::out_of_range("killed")));
  EXPECT_THROW(getter.get(), std::out_of_range);
  EXPECT_EQ(queue.getting(), 0u);
  {
    guv::Timeout timeout(2ms);
    EXPECT_THROW(queue.get(), guv::TimedOut);
  }
  queue.put(1);
  guv::Timeout timeout(2ms);
  EXPECT_THROW(queue.put(2), guv::TimedOut);
  EXPECT_EQ(queue.qsize(), 1u);
}

TEST(Queue, ResizeLetsInWhoWaits) {
  guv::Queue<int> queue(1);
  queue.put(0);
  for (int i = 1; i <= 20; ++i) guv::spawn_n([&, i] { queue.put(i); });
  guv::gyield();
  EXPECT_EQ(queue.putting(), 20u);
  queue.resize(3);
  EXPECT_EQ(queue.qsize(), 3u);
  EXPECT_EQ(queue.putting(), 18u);
  queue.resize(guv::unbounded);
  EXPECT_EQ(queue.putting(), 0u);
  EXPECT_FALSE(queue.full());
  queue.resize(2);
  EXPECT_TRUE(queue.full());
  EXPECT_EQ(queue.qsize(), 21u);
  EXPECT_EQ(queue.maxsize(), 2u);
  for (int i = 0; i <= 20; ++i) EXPECT_EQ(queue.get(), i);
}

TEST(Queue, JoinWaitsUntilAllTasksAreDone) {
  guv::Queue<int> queue;
  EXPECT_TRUE(queue.join());
  std::string log;
  for (int i = 1; i <= 3; ++i) queue.put(i);
  guv::spawn_n([&] {
    for (int i = 0; i < 3; ++i) {
      log += std::to_string(queue.get());
      guv::gyield();
      queue.task_done();
    }
  });
  EXPECT_FALSE(queue.join(guv::Deadline::at_once()));
  EXPECT_TRUE(queue.join());
  EXPECT_EQ(log, "123");
  EXPECT_THROW(queue.task_done(), std::invalid_argument);
}

TEST(Queue, JoinReturnsThoughMoreIsPutAtOnce) {
  guv::Queue<int> queue;
  queue.put(1);
  auto joiner = guv::spawn([&] { return queue.join(); });
  guv::gyield();
  queue.get();
  queue.task_done();
  queue.put(2);
  EXPECT_TRUE(joiner.get());
}

TEST(Queue, JoinEndsByKills) {
  guv::Queue<int> queue;
  queue.put(1);
  auto joiner = guv::spawn([&] { queue.join(); });
  guv::gyield();
  joiner.kill();
  EXPECT_THROW(joiner.get(), guv::GreenExit);
}

TEST(PriorityQueue, GivesTheLowestFirst) {
  guv::PriorityQueue<std::pair<int, std::string>> queue;
  queue.put({3, "c"});
  queue.put({1, "a"});
  queue.put({2, "b"});
  std::string log;
  while (!queue.empty()) log += queue.get().second;
  EXPECT_EQ(log, "abc");
}

TEST(PriorityQueue, TakesAnotherOrderAndMoveOnlyItems) {
  const auto longest_first = [](const auto& a, const auto& b) { return *a > *b; };
  guv::PriorityQueue<std::unique_ptr<int>, decltype(longest_first)> queue(guv::unbounded, longest_first);
  for (int i = 0; i < 100; ++i) queue.put(std::make_unique<int>((i * 37) % 100));
  for (int i = 99; i >= 0; --i) EXPECT_EQ(*queue.get(), i);
}

TEST(PriorityQueue, LetsInWaitersWhenThereIsRoom) {
  guv::PriorityQueue<int> queue(1);
  queue.put(5);
  guv::spawn_n([&] { queue.put(1); });
  guv::gyield();
  EXPECT_EQ(queue.get(), 5);
  EXPECT_EQ(queue.get(), 1);
}

TEST(LifoQueue, GivesTheLastFirst) {
  guv::LifoQueue<std::string> queue;
  for (const char* item : {"a", "b", "c"}) queue.put(item);
  EXPECT_EQ(queue.get(), "c");
  queue.put("d");
  EXPECT_EQ(queue.get(), "d");
  EXPECT_EQ(queue.get(), "b");
  EXPECT_EQ(queue.get(), "a");
}

TEST(Queue, IsFilledOnTheHub) {
  guv::Queue<int> queue;
  guv::call_on_hub([&] {
    EXPECT_THROW(queue.get_nowait(), guv::Empty);
    queue.put(1);
  });
  EXPECT_EQ(queue.get(), 1);
}

// Kernel threads and green ones produce and consume together; every item arrives once.
TEST(Queue, LosesNothingBetweenKernelAndGreenThreads) {
  constexpr int each = 5000, producers = 4;
  for (const size_t size : {0, 3, 1000}) {
    guv::Queue<int> queue(size);
    std::vector<std::atomic<int>> seen(each * producers);
    std::atomic<int> got{0};
    const auto produce = [&](int number) {
      for (int i = 0; i < each; ++i) queue.put(number * each + i);
    };
    const auto consume = [&] {
      while (const auto item = queue.try_get(guv::Deadline::never())) {
        if (*item < 0) break;
        ++seen[static_cast<size_t>(*item)];
        ++got;
      }
    };
    std::vector<guv::GreenThread<void>> threads, consumers;
    for (int i = 0; i < producers; ++i) {
      threads.push_back(guv::spawn([&, i] {
        if (i % 2) {
          guv::offload([&] { produce(i); });
        } else {
          produce(i);
        }
      }));
    }
    consumers.push_back(guv::spawn([&] { guv::offload(consume); }));
    consumers.push_back(guv::spawn(consume));
    for (auto& thread : threads) thread.get();
    for (size_t i = 0; i < consumers.size(); ++i) queue.put(-1);
    for (auto& consumer : consumers) consumer.get();
    EXPECT_EQ(got, each * producers);
    for (const auto& count : seen) EXPECT_EQ(count, 1);
  }
}

// Items that put() took are got exactly once, whoever is killed meanwhile.
TEST(Queue, LosesNothingAmongKillsAndTimeouts) {
  guv::Queue<int> queue(2);
  int put = 0, got = 0;
  std::vector<guv::GreenThread<void>> threads;
  for (int i = 0; i < 100; ++i) {
    threads.push_back(guv::spawn([&, i] {
      for (int turn = 0; turn < 20; ++turn) {
        if (!queue.try_put(turn, i % 3 ? guv::Deadline() : guv::Deadline(50us))) continue;
        ++put;
      }
    }));
    threads.push_back(guv::spawn([&, i] {
      for (;;) {
        if (queue.try_get(i % 4 ? guv::Deadline() : guv::Deadline(50us))) ++got;
      }
    }));
  }
  for (size_t i = 0; i < threads.size(); i += 7) {
    guv::gyield();
    threads[i].kill();
  }
  for (size_t i = 0; i < threads.size(); i += 2) threads[i].join(5s);
  for (auto& thread : threads) thread.kill();
  for (auto& thread : threads) thread.join();
  while (queue.try_get()) ++got;
  EXPECT_EQ(put, got);
}

}  // namespace
