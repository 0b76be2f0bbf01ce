// What the C++20 standard library has for threads, each part with a line that says what came out of it.

#include <atomic>
#include <barrier>
#include <chrono>
#include <condition_variable>
#include <future>
#include <iostream>
#include <latch>
#include <mutex>
#include <numeric>
#include <semaphore>
#include <set>
#include <shared_mutex>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

constexpr int many = 200;

template <class Body>
void all_at_once(Body body) {
  std::vector<std::jthread> threads;
  for (int i = 0; i < many; ++i) threads.emplace_back(body, i);
}

std::atomic<int> destroyed = 0;
struct Local {
  int value = 0;
  ~Local() { destroyed += value; }
};
thread_local Local local;

void say(const char* what, auto value) { std::cout << what << ": " << value << "\n"; }

}  // namespace

int main() {
  {
    std::latch here(many);
    long sum = 0;
    std::mutex mutex;
    std::set<std::thread::id> ids;
    all_at_once([&](int i) {
      here.arrive_and_wait();
      std::lock_guard lock(mutex);
      sum += i;
      ids.insert(std::this_thread::get_id());
    });
    say("sum under a mutex", sum);
    say("thread ids", ids.size());
  }
  {
    std::barrier step(many);
    std::vector<int> row(many, 0);
    std::atomic<int> wrong = 0;
    all_at_once([&](int i) {
      for (int turn = 1; turn <= 5; ++turn) {
        row[i] = turn;
        step.arrive_and_wait();
        if (row[(i + 1) % many] != turn) ++wrong;
        step.arrive_and_wait();
      }
    });
    say("out of step", wrong.load());
  }
  {
    std::counting_semaphore<7> seats(7);
    std::atomic<int> sitting = 0, most = 0;
    all_at_once([&](int) {
      seats.acquire();
      const int now = ++sitting;
      for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {}
      std::this_thread::sleep_for(1ms);
      --sitting;
      seats.release();
    });
    say("never more than seven", most <= 7 && most > 0);
    say("semaphore gives up", !std::binary_semaphore(0).try_acquire_for(5ms));
  }
  {
    std::atomic<int> turn = 0;
    all_at_once([&](int i) {
      // The first to start is the last to go, so everybody waits.
      for (int now = turn; now != many - 1 - i; now = turn) turn.wait(now);
      ++turn;
      turn.notify_all();
    });
    say("atomic::wait in order", turn.load());
  }
  {
    // Nobody moves for long enough that each waiter gives up spinning and asks the kernel.
    std::atomic_flag gate;
    std::atomic<int> through = 0;
    std::jthread opener([&] {
      std::this_thread::sleep_for(50ms);
      gate.test_and_set();
      gate.notify_all();
    });
    all_at_once([&](int) {
      gate.wait(false);
      ++through;
    });
    say("through the gate", through.load());
  }
  {
    std::shared_mutex mutex;
    std::string book;
    std::atomic<long> letters = 0;
    all_at_once([&](int i) {
      if (i % 10 == 0) {
        std::unique_lock lock(mutex);
        book += 'x';
      } else {
        std::shared_lock lock(mutex);
        letters += static_cast<long>(book.size()) >= 0;
      }
    });
    say("readers", letters.load());
    say("writers", book.size());
  }
  {
    std::recursive_timed_mutex mutex;
    std::scoped_lock both(mutex);
    std::scoped_lock again(mutex);
    auto other = std::async(std::launch::async, [&] { return mutex.try_lock_for(5ms); });
    say("timed mutex held", !other.get());
  }
  {
    std::vector<std::future<long>> futures;
    for (int i = 0; i < many; ++i) {
      futures.push_back(std::async(std::launch::async, [i]() -> long {
        if (i % 50 == 7) throw std::runtime_error("no " + std::to_string(i));
        return i;
      }));
    }
    long sum = 0;
    std::string thrown;
    for (auto& future : futures) {
      try {
        sum += future.get();
      } catch (const std::runtime_error& error) {
        thrown += std::string(error.what()) + " ";
      }
    }
    say("async", sum);
    say("thrown in async", thrown);
  }
  {
    std::promise<int> promise;
    auto shared = promise.get_future().share();
    std::atomic<int> got = 0;
    std::jthread giver([&] {
      std::this_thread::sleep_for(5ms);
      promise.set_value(3);
    });
    say("future gives up", shared.wait_for(0ms) == std::future_status::timeout);
    all_at_once([&](int) { got += shared.get(); });
    say("shared_future", got.load());
    std::packaged_task<int(int)> task([](int x) { return x + 1; });
    auto result = task.get_future();
    std::jthread(std::move(task), 41).join();
    say("packaged_task", result.get());
  }
  {
    std::once_flag once;
    std::atomic<int> made = 0;
    all_at_once([&](int) {
      std::call_once(once, [&] {
        std::this_thread::sleep_for(1ms);
        ++made;
      });
    });
    say("call_once", made.load());
    std::once_flag retried;
    int tries = 0;
    for (int i = 0; i < 3; ++i) {
      try {
        std::call_once(retried, [&] {
          if (++tries < 2) throw 1;
        });
      } catch (int) {
      }
    }
    say("call_once after an exception", tries);
  }
  {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::atomic<int> stopped = 0;
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < many; ++i) {
        threads.emplace_back([&](std::stop_token stop) {
          std::unique_lock lock(mutex);
          changed.wait(lock, stop, [] { return false; });
          ++stopped;
        });
      }
    }
    say("stopped by token", stopped.load());
    std::condition_variable bell;
    std::unique_lock lock(mutex);
    const auto start = std::chrono::steady_clock::now();
    const bool rung = bell.wait_for(lock, 20ms, [] { return false; });
    say("condition variable gives up", !rung && std::chrono::steady_clock::now() - start >= 20ms);
  }
  {
    destroyed = 0;
    all_at_once([](int i) { local.value = i; });
    say("thread_local destroyed", destroyed.load());
  }
  {
    std::atomic<int> caught = 0;
    all_at_once([&](int i) {
      try {
        try {
          throw std::out_of_range(std::to_string(i));
        } catch (const std::out_of_range& error) {
          std::this_thread::yield();  // Other threads throw while this one handles.
          if (std::uncaught_exceptions() == 0 && error.what() == std::to_string(i)) ++caught;
          throw;
        }
      } catch (const std::logic_error&) {
        ++caught;
      }
    });
    say("exceptions", caught.load());
  }
  {
    // Thread in thread in thread.
    std::atomic<int> leaves = 0;
    auto grow = [&](auto self, int depth) -> void {
      if (depth == 0) {
        ++leaves;
        return;
      }
      std::jthread left(self, self, depth - 1), right(self, self, depth - 1);
    };
    grow(grow, 7);
    say("leaves", leaves.load());
  }
  say("hardware_concurrency", std::thread::hardware_concurrency() > 0);
}
