#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <ranges>
#include <string>
#include <tuple>
#include <vector>

#include <guv/guv.hpp>

#include "kernel_thread.hpp"

using namespace std::chrono_literals;

namespace {

TEST(GreenPool, SpawnsAndReturnsTheThread) {
  guv::GreenPool pool;
  EXPECT_EQ(pool.free(), 1000);
  auto thread = pool.spawn([](int a, std::unique_ptr<int> b) { return a + *b; }, 1, std::make_unique<int>(2));
  EXPECT_EQ(pool.free(), 999);
  EXPECT_EQ(pool.running(), 1u);
  EXPECT_EQ(thread.get(), 3);
  guv::gyield();
  EXPECT_EQ(pool.running(), 0u);
}

TEST(GreenPool, NeverRunsMoreThanItsSize) {
  guv::GreenPool pool(3);
  size_t running = 0, most = 0;
  int done = 0;
  for (int i = 0; i < 50; ++i) {
    pool.spawn_n([&] {
      most = std::max(most, ++running);
      guv::gyield();
      --running;
      ++done;
    });
    EXPECT_LE(pool.running(), 3u);
  }
  EXPECT_TRUE(pool.waitall());
  EXPECT_EQ(done, 50);
  EXPECT_EQ(most, 3u);
  EXPECT_EQ(pool.free(), 3);
}

TEST(GreenPool, SpawnWaitsForAPlace) {
  guv::GreenPool pool(1);
  guv::Event<void> go;
  pool.spawn_n([&] { go.wait(); });
  auto spawner = guv::spawn([&] { return pool.spawn([] { return 2; }).get(); });
  guv::gyield();
  EXPECT_EQ(pool.waiting(), 1u);
  EXPECT_EQ(pool.free(), 0);
  go.send();
  EXPECT_EQ(spawner.get(), 2);
  EXPECT_EQ(pool.waiting(), 0u);
}

TEST(GreenPool, KillsAndTimeoutsThrowThroughSpawn) {
  guv::GreenPool pool(1);
  guv::Event<void> go;
  pool.spawn_n([&] { go.wait(); });
  {
    guv::Timeout timeout(2ms);
    EXPECT_THROW(pool.spawn([] {}), guv::TimedOut);
  }
  auto spawner = guv::spawn([&] { pool.spawn([] {}); });
  guv::gyield();
  spawner.kill();
  EXPECT_THROW(spawner.get(), guv::GreenExit);
  EXPECT_EQ(pool.waiting(), 0u);
  go.send();
  pool.waitall();
  EXPECT_EQ(pool.free(), 1);
}

TEST(GreenPool, GetsBackThePlacesOfThreadsThatNeverBeganOrThrew) {
  guv::hub_exceptions(false);
  guv::GreenPool pool(2);
  EXPECT_TRUE(pool.spawn([] {}).cancel());
  pool.spawn_n([] { throw std::runtime_error("lost"); });
  auto killed = pool.spawn([] { guv::sleep(1h); });
  guv::gyield();
  killed.kill();
  EXPECT_TRUE(pool.waitall());
  EXPECT_EQ(pool.free(), 2);
  guv::hub_exceptions(true);
}

// A thread of the pool that finds no place runs what it spawns in its own.
TEST(GreenPool, IsReentrant) {
  guv::GreenPool pool(1);
  std::string log;
  pool.spawn_n([&] {
    log += "a";
    const int result = pool.spawn([&] {
                             log += "b";
                             pool.spawn_n([&] { log += "c"; });
                             EXPECT_EQ(pool.running(), 1u);
                             return 7;
                           })
                           .get();
    log += std::to_string(result);
  });
  EXPECT_TRUE(pool.waitall());
  EXPECT_EQ(log, "abc7");
  EXPECT_EQ(pool.free(), 1);
}

TEST(GreenPool, RecursionThroughAFullPoolEnds) {
  guv::GreenPool pool(4);
  std::function<int(int)> count = [&](int depth) -> int {
    if (depth == 0) return 1;
    auto left = pool.spawn(count, depth - 1), right = pool.spawn(count, depth - 1);
    return left.get() + right.get();
  };
  EXPECT_EQ(pool.spawn(count, 8).get(), 256);
  pool.waitall();
  EXPECT_EQ(pool.free(), 4);
}

TEST(GreenPool, ResizeLetsMoreInAndLetsTooManyRunOut) {
  guv::GreenPool pool(2);
  guv::TEvent go;
  for (int i = 0; i < 2; ++i) pool.spawn_n([&] { go.wait(); });
  auto spawner = guv::spawn([&] { pool.spawn_n([&] { go.wait(); }); });
  guv::gyield();
  EXPECT_EQ(pool.waiting(), 1u);
  pool.resize(3);
  guv::gyield();
  EXPECT_EQ(pool.waiting(), 0u);
  EXPECT_EQ(pool.running(), 3u);
  pool.resize(1);
  EXPECT_EQ(pool.free(), -2);
  EXPECT_EQ(pool.running(), 3u);
  go.set();
  pool.waitall();
  EXPECT_EQ(pool.free(), 1);
}

TEST(GreenPool, WaitallEndsAtItsDeadlineAndIsRefusedInside) {
  guv::GreenPool pool;
  EXPECT_TRUE(pool.waitall());
  guv::TEvent go;
  auto thread = pool.spawn([&] {
    EXPECT_THROW(pool.waitall(), std::logic_error);
    go.wait();
  });
  EXPECT_FALSE(pool.waitall(2ms));
  guv::spawn_n([&] { go.set(); });
  EXPECT_TRUE(pool.waitall());
  thread.get();
}

TEST(GreenPool, ServesKernelThreads) {
  guv::GreenPool pool(2);
  std::atomic<int> done{0};
  on_kernel_thread([&] {
    for (int i = 0; i < 100; ++i) {
      pool.spawn_n([&] {
        EXPECT_NE(guv_thread_number(), 0u);
        ++done;
      });
    }
    EXPECT_TRUE(pool.waitall());
  });
  EXPECT_EQ(done, 100);
}

TEST(GreenPool, ThreadsOutliveIt) {
  guv::GreenThread<int> thread;
  {
    guv::GreenPool pool;
    thread = pool.spawn([] {
      guv::gyield();
      return 1;
    });
  }
  EXPECT_EQ(thread.get(), 1);
}

TEST(Starmap, GivesResultsInTheOrderOfTheArguments) {
  guv::GreenPool pool(10);
  const std::vector<std::tuple<int, std::string>> arguments{{3, "c"}, {1, "a"}, {2, "b"}};
  std::string log;
  for (const std::string& result : pool.starmap(
           [](int delay, const std::string&text) {
             guv::sleep(std::chrono::milliseconds(delay));
             return text + std::to_string(delay);
           },
           arguments)) {
    log += result;
  }
  EXPECT_EQ(log, "c3a1b2");
}

TEST(Starmap, HoldsNoMoreThanThePoolsSizeOfAnEndlessInput) {
  guv::GreenPool pool(5);
  int taken = 0, wanted = 0;
  auto endless = std::views::iota(0) | std::views::transform([&](int i) {
                   ++taken;
                   return std::tuple(i);
                 });
  auto squares = pool.starmap([](int i) { return i * i; }, endless);
  for (int square : squares) {
    EXPECT_EQ(square, wanted * wanted);
    EXPECT_LE(taken, wanted + 5);
    if (++wanted == 1000) break;
  }
}

TEST(Starmap, GoesOnAfterAnException) {
  guv::GreenPool pool(2);
  const std::vector<std::tuple<int>> arguments{{1}, {0}, {2}};
  auto results = pool.starmap([](int i) { return i ? 10 / i : throw std::domain_error("zero"); }, arguments);
  EXPECT_EQ(results.next(), 10);
  EXPECT_THROW(results.next(), std::domain_error);
  EXPECT_EQ(results.next(), 5);
  EXPECT_EQ(results.next(), std::nullopt);
  EXPECT_EQ(results.next(), std::nullopt);
}

TEST(Starmap, WorksInsideTheFullPool) {
  guv::GreenPool pool(1);
  auto thread = pool.spawn([&] {
    int sum = 0;
    for (int i : pool.starmap([](int i) { return i; }, std::vector<std::tuple<int>>{{1}, {2}, {3}})) sum += i;
    return sum;
  });
  EXPECT_EQ(thread.get(), 6);
}

TEST(Imap, TakesOneFromEachRange) {
  guv::GreenPool pool(3);
  std::vector<int> sums;
  for (int sum : pool.imap([](int a, int b) { return a + b; }, std::vector{1, 2, 3}, std::views::iota(10))) {
    sums.push_back(sum);
  }
  EXPECT_EQ(sums, (std::vector{11, 13, 15}));
  int called = 0;
  auto nothing = pool.imap([&](int) { ++called; }, std::vector{1, 2});
  while (nothing.next()) {
  }
  EXPECT_EQ(called, 2);
}

TEST(GreenPile, GivesResultsInTheOrderOfSpawning) {
  guv::GreenPile<int> pile;
  for (int i = 0; i < 5; ++i) {
    pile.spawn(
        [](int i) {
          guv::sleep(std::chrono::milliseconds(5 - i));
          return i;
        },
        i);
  }
  int wanted = 0;
  for (int i : pile) EXPECT_EQ(i, wanted++);
  EXPECT_EQ(wanted, 5);
  EXPECT_EQ(pile.next(), std::nullopt);
  pile.spawn([] { return 9; });
  EXPECT_EQ(pile.next(), 9);
}

TEST(GreenPile, SharesAPool) {
  guv::GreenPool pool(2);
  guv::GreenPile<std::string> first(pool), second(pool);
  for (const char* name : {"a", "b", "c"}) {
    first.spawn([=] { return std::string("first ") + name; });
    second.spawn([=] { return std::string("second ") + name; });
    EXPECT_LE(pool.running(), 2u);
  }
  EXPECT_EQ(first.next(), "first a");
  EXPECT_EQ(second.next(), "second a");
  int left = 0;
  for (const std::string& result : second) left += result.size() == 8;
  EXPECT_EQ(left, 2);
}

}  // namespace
