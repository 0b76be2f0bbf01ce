// std::jthread and stop tokens, condition_variable_any, notify_all_at_thread_exit, packaged_task.
#include "check.h"
#include <condition_variable>
#include <future>
#include <stop_token>
#include <thread>

int main() {
  std::mutex mutex;
  std::condition_variable_any changed;
  bool stopped = false;
  {
    std::jthread thread([&](std::stop_token token) {
      std::unique_lock lock(mutex);
      changed.wait(lock, token, [] { return false; });
      stopped = token.stop_requested();
    });
    let_others_run();
  }  // asks it to stop and joins
  printf("stopped: %d\n", stopped);
  std::condition_variable ended;
  bool done = false;
  std::thread([&] {
    std::unique_lock lock(mutex);
    done = true;
    std::notify_all_at_thread_exit(ended, std::move(lock));
  }).detach();
  {
    std::unique_lock lock(mutex);
    ended.wait(lock, [&] { return done; });
  }
  std::packaged_task<int(int)> task([](int x) { return x * 2; });
  auto result = task.get_future();
  std::jthread runner(std::move(task), 21);
  printf("task: %d\n", result.get());
  return success();
}
