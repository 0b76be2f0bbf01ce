// Ordinary std::threads, made green: a thousand of them that sleep, on one kernel thread.
#include <guv/guv.hpp>
#include <guv/patcher.hpp>

#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <thread>
#include <vector>

int main() {
  using namespace std::chrono_literals;
  guv::monkey_patch();

  std::mutex mutex;
  std::condition_variable all_there;
  int there = 0, woken = 0;
  constexpr int count = 1000;

  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&] {
      std::unique_lock lock(mutex);
      if (++there == count) all_there.notify_all();
      all_there.wait(lock, [&] { return there == count; });
      lock.unlock();
      std::this_thread::sleep_for(100ms);
      lock.lock();
      ++woken;
    });
  }
  for (auto& thread : threads) thread.join();
  std::printf("%d threads met and slept; guv was %s\n", woken, guv_active() ? "active" : "not active");
}
