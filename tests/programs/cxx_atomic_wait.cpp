// C++20: counting_semaphore, latch, barrier, atomic::wait (which wait on raw futexes).
#include "check.h"
#include <atomic>
#include <barrier>
#include <latch>
#include <semaphore>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

int main() {
  std::counting_semaphore<100> slots(3);
  std::atomic<int> inside = 0, entered = 0;
  std::latch ready(20);
  std::barrier rounds(20, [&]() noexcept { entered++; });
  std::atomic<int> gate = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 20; i++) {
    threads.emplace_back([&] {
      ready.arrive_and_wait();
      gate.wait(0);
      for (int j = 0; j < 10; j++) {
        slots.acquire();
        CHECK(++inside <= 3);
        std::this_thread::yield();
        inside--;
        slots.release();
        rounds.arrive_and_wait();
      }
    });
  }
  ready.wait();
  gate = 1;
  gate.notify_all();
  for (auto& thread : threads) thread.join();
  printf("barrier completed %d times\n", entered.load());

  std::binary_semaphore closed(0);
  printf("try_acquire: %d, for 20 ms: %d\n", closed.try_acquire(), closed.try_acquire_for(20ms));

  std::atomic<int> turn = 0;  // ping-pong
  std::thread other([&] {
    for (int i = 0; i < 500; i++) {
      turn.wait(0);
      turn = 0;
      turn.notify_one();
    }
  });
  for (int i = 0; i < 500; i++) {
    turn = 1;
    turn.notify_one();
    turn.wait(1);
  }
  other.join();
  std::atomic_flag flag = ATOMIC_FLAG_INIT;
  std::thread setter([&] { flag.test_and_set(), flag.notify_all(); });
  flag.wait(false);
  setter.join();
  printf("turn %d\n", turn.load());
  return success();
}
