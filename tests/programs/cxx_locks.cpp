// std::shared_mutex, the timed mutexes, recursive_mutex, scoped_lock, call_once.
#include "check.h"
#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

int main() {
  std::shared_timed_mutex shared;
  long value = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 12; i++) {
    threads.emplace_back([&, i] {
      for (int j = 0; j < 100; j++) {
        if (i % 3 == 0) {
          std::unique_lock lock(shared);
          long seen = value;
          if (j % 10 == 0) std::this_thread::yield();
          value = seen + 1;
        } else {
          std::shared_lock lock(shared);
          long seen = value;
          std::this_thread::yield();
          CHECK(seen == value);
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  printf("written: %ld\n", value);

  std::timed_mutex timed;
  timed.lock();
  shared.lock();
  std::thread([&] {
    printf("timed_mutex: %d, shared: %d\n", timed.try_lock_for(20ms), shared.try_lock_shared_for(20ms));
    printf("until: %d\n", timed.try_lock_until(std::chrono::system_clock::now() + 20ms));
  }).join();
  timed.unlock();
  shared.unlock();
  std::recursive_timed_mutex recursive;
  CHECK(recursive.try_lock() && recursive.try_lock());
  std::thread([&] { printf("recursive, by another: %d\n", recursive.try_lock_for(10ms)); }).join();

  std::mutex left, right;  // locked in opposite orders: scoped_lock avoids the deadlock
  long both = 0;
  auto work = [&both](std::mutex& first, std::mutex& second) {
    for (int i = 0; i < 500; i++) {
      std::scoped_lock lock(first, second);
      both++;
    }
  };
  std::thread one(work, std::ref(left), std::ref(right)), other(work, std::ref(right), std::ref(left));
  one.join();
  other.join();
  printf("both: %ld\n", both);

  std::once_flag flag;
  std::atomic<int> attempts = 0, successes = 0;
  auto attempt = [&] {
    if (++attempts == 1) {
      std::this_thread::yield();
      throw 5;  // the next caller has to try again
    }
    successes++;
  };
  std::atomic<int> thrown = 0;
  threads.clear();
  for (int i = 0; i < 10; i++) {
    threads.emplace_back([&] {
      try { std::call_once(flag, attempt); } catch (int) { thrown++; }
    });
  }
  for (auto& thread : threads) thread.join();
  printf("call_once: %d attempts, %d thrown, %d succeeded\n", attempts.load(), thrown.load(), successes.load());
  return success();
}
