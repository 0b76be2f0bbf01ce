#include "arch/context.hpp"

#include <fenv.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <memory>
#include <vector>

namespace guv {
namespace {

/// A flow of control of its own, on the thread pointer of the one that made it.
class Flow {
 public:
  Flow(void (*body)(Flow&), size_t size = 256 * 1024) : body_(body), size_(size) {
    stack_ = static_cast<char*>(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    prepare_context(there_, stack_, stack_ + size, &Flow::start, this);
    there_.thread_pointer = here_.thread_pointer = thread_pointer();
  }
  ~Flow() { munmap(stack_, size_); }
  void resume() { guv_switch_context(&here_, &there_); }
  void back() { guv_switch_context(&there_, &here_); }
  bool on_stack(const void* address) const { return address >= stack_ && address < stack_ + size_; }

  int steps = 0;
  long value = 0;
  double real = 0;
  bool done = false;

 private:
  static void start(void* flow) {
    auto& me = *static_cast<Flow*>(flow);
    me.body_(me);
    me.done = true;
    for (;;) me.back();
  }
  void (*body_)(Flow&);
  size_t size_;
  char* stack_;
  Context here_, there_;
};

class ContextSwitch : public testing::Test {
 protected:
  static void SetUpTestSuite() { choose_thread_pointer_switch(); }
};

TEST_F(ContextSwitch, GoesThereAndBackAgain) {
  Flow flow([](Flow& me) {
    for (int i = 0; i < 1000; ++i) {
      ++me.steps;
      me.back();
    }
  });
  for (int i = 1; i <= 1000; ++i) {
    flow.resume();
    EXPECT_EQ(flow.steps, i);
  }
  EXPECT_FALSE(flow.done);
  flow.resume();
  EXPECT_TRUE(flow.done);
}

TEST_F(ContextSwitch, RunsOnTheStackItWasGiven) {
  Flow flow([](Flow& me) {
    alignas(16) volatile char here[16] = {};
    me.value = me.on_stack(const_cast<char*>(here)) && reinterpret_cast<uintptr_t>(here) % 16 == 0;
  });
  flow.resume();
  EXPECT_EQ(flow.value, 1);
}

TEST_F(ContextSwitch, KeepsWhatTheAbiCallsCalleeSaved) {
  Flow flow([](Flow& me) {
    for (;;) {
      // All of them overwritten, as the compiler is told.
#if defined(__x86_64__)
      __asm__ volatile("mov $-1, %%rbx; mov $-1, %%r12; mov $-1, %%r13; mov $-1, %%r14; mov $-1, %%r15" ::
                           : "rbx", "r12", "r13", "r14", "r15");
#endif
      me.back();
    }
  });
  volatile long seed = 3;
  const long a = seed * 3, b = seed * 5, c = seed * 7, d = seed * 11, e = seed * 13, f = seed * 17;
  for (int i = 0; i < 3; ++i) {
    flow.resume();
    EXPECT_EQ(a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f, 3 * (3 + 10 + 21 + 44 + 65 + 102));
  }
}

TEST_F(ContextSwitch, KeepsTheFloatingPointControlWord) {
  Flow flow([](Flow& me) {
    fesetround(FE_UPWARD);
    for (;;) {
      me.value = fegetround();
      me.back();
    }
  });
  const int before = fegetround();
  flow.resume();
  EXPECT_EQ(flow.value, FE_UPWARD);
  EXPECT_EQ(fegetround(), before);
  fesetround(FE_DOWNWARD);
  flow.resume();
  EXPECT_EQ(flow.value, FE_UPWARD);
  EXPECT_EQ(fegetround(), FE_DOWNWARD);
  fesetround(before);
}

TEST_F(ContextSwitch, InheritsTheFloatingPointControlWordOfItsMaker) {
  const int before = fegetround();
  fesetround(FE_TOWARDZERO);
  Flow flow([](Flow& me) { me.value = fegetround(); });
  fesetround(before);
  flow.resume();
  EXPECT_EQ(flow.value, FE_TOWARDZERO);
}

__attribute__((noinline)) int deep(Flow& me, int levels) {
  volatile char frame[1000];
  frame[0] = static_cast<char>(levels);
  if (levels % 50 == 0) me.back();
  const int below = levels ? deep(me, levels - 1) : 0;
  return below + (frame[0] == static_cast<char>(levels));
}

TEST_F(ContextSwitch, SwitchesFromDeepInTheStack) {
  Flow flow([](Flow& me) { me.value = deep(me, 600); }, 4 << 20);
  while (!flow.done) flow.resume();
  EXPECT_EQ(flow.value, 601);
}

TEST_F(ContextSwitch, ManyFlowsDoNotDisturbEachOther) {
  std::vector<std::unique_ptr<Flow>> flows;
  for (int i = 0; i < 200; ++i) {
    flows.push_back(std::make_unique<Flow>([](Flow& me) {
      long mine = me.value;
      double real = static_cast<double>(mine);
      for (int k = 0; k < 50; ++k) {
        mine += 1;
        real += 0.5;
        me.back();
      }
      me.value = mine;
      me.real = real;
    }, 64 * 1024));
    flows.back()->value = i * 1000;
  }
  for (int round = 0; round < 51; ++round) {
    for (auto& flow : flows) flow->resume();
  }
  for (int i = 0; i < 200; ++i) {
    EXPECT_TRUE(flows[i]->done);
    EXPECT_EQ(flows[i]->value, i * 1000 + 50);
    EXPECT_EQ(flows[i]->real, i * 1000 + 25.0);
  }
}

TEST_F(ContextSwitch, ExceptionsAreCaughtOnTheirOwnStack) {
  Flow flow([](Flow& me) {
    try {
      me.back();
      throw 42;
    } catch (int what) {
      me.value = what;
    }
  });
  flow.resume();
  try {
    throw 7;
  } catch (int what) {
    EXPECT_EQ(what, 7);
  }
  flow.resume();
  EXPECT_EQ(flow.value, 42);
}

}  // namespace
}  // namespace guv
