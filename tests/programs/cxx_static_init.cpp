// A function's static object is initialised once; the others wait although the initialiser blocks, or throws first.
#include "check.h"
#include <atomic>
#include <thread>
#include <vector>

static int gate[2];
static std::atomic<int> attempts = 0, caught = 0;
static int initialise() {
  char byte;
  CHECK(read(gate[0], &byte, 1) == 1);
  if (++attempts == 1) throw 1;
  return byte;
}
static int value() {
  static int once = initialise();
  return once;
}

int main() {
  CHECK(pipe(gate) == 0);
  std::vector<std::thread> threads;
  std::atomic<int> sum = 0;
  for (int i = 0; i < 20; i++) {
    threads.emplace_back([&] {
      try { sum += value(); } catch (int) { caught++; }
    });
  }
  let_others_run();
  printf("sum %d\n", sum.load());
  CHECK(write(gate[1], "\3\3", 2) == 2);
  for (auto& thread : threads) thread.join();
  printf("sum %d, %d attempts, %d caught\n", sum.load(), attempts.load(), caught.load());
  return success();
}
