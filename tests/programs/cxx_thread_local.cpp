// thread_local objects: made at first use in each thread, destroyed at its end, also when their destructors block.
#include "check.h"
#include <atomic>
#include <string>
#include <thread>
#include <vector>

static std::atomic<int> made = 0, gone = 0;
static std::atomic<long> sum = 0;
struct Mine {
  int value = ++made;
  std::string text = std::string(100, 'x');
  ~Mine() {
    for (int i = 0; i < 5; i++) std::this_thread::yield();
    CHECK(text == std::string(100, 'x'));
    gone++;
  }
};
thread_local Mine mine;
thread_local std::vector<int> numbers;
thread_local int constant = 5;
struct Last {
  ~Last() { puts("thread_local destroyed by pthread_exit"); }
};

int main() {
  std::vector<std::thread> threads;
  for (int i = 0; i < 50; i++) {
    threads.emplace_back([i] {
      CHECK(constant == 5 && numbers.empty());
      constant = i;
      for (int j = 0; j < 20; j++) {
        numbers.push_back(mine.value);
        std::this_thread::yield();
        CHECK(numbers.front() == numbers.back() && constant == i);
      }
      sum += numbers.size();
    });
  }
  for (auto& thread : threads) thread.join();
  printf("made %d, gone %d, sum %ld\n", made.load(), gone.load(), sum.load());
  std::thread([] { CHECK(constant == 5); }).join();
  printf("untouched: made %d\n", made.load());
  join_thread(start_thread([](void*) -> void* {
    thread_local Last last;
    (void)&last;
    sched_yield();
    pthread_exit(nullptr);
  }, nullptr));
  return success();
}
