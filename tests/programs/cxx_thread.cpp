// std::thread, std::async, futures, promises, condition variables.
#include "check.h"
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <numeric>
#include <thread>
#include <vector>

static long sum_up(const std::vector<int>& numbers, size_t from, size_t to) {
  if (to - from < 100) return std::accumulate(numbers.begin() + long(from), numbers.begin() + long(to), 0L);
  size_t middle = (from + to) / 2;
  auto left = std::async(std::launch::async, sum_up, std::cref(numbers), from, middle);
  long right = sum_up(numbers, middle, to);
  return left.get() + right;
}

int main() {
  std::vector<int> numbers(10000);
  std::iota(numbers.begin(), numbers.end(), 1);
  printf("recursive async: %ld\n", sum_up(numbers, 0, numbers.size()));

  std::promise<int> promise;
  auto future = promise.get_future();
  printf("wait_for: %s\n", future.wait_for(std::chrono::milliseconds(20)) == std::future_status::timeout ? "timeout" : "?");
  std::thread setter([&] { promise.set_value(42); });
  printf("future: %d\n", future.get());
  setter.join();

  auto throwing = std::async(std::launch::async, []() -> int { throw std::runtime_error("from the other thread"); });
  try {
    throwing.get();
  } catch (const std::exception& error) {
    printf("caught: %s\n", error.what());
  }
  std::promise<void> go;
  auto shared = go.get_future().share();
  std::vector<std::thread> waiting;
  std::atomic<int> through = 0;
  for (int i = 0; i < 20; i++) waiting.emplace_back([&through, shared] { shared.wait(), through++; });
  printf("through: %d\n", through.load());
  go.set_value();
  for (auto& thread : waiting) thread.join();
  printf("through: %d\n", through.load());

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<int> queue;
  long sum = 0;
  std::thread consumer([&] {
    for (;;) {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return !queue.empty(); });
      int item = queue.front();
      queue.pop_front();
      if (item < 0) return;
      sum += item;
    }
  });
  for (int i = 0; i < 1000; i++) {
    { std::lock_guard lock(mutex); queue.push_back(i); }
    changed.notify_one();
  }
  { std::lock_guard lock(mutex); queue.push_back(-1); }
  changed.notify_one();
  consumer.join();
  printf("queue: %ld\n", sum);
  std::unique_lock lock(mutex);
  printf("wait_for: %d\n", changed.wait_for(lock, std::chrono::milliseconds(20), [] { return false; }));
  CHECK(std::thread::hardware_concurrency() > 0);
  return success();
}
