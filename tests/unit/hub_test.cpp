#include "hub/hub.hpp"

#include <errno.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/tcb.hpp"
#include "green.hpp"
#include "hub/thread_body.hpp"
#include "wait/fd.hpp"

namespace guv {
namespace {

using test::eventually;
using test::go;
using test::hub;
using test::join;
using test::millisecond;

class HubTest : public test::WithRuntime {};

thread_local int of_thread = 7;

TEST_F(HubTest, TheCallerBecameGreenThreadNumberOne) {
  ASSERT_NE(self(), nullptr);
  EXPECT_EQ(self(), &runtime().main_thread());
  EXPECT_EQ(self()->id, 1u);
  EXPECT_EQ(self()->pthread(), pthread_self());
  EXPECT_EQ(green_thread_of(pthread_self()), self());
  EXPECT_EQ(hub().current(), self());
  EXPECT_TRUE(start_runtime()) << "starting twice is no error";
}

TEST_F(HubTest, AThreadRunsWhenTheOthersLetIt) {
  bool ran = false;
  GreenThread* thread = go([&] { ran = true; });
  EXPECT_FALSE(ran);
  hub().yield();
  EXPECT_TRUE(ran);
  join(thread);
}

TEST_F(HubTest, AThreadIsItself) {
  GreenThread* seen = nullptr;
  pthread_t handle{};
  int local = 0, error = -1;
  of_thread = 8;
  errno = ENOENT;
  GreenThread* thread = go([&] {
    seen = self();
    handle = pthread_self();
    error = errno;
    local = of_thread;
    of_thread = 9;
    errno = EPERM;
  });
  join(thread);
  EXPECT_EQ(seen, thread);
  EXPECT_EQ(handle, thread->pthread());
  EXPECT_EQ(green_thread_of(handle), thread);
  EXPECT_EQ(local, 7);
  EXPECT_EQ(error, 0);
  EXPECT_EQ(of_thread, 8);
  EXPECT_EQ(errno, ENOENT);
}

TEST_F(HubTest, TheResultIsKeptForTheJoiner) {
  SpawnOptions options;
  options.stack_size = 64 * 1024;
  int here;
  GreenThread* thread = hub().spawn(options, [](void* argument) { return argument; }, &here);
  test::wait_for(thread->finished);
  EXPECT_EQ(thread->result, &here);
  EXPECT_EQ(thread->state, State::finished);
  hub().release(thread);
}

TEST_F(HubTest, ReadyThreadsTakeTurns) {
  std::string order;
  std::vector<GreenThread*> threads;
  for (const char name : {'a', 'b', 'c'}) {
    threads.push_back(go([&order, name] {
      for (int i = 0; i < 3; ++i) {
        order += name;
        hub().yield();
      }
    }));
  }
  for (GreenThread* thread : threads) join(thread);
  EXPECT_EQ(order, "abcabcabc");
}

TEST_F(HubTest, ParkEndsWithUnpark) {
  bool woken = false;
  GreenThread* thread = go([&] {
    hub().park(Deadline::never());
    woken = true;
  });
  hub().yield();
  EXPECT_EQ(thread->state, State::parked);
  hub().yield();
  EXPECT_FALSE(woken);
  Hub::unpark(thread);
  Hub::unpark(thread);  // ready already
  EXPECT_EQ(thread->state, State::ready);
  join(thread);
  EXPECT_TRUE(woken);
}

TEST_F(HubTest, AnUnparkBeforeTheParkIsNotLost) {
  Hub::unpark(self());
  EXPECT_TRUE(self()->permit);
  const uint64_t before = hub().counts().parks;
  hub().park(Deadline::never());  // returns at once
  EXPECT_EQ(hub().counts().parks, before);
  EXPECT_FALSE(self()->permit);
  EXPECT_FALSE(self()->timed_out);
}

TEST_F(HubTest, PermitsDoNotAddUp) {
  for (int i = 0; i < 5; ++i) Hub::unpark(self());
  hub().park(Deadline::never());
  hub().park(Deadline::in(millisecond));
  EXPECT_TRUE(self()->timed_out);
}

TEST_F(HubTest, ParkEndsAtItsDeadline) {
  for (const int64_t length : {int64_t{0}, int64_t{1}, int64_t{50'000}, millisecond, 5 * millisecond}) {
    const int64_t before = now();
    hub().park(Deadline::in(length));
    EXPECT_GE(now() - before, length);
    EXPECT_TRUE(self()->timed_out);
  }
  hub().park(Deadline::at(0));
  EXPECT_TRUE(self()->timed_out);
  hub().park(Deadline::at(INT64_MIN));
  EXPECT_TRUE(self()->timed_out);
}

TEST_F(HubTest, AnUnparkedThreadDidNotTimeOut) {
  bool timed_out = true;
  GreenThread* thread = go([&] {
    hub().park(test::patience());
    timed_out = self()->timed_out;
  });
  hub().yield();
  Hub::unpark(thread);
  join(thread);
  EXPECT_FALSE(timed_out);
  EXPECT_FALSE(thread->timer.armed());
}

TEST_F(HubTest, SleepersWakeInTheOrderOfTheirDeadlines) {
  std::vector<int> order;
  bool all_slept = false;  // before the first was to wake
  for (int64_t lead = 2 * millisecond; !all_slept; lead *= 4) {
    order.clear();
    std::vector<GreenThread*> threads;
    const int64_t start = now() + lead;
    for (const int delay : {30, 10, 50, 20, 40, 0}) {
      threads.push_back(go([&order, start, delay] {
        hub().park(Deadline::at(start + delay * millisecond / 5));
        order.push_back(delay);
      }));
    }
    hub().yield();
    all_slept = now() < start;
    for (GreenThread* thread : threads) join(thread);
  }
  EXPECT_EQ(order, (std::vector{0, 10, 20, 30, 40, 50}));
}

TEST_F(HubTest, KernelThreadsUnpark) {
  std::thread other([me = self()] {
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    Hub::unpark(me);
  });
  hub().park(test::patience());
  EXPECT_FALSE(self()->timed_out);
  other.join();
}

TEST_F(HubTest, NoUnparkOfAKernelThreadIsLost) {
  constexpr uint32_t rounds = 5000;
  std::atomic<uint32_t> asked{0}, answered{0};
  std::thread other([&, me = self()] {
    for (uint32_t i = 1; i <= rounds; ++i) {
      while (asked.load() < i) {
        if (i % 3 == 0) std::this_thread::yield();
      }
      answered.store(i);
      Hub::unpark(me);
    }
  });
  uint32_t lost = 0;
  for (uint32_t i = 1; i <= rounds; ++i) {
    asked.store(i);
    while (answered.load() < i) {
      hub().park(test::patience());
      lost += self()->timed_out;
    }
  }
  other.join();
  EXPECT_EQ(lost, 0u);
}

TEST_F(HubTest, SeveralKernelThreadsUnparkSeveralGreenOnes) {
  constexpr int pairs = 4, rounds = 1000;
  std::vector<GreenThread*> green;
  std::vector<std::atomic<int>> words(pairs);
  std::vector<std::thread> kernel;
  for (int i = 0; i < pairs; ++i) {
    green.push_back(go([&words, i] {
      for (int k = 0; k < rounds; ++k) {
        while (words[i].load() == 0) hub().park(Deadline::never());
        words[i].store(0);
      }
    }));
  }
  for (int i = 0; i < pairs; ++i) {
    kernel.emplace_back([&words, i, thread = green[i]] {
      for (int k = 0; k < rounds; ++k) {
        words[i].store(1);
        Hub::unpark(thread);
        while (words[i].load() != 0) std::this_thread::yield();
      }
    });
  }
  for (GreenThread* thread : green) join(thread);
  for (auto& thread : kernel) thread.join();
}

TEST_F(HubTest, AnUnparkThatComesTooLateIsSpurious) {
  // The thread has ended and another has taken its place: it may wake for no reason, and nothing else.
  GreenThread* gone = go([] {});
  join(gone);
  std::atomic<uint32_t> word{0};
  GreenThread* next = go([&] { test::wait_for(word); });
  hub().yield();
  Hub::unpark(gone);
  std::thread([gone] { Hub::unpark(gone); }).join();
  hub().yield();
  EXPECT_EQ(next->finished, 0u);
  test::set(word);
  join(next);
}

TEST_F(HubTest, ThreadsReuseStacksAndStartAfresh) {
  std::set<GreenThread*> places;
  uint64_t last_id = 0;
  for (int i = 0; i < 200; ++i) {
    int local = 0;
    GreenThread* thread = go([&] {
      local = of_thread;
      of_thread = i;
      errno = i;
    });
    EXPECT_GT(thread->id, last_id);
    last_id = thread->id;
    places.insert(thread);
    join(thread);
    EXPECT_EQ(local, 7);
  }
  EXPECT_LT(places.size(), 10u);
}

TEST_F(HubTest, DetachedThreadsCleanUpThemselves) {
  const uint64_t live = hub().live();
  static int ran;
  ran = 0;
  SpawnOptions options;
  options.stack_size = 64 * 1024;
  options.detached = true;
  for (int i = 0; i < 300; ++i) {
    ASSERT_NE(hub().spawn(options, [](void*) -> void* { return ++ran, nullptr; }, nullptr), nullptr);
    if (i % 10 == 0) hub().yield();
  }
  EXPECT_TRUE(eventually([&] { return hub().live() == live; }));
  EXPECT_EQ(ran, 300);
}

TEST_F(HubTest, ThousandsOfThreadsPark) {
  constexpr int many = 3000;
  std::atomic<uint32_t> word{0};
  int ended = 0;
  std::vector<GreenThread*> threads;
  for (int i = 0; i < many; ++i) {
    threads.push_back(go([&] {
      test::wait_for(word);
      ++ended;
    }, 32 * 1024));
    ASSERT_NE(threads.back(), nullptr);
  }
  EXPECT_TRUE(eventually([&] {
    return std::all_of(threads.begin(), threads.end(), [](GreenThread* each) { return each->state == State::parked; });
  }));
  EXPECT_EQ(ended, 0);
  test::set(word);
  for (GreenThread* thread : threads) join(thread);
  EXPECT_EQ(ended, many);
}

TEST_F(HubTest, AStackOfTheProgramsOwnIsUsed) {
  constexpr size_t size = 256 * 1024;
  static void* where;
  auto stack = std::make_unique<char[]>(size);
  SpawnOptions options;
  options.stack_size = size;
  options.user_stack = stack.get();
  GreenThread* thread = hub().spawn(
      options,
      [](void*) -> void* {
        where = __builtin_frame_address(0);
        return nullptr;
      },
      nullptr);
  join(thread);
  EXPECT_GE(where, stack.get());
  EXPECT_LT(where, stack.get() + size);
  EXPECT_EQ(thread->stack_low, stack.get());
  EXPECT_EQ(thread->stack_size, size);
}

TEST_F(HubTest, AStackThatCannotBeHadIsRefused) {
  SpawnOptions options;
  options.stack_size = SIZE_MAX - 4096;
  EXPECT_EQ(hub().spawn(options, [](void*) -> void* { return nullptr; }, nullptr), nullptr);
}

TEST_F(HubTest, ThreadSpecificDestructorsRun) {
  static pthread_key_t key;
  static int destroyed;
  ASSERT_EQ(pthread_key_create(&key, nullptr), 0);
  keys::created(key, [](void* value) {
    // Set again once, as pthread_key_create(3) allows.
    if (++destroyed == 1) pthread_setspecific(key, value);
  });
  join(go([] { pthread_setspecific(key, &destroyed); }));
  EXPECT_EQ(destroyed, 2);
  keys::deleted(key);
  join(go([] { pthread_setspecific(key, &destroyed); }));
  EXPECT_EQ(destroyed, 2);
  pthread_key_delete(key);
}

#if !defined(__SANITIZE_ADDRESS__)
TEST_F(HubTest, PthreadExitEndsTheThreadAndUnwinds) {
  static bool unwound;
  unwound = false;
  struct Guard {
    ~Guard() { unwound = true; }
  };
  GreenThread* thread = go([] {
    Guard guard;
    self()->by_pthread_exit = true;
    pthread_exit(self()->result = &unwound);
  });
  test::wait_for(thread->finished);
  EXPECT_TRUE(unwound);
  EXPECT_EQ(thread->result, &unwound);
  hub().release(thread);
}
#endif

// ---- fairness ---------------------------------------------------------------------------------------------------

/// Two threads that keep each other ready until `stop`.
class Busy {
 public:
  Busy() {
    for (auto& thread : threads_) {
      thread = go([this] {
        while (!stop_) hub().yield();
      });
    }
  }
  ~Busy() {
    stop_ = true;
    for (GreenThread* thread : threads_) join(thread);
  }

 private:
  bool stop_ = false;
  GreenThread* threads_[2];
};

TEST_F(HubTest, TimersFireWhileOthersKeepYielding) {
  Busy busy;
  for (int i = 0; i < 5; ++i) {
    hub().park(Deadline::in(millisecond));
    EXPECT_TRUE(self()->timed_out);
  }
}

TEST_F(HubTest, InputArrivesWhileOthersKeepYielding) {
  Busy busy;
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_NONBLOCK), 0);
  for (int i = 0; i < 5; ++i) {
    std::thread writer([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      EXPECT_EQ(write(ends[1], "x", 1), 1);
    });
    FdWaiter waiter;
    waiter.thread = self();
    waiter.fd = ends[0];
    ASSERT_EQ(hub().poller().watch(waiter), 0);
    const Deadline limit = test::patience();
    while (!waiter.woken && !limit.passed()) hub().park(limit);
    EXPECT_TRUE(waiter.woken);
    char byte;
    EXPECT_EQ(read(ends[0], &byte, 1), 1);
    writer.join();
  }
  close(ends[0]);
  close(ends[1]);
}

TEST_F(HubTest, KernelThreadsAreHeardWhileOthersKeepYielding) {
  Busy busy;
  std::thread other([me = self()] { Hub::unpark(me); });
  hub().park(test::patience());
  EXPECT_FALSE(self()->timed_out);
  other.join();
}

TEST_F(HubTest, YieldingAloneSeesTheLoop) {
  bool woken = false;
  GreenThread* sleeper = go([&] {
    hub().park(Deadline::in(millisecond));
    woken = true;
  });
  const Deadline limit = test::patience();
  while (!woken && !limit.passed()) hub().yield();
  EXPECT_TRUE(woken);
  join(sleeper);
}

TEST_F(HubTest, ASleepingHubUsesNoProcessorTime) {
  timespec before, after;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
  hub().park(Deadline::in(100 * millisecond));
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
  const int64_t used = (after.tv_sec - before.tv_sec) * nanoseconds_per_second + after.tv_nsec - before.tv_nsec;
  EXPECT_LT(used, 50 * millisecond);
}

// ---- libuv ------------------------------------------------------------------------------------------------------

/// A uv_timer that counts and unparks; closed at the end.
class UvTimer {
 public:
  UvTimer(uint64_t first, uint64_t every) : wakes_(self()) {
    timer_.data = this;
    uv_timer_init(hub().uv_loop(), &timer_);
    uv_update_time(hub().uv_loop());
    uv_timer_start(&timer_, [](uv_timer_t* timer) {
      auto* me = static_cast<UvTimer*>(timer->data);
      ++me->fired;
      me->on_loop = self() == nullptr;
      Hub::unpark(me->wakes_);
    }, first, every);
  }
  ~UvTimer() {
    bool closed = false;
    timer_.data = &closed;
    uv_close(reinterpret_cast<uv_handle_t*>(&timer_), [](uv_handle_t* handle) { *static_cast<bool*>(handle->data) = true; });
    EXPECT_TRUE(eventually([&] { return closed; }));
  }
  int fired = 0;
  bool on_loop = false;

