// ns for what the API does, each named in one line of output.   api [MILLISECONDS]
#include <guv/guv.hpp>

#include <algorithm>
#include <vector>

#include "bench.h"

namespace {

constexpr int batch = 100;
constexpr int waiters = 16;  // few enough for their stacks to stay in the caches
int64_t length;

/// How long reading the clock takes, the shortest of many: no part of what is measured.
int64_t cost_of_reading() {
  int64_t shortest = INT64_MAX;
  for (int i = 0; i < 1000; ++i) {
    const int64_t began = now_ns();
    shortest = std::min(shortest, now_ns() - began);
  }
  return shortest;
}

/// What is measured here: the sum of what is between start() and stop().
class Clock {
 public:
  void start() { began_ = now_ns(); }
  void stop() { sum_ += now_ns() - began_ - reading_; }
  int64_t sum() const { return sum_; }

 private:
  const int64_t reading_ = cost_of_reading();
  int64_t began_ = 0, sum_ = 0;
};

/// Calls `some(clock)`, which does the thing `count` times, until the time is up.
template <class Some>
void measure(const char* name, int count, Some some) {
  Clock warm_up, clock;
  some(warm_up);
  const int64_t until = now_ns() + length;
  int64_t times = 0;
  do {
    some(clock);
    times += count;
  } while (now_ns() < until);
  printf(" %s=%.1f", name, static_cast<double>(clock.sum()) / static_cast<double>(times));
}

/// Only the making: the threads run when the clock has stopped.
void spawn(Clock& clock) {
  std::vector<guv::GreenThread<void>> threads(batch);
  clock.start();
  for (auto& thread : threads) thread = guv::spawn([] {});
  clock.stop();
  for (auto& thread : threads) thread.get();
}

void spawn_and_get(Clock& clock) {
  std::vector<guv::GreenThread<int>> threads(batch);
  clock.start();
  for (auto& thread : threads) thread = guv::spawn([] { return 1; });
  for (auto& thread : threads) thread.get();
  clock.stop();
}

/// From the sending until wait() has returned in all waiters. In each the next one's turn comes by a yield.
void event_wake(Clock& clock) {
  guv::Event<int> event;
  int returned = 0;
  std::vector<guv::GreenThread<void>> threads(waiters);
  for (auto& thread : threads) {
    thread = guv::spawn([&] {
      returned += event.wait();
      if (returned == waiters) clock.stop();
      guv::gyield();
    });
  }
  guv::gyield();
  clock.start();
  event.send(1);
  for (auto& thread : threads) thread.get();
}

void queue_uncontended(Clock& clock) {
  guv::Queue<int> queue;
  clock.start();
  for (int i = 0; i < batch; ++i) {
    queue.put(i);
    queue.get();
  }
  clock.stop();
}

/// Two threads that hand one item to and fro.
void queue_hand_over(Clock& clock) {
  guv::Queue<int> there, back;
  auto other = guv::spawn([&] {
    for (int i = 0; i < batch; ++i) back.put(there.get());
  });
  clock.start();
  for (int i = 0; i < batch; ++i) {
    there.put(i);
    back.get();
  }
  clock.stop();
  other.get();
}

void semaphore_uncontended(Clock& clock) {
  guv::Semaphore semaphore;
  clock.start();
  for (int i = 0; i < batch; ++i) {
    semaphore.acquire();
    semaphore.release();
  }
  clock.stop();
}

void semaphore_hand_over(Clock& clock) {
  guv::Semaphore there(0), back(0);
  auto other = guv::spawn([&] {
    for (int i = 0; i < batch; ++i) {
      there.acquire();
      back.release();
    }
  });
  clock.start();
  for (int i = 0; i < batch; ++i) {
    there.release();
    back.acquire();
  }
  clock.stop();
  other.get();
}

void lock_uncontended(Clock& clock) {
  guv_lock lock{};
  clock.start();
  for (int i = 0; i < batch; ++i) {
    guv_lock_acquire(&lock);
    guv_lock_release(&lock);
  }
  clock.stop();
}

}  // namespace

int main(int argc, char** argv) {
  length = duration_ns(argc, argv, 200);
  check(-guv_start(), "guv_start");
  measure("spawn", batch, spawn);
  measure("spawn_and_get", batch, spawn_and_get);
  measure("event_wake", waiters, event_wake);
  measure("queue", batch, queue_uncontended);
  measure("queue_hand_over", 2 * batch, queue_hand_over);
  measure("semaphore", batch, semaphore_uncontended);
  measure("semaphore_hand_over", 2 * batch, semaphore_hand_over);
  measure("lock", batch, lock_uncontended);
  printf("\n");
}
