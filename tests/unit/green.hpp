#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "runtime.hpp"
#include "wait/address.hpp"
#include "wait/blocking.hpp"

/// What tests of the runtime share: the test's main thread becomes green thread number 1.
namespace guv::test {

class WithRuntime : public testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(start_runtime()); }
};

inline Hub& hub() { return runtime().hub(); }

/// Runs `body` on a new green thread, once the caller lets others run.
inline GreenThread* go(std::function<void()> body, size_t stack_size = 256 * 1024) {
  auto* job = new std::function<void()>(std::move(body));
  SpawnOptions options;
  options.stack_size = stack_size;
  return hub().spawn(
      options,
      [](void* argument) -> void* {
        std::unique_ptr<std::function<void()>> job(static_cast<std::function<void()>*>(argument));
        (*job)();
        return nullptr;
      },
      job);
}

/// Parks until `word` is no longer 0.
inline void wait_for(std::atomic<uint32_t>& word) {
  AddressWait on(&word, 0);
  blocking(on, [&](Mode) -> long { return word.load(); });
}

inline void set(std::atomic<uint32_t>& word) {
  word.exchange(1);
  runtime().lot().unpark_all(&word);
}

inline void join(GreenThread* thread) {
  wait_for(thread->finished);
  hub().release(thread);
}

/// For what is certain to happen: it ends a wait in vain before the test's own time is over.
inline Deadline patience() { return Deadline::in_milliseconds(100'000); }

/// Lets others run until `condition` holds; false if it does not before patience() ends.
template <class Condition>
bool eventually(Condition condition) {
  const Deadline limit = patience();
  while (!condition()) {
    if (limit.passed()) return false;
    hub().park(Deadline::in(200'000));
  }
  return true;
}

constexpr int64_t millisecond = 1'000'000;

}  // namespace guv::test