 private:
  GreenThread* wakes_;
  uv_timer_t timer_;
};

TEST_F(HubTest, UvTimersFireWhileAllAreParked) {
  ASSERT_NE(hub().uv_loop(), nullptr);
  UvTimer timer(3, 0);
  const Deadline limit = test::patience();
  while (!timer.fired && !limit.passed()) hub().park(limit);
  EXPECT_EQ(timer.fired, 1);
  EXPECT_TRUE(timer.on_loop);
}

TEST_F(HubTest, UvTimersFireWhileOthersKeepYielding) {
  Busy busy;
  UvTimer timer(1, 1);
  EXPECT_TRUE(eventually([&] { return timer.fired >= 3; }));
}

TEST_F(HubTest, UvWorkComesBack) {
  struct Work {
    uv_work_t request;
    GreenThread* thread;
    bool done, on_another;
    long hub_tid;
  } work{};
  work.thread = self();
  work.request.data = &work;
  work.hub_tid = sys::call(SYS_gettid);
  uv_queue_work(
      hub().uv_loop(), &work.request,
      [](uv_work_t* request) {
        auto* work = static_cast<Work*>(request->data);
        work->on_another = sys::call(SYS_gettid) != work->hub_tid && !self();
      },
      [](uv_work_t* request, int) {
        auto* work = static_cast<Work*>(request->data);
        work->done = true;
        Hub::unpark(work->thread);
      });
  const Deadline limit = test::patience();
  while (!work.done && !limit.passed()) hub().park(limit);
  EXPECT_TRUE(work.done);
  EXPECT_TRUE(work.on_another);
}

// ---- fork -------------------------------------------------------------------------------------------------------

TEST_F(HubTest, TheChildOfForkGoesOnAlone) {
  std::atomic<uint32_t> word{0};
  GreenThread* other = go([&] { test::wait_for(word); });
  hub().yield();
  const pid_t child = fork();
  if (child == 0) {
    runtime().after_fork();
    int code = 0;
    if (hub().live() != 1) code |= 1;
    int ran = 0;
    GreenThread* fresh = go([&] {
      hub().park(Deadline::in(millisecond));
      ran = 1;
    });
    join(fresh);
    if (!ran) code |= 2;
    std::thread kernel([me = self()] { Hub::unpark(me); });
    hub().park(test::patience());
    if (self()->timed_out) code |= 4;
    kernel.join();
    if (runtime().offload().run([] { return sys::call(SYS_gettid); }) == sys::call(SYS_gettid)) code |= 8;
    _exit(code);
  }
  int status = -1;
  EXPECT_TRUE(eventually([&] { return waitpid(child, &status, WNOHANG) == child; }));
  EXPECT_EQ(status, 0);
  test::set(word);
  join(other);
}

}  // namespace
}  // namespace guv
