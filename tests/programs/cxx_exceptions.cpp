// Exceptions in many threads at once: thrown across frames that blocked, in flight and being handled while others run.
#include "check.h"
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static pthread_barrier_t barrier;
struct Blocks {  // blocks while an exception is in flight
  int expected;
  ~Blocks() {
    pthread_barrier_wait(&barrier);
    CHECK(std::uncaught_exceptions() == expected);
  }
};
static void deep(int me, int depth) {
  Blocks guard{1};
  if (depth == 0) throw std::runtime_error("thread " + std::to_string(me));
  deep(me, depth - 1);
}

int main() {
  pthread_barrier_init(&barrier, nullptr, 8);
  std::vector<std::thread> threads;
  std::vector<std::string> messages(8);
  for (int i = 0; i < 8; i++) {
    threads.emplace_back([i, &messages] {
      for (int round = 0; round < 20; round++) {
        try {
          deep(i, 3);
        } catch (const std::exception& error) {
          std::exception_ptr mine = std::current_exception();
          pthread_barrier_wait(&barrier);  // others handle theirs now
          CHECK(std::current_exception() == mine);
          CHECK(error.what() == "thread " + std::to_string(i));
          try {
            pthread_barrier_wait(&barrier);
            throw;
          } catch (const std::runtime_error& again) {
            messages[size_t(i)] = again.what();
          }
        }
        CHECK(std::uncaught_exceptions() == 0 && !std::current_exception());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (auto& message : messages) puts(message.c_str());

  std::exception_ptr carried;
  std::thread([&] {
    try { throw 17; } catch (...) { carried = std::current_exception(); }
  }).join();
  try { std::rethrow_exception(carried); } catch (int number) { printf("carried over: %d\n", number); }
  return success();
}
