#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <guv/guv.hpp>

#include "kernel_thread.hpp"

[[maybe_unused]] static const int all_calls_are_green = guv_monkey_patch(nullptr);

using namespace std::chrono_literals;

namespace {

// ---- spawn ------------------------------------------------------------------------------------------------------

TEST(Spawn, ReturnsAtOnceAndRunsWhenTheCallerWaits) {
  std::string log;
  auto thread = guv::spawn([&] { log += "thread "; });
  log += "caller ";
  thread.get();
  EXPECT_EQ(log, "caller thread ");
}

TEST(Spawn, PassesCopiesOfArgumentsAndReturnsTheResult) {
  auto thread = guv::spawn([](int a, const std::string& b) { return b + std::to_string(a); }, 7, "number ");
  EXPECT_EQ(thread.get(), "number 7");
  EXPECT_EQ(thread.wait(), "number 7");
  EXPECT_FALSE(thread.is_alive());
}

TEST(Spawn, ThrowsInTheWaiterWhatTheThreadThrew) {
  auto thread = guv::spawn([]() -> int { throw std::runtime_error("failure"); });
  EXPECT_THROW(thread.get(), std::runtime_error);
  EXPECT_THROW(thread.get(), std::runtime_error);
}

TEST(Spawn, TakesMoveOnlyArgumentsAndResults) {
  auto thread = guv::spawn([](std::unique_ptr<int> value) { return value; }, std::make_unique<int>(5));
  EXPECT_EQ(*thread.get(), 5);
}

TEST(Spawn, AResultMayBeAReference) {
  int number = 1;
  auto thread = guv::spawn([&]() -> int& { return number; });
  EXPECT_EQ(&thread.get(), &number);
  EXPECT_EQ(&guv::offload([&]() -> int& { return number; }), &number);
}

TEST(Spawn, DestroysFunctionAndArgumentsOnceTheThreadHasEnded) {
  auto token = std::make_shared<int>(0);
  auto thread = guv::spawn([token] {});
  EXPECT_EQ(token.use_count(), 2);
  thread.get();
  guv::gyield();
  EXPECT_EQ(token.use_count(), 1);
}

TEST(Spawn, ThreadsRunInTheOrderOfSpawning) {
  std::string log;
  std::vector<guv::GreenThread<void>> threads;
  for (char c = 'a'; c <= 'e'; ++c) threads.push_back(guv::spawn([&log, c] { log += c; }));
  for (auto& thread : threads) thread.get();
  EXPECT_EQ(log, "abcde");
}

TEST(Spawn, WorksFromKernelThreads) {
  std::atomic<uint64_t> number{0};
  on_kernel_thread([&] {
    EXPECT_EQ(guv_thread_number(), 0u);
    auto thread = guv::spawn([&] { number = guv_thread_number(); });
    thread.get();
  });
  EXPECT_NE(number, 0u);
}

TEST(Spawn, EndedByPthreadExitLeavesNoResult) {
  auto thread = guv::spawn([]() -> int { pthread_exit(nullptr); });
  EXPECT_THROW(thread.get(), guv::GreenExit);
}

TEST(Spawn, GetEndsAtItsDeadline) {
  auto thread = guv::spawn([] { guv::sleep(1h); });
  EXPECT_THROW(thread.get(5ms), guv::TimedOut);
  EXPECT_FALSE(thread.join(1ms));
  thread.kill();
  EXPECT_TRUE(thread.join());
}

TEST(SpawnN, PrintsWhatIsThrownUnlessToldNotTo) {
  testing::internal::CaptureStderr();
  guv::spawn_n([] { throw std::runtime_error("printed"); }).join();
  EXPECT_TRUE(guv::hub_exceptions(false));
  guv::spawn_n([] { throw std::runtime_error("not printed"); }).join();
  EXPECT_FALSE(guv::hub_exceptions(true));
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("std::runtime_error: printed"), std::string::npos) << text;
  EXPECT_EQ(text.find("not printed"), std::string::npos) << text;
}

TEST(SpawnAfter, RunsWhenItsTimeHasCome) {
  const int64_t start = guv_now();
  auto thread = guv::spawn_after(20ms, [] { return guv_now(); });
  EXPECT_TRUE(thread.is_alive());
  EXPECT_GE(thread.get() - start, 20'000'000);
}

TEST(SpawnAfter, CanBeCancelledUntilThen) {
  bool ran = false;
  auto thread = guv::spawn_after(1h, [&] { ran = true; });
  EXPECT_TRUE(thread.cancel());
  EXPECT_THROW(thread.get(), guv::GreenExit);
  EXPECT_FALSE(ran);
}

// ---- cancel and kill --------------------------------------------------------------------------------------------

TEST(Cancel, PreventsAThreadThatHasNotBegun) {
  bool ran = false;
  auto thread = guv::spawn([&] { ran = true; });
  EXPECT_TRUE(thread.cancel(std::make_exception_ptr(std::logic_error("cancelled"))));
  EXPECT_THROW(thread.get(), std::logic_error);
  EXPECT_FALSE(ran);
  EXPECT_FALSE(thread.is_alive());
}

TEST(Cancel, LeavesAloneOneThatHas) {
  auto thread = guv::spawn([] {
    guv::gyield();
    return 3;
  });
  guv::gyield();
  EXPECT_FALSE(thread.cancel());
  EXPECT_EQ(thread.get(), 3);
}

TEST(Kill, ThrowsWhereTheThreadWaits) {
  std::string log;
  auto thread = guv::spawn([&] {
    struct Scope {
      std::string& log;
      ~Scope() { log += "unwound "; }
    } scope{log};
    try {
      guv::sleep(1h);
    } catch (const guv::GreenExit&) {
      log += "exit ";
      throw;
    }
  });
  guv::gyield();
  thread.kill();
  log += "killed ";
  EXPECT_THROW(thread.get(), guv::GreenExit);
  EXPECT_EQ(log, "exit unwound killed ");
}

TEST(Kill, ReachesCallsOfLibc) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  auto thread = guv::spawn([&] {
    char byte;
    return recv(ends[0], &byte, 1, 0);
  });
  guv::gyield();
  thread.kill(std::make_exception_ptr(std::out_of_range("stop")));
  EXPECT_THROW(thread.get(), std::out_of_range);
  close(ends[0]);
  close(ends[1]);
}

TEST(Kill, ReachesCallsAwayOnAHelper) {
  char path[] = "/tmp/guv-fifo-XXXXXX";
  ASSERT_NE(mkdtemp(path), nullptr);
  const std::string fifo = std::string(path) + "/fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  auto thread = guv::spawn([&] { return open(fifo.c_str(), O_RDONLY); });
  guv::sleep(20ms);
  thread.kill();
  EXPECT_THROW(thread.get(), guv::GreenExit);
  unlink(fifo.c_str());
  rmdir(path);
}

TEST(Kill, OfAThreadThatHasNotBegunCancelsIt) {
  bool ran = false;
  auto thread = guv::spawn([&] { ran = true; });
  thread.kill();
  EXPECT_THROW(thread.get(), guv::GreenExit);
  EXPECT_FALSE(ran);
}

TEST(Kill, OfOneselfThrowsAtOnce) {
  auto thread = guv::spawn([] {
    try {
      guv::current().kill();
    } catch (const guv::GreenExit&) {
      return 1;
    }
    return 0;
  });
  EXPECT_EQ(thread.get(), 1);
}

TEST(Kill, MayBeSurvived) {
  auto thread = guv::spawn([] {
    try {
      guv::sleep(1h);
    } catch (const guv::GreenExit&) {
    }
    guv::sleep(1ms);
    return 4;
  });
  guv::gyield();
  thread.kill();
  EXPECT_EQ(thread.get(), 4);
  thread.kill();  // has ended: nothing happens
}

TEST(Kill, LeavesAnEarlierOneThatIsNotYetSeen) {
  auto thread = guv::spawn([] { guv::sleep(1h); });
  guv::gyield();
  guv::call_on_hub([&] {
    thread.kill(std::make_exception_ptr(std::domain_error("first")));
    thread.kill(std::make_exception_ptr(std::range_error("second")));
  });
  EXPECT_THROW(thread.get(), std::domain_error);
}

TEST(Kill, WorksOnThreadsOfPthreadCreateAndFromKernelThreads) {
  std::atomic<bool> exited{false};
  guv::Greenlet me;
  std::thread thread([&] {
    me = guv::current();
    try {
      guv::sleep(1h);
    } catch (const guv::GreenExit&) {
      exited = true;
    }
  });
  guv::sleep(1ms);
  on_kernel_thread([&] { me.kill(); });
  thread.join();
  EXPECT_TRUE(exited);
}

// ---- links ------------------------------------------------------------------------------------------------------

TEST(Link, IsCalledOnTheThreadWithItsResult) {
  std::string log;
  auto thread = guv::spawn([] { return 9; });
  thread.link([&](guv::GreenThread<int>& ended) { log += std::to_string(ended.get()) + "@" + std::to_string(guv_thread_number() != 1); });
  auto id = thread.link([&](auto&) { log += "unlinked"; });
  EXPECT_TRUE(thread.unlink(id));
  EXPECT_FALSE(thread.unlink(guv::LinkId()));
  thread.get();
  guv::gyield();
  EXPECT_EQ(log, "9@1");
  thread.link([&](auto& ended) { log += " late " + std::to_string(ended.get()); });
  EXPECT_EQ(log, "9@1 late 9");
}

TEST(Link, IsCalledForCancelledThreadsToo) {
  bool linked = false;
  auto thread = guv::spawn_after(1h, [] {});
  thread.link([&](auto&) { linked = true; });
  thread.cancel();
  thread.join();
  guv::gyield();
  EXPECT_TRUE(linked);
}

// ---- identity, switching ----------------------------------------------------------------------------------------

TEST(Current, NamesTheThread) {
  auto thread = guv::spawn([] { return guv::current(); });
  EXPECT_TRUE(thread.get() == thread);
  EXPECT_FALSE(guv::current() == thread);
  on_kernel_thread([] { EXPECT_FALSE(guv::current()); });
}

TEST(Current, HasAName) {
  auto thread = guv::spawn([] {
    pthread_setname_np(pthread_self(), "worker");
    guv::gyield();
  });
  guv::gyield();
  EXPECT_EQ(thread.name(), "worker");
  thread.set_name("a name that is too long");
  EXPECT_EQ(thread.name(), "a name that is ");
  thread.get();
  EXPECT_EQ(thread.name(), "a name that is ");
}

TEST(Gyield, WithoutSwitchBackWaitsToBeWoken) {
  std::string log;
  auto thread = guv::spawn([&] {
    log += "a";
    guv::gyield(false);
    log += "c";
  });
  guv::gyield();
  log += "b";
  thread.wake();
  thread.get();
  EXPECT_EQ(log, "abc");
}

// ---- time-outs --------------------------------------------------------------------------------------------------

TEST(Timeout, ThrowsWhereTheThreadWaits) {
  guv::Timeout timeout(2ms);
  EXPECT_TRUE(timeout.pending());
  try {
    guv::sleep(1h);
    FAIL();
  } catch (const guv::TimedOut& struck) {
    EXPECT_TRUE(struck.is(timeout));
  }
  EXPECT_FALSE(timeout.pending());
  guv::sleep(1ms);  // once only
}

TEST(Timeout, ThrowsTheGivenException) {
  EXPECT_THROW(
      {
        guv::Timeout timeout(1ms, std::domain_error("late"));
        guv::sleep(1h);
      },
      std::domain_error);
}

TEST(Timeout, GoesWithItsScopeAndCanBeCancelledAndStartedAgain) {
  {
    guv::Timeout timeout(1ms);
  }
  guv::Timeout timeout(1ms);
  timeout.cancel();
  EXPECT_FALSE(timeout.pending());
  guv::sleep(3ms);
  for (int i = 0; i < 3; ++i) {
    timeout.start(1ms);
    EXPECT_THROW(guv::sleep(1h), guv::TimedOut);
  }
}

TEST(Timeout, Nests) {
  guv::Timeout outer(5ms);
  guv::Timeout inner(1h);
  try {
    guv::sleep(1h);
    FAIL();
  } catch (const guv::TimedOut& struck) {
    EXPECT_TRUE(struck.is(outer));
    EXPECT_FALSE(struck.is(inner));
  }
}

TEST(Timeout, EndsCallsOfLibc) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  char byte;
  guv::Timeout timeout(2ms);
  EXPECT_THROW((void)read(ends[0], &byte, 1), guv::TimedOut);
  close(ends[0]);
  close(ends[1]);
}

TEST(Timeout, WithoutADeadlineIsNotPending) {
  guv::Timeout timeout;
  EXPECT_FALSE(timeout.pending());
  timeout.cancel();
}

TEST(Timeout, EndsWithItsThread) {
  for (int i = 0; i < 100; ++i) {
    guv::spawn([] {
      // As a C program may leave it: nobody takes it back.
      char room[sizeof(guv_timeout) + 4096] = {};
      guv_timeout_start(reinterpret_cast<guv_timeout*>(room), guv_now() + 1'000'000, -ETIMEDOUT, nullptr, nullptr);
      pthread_exit(nullptr);
    }).join();
  }
  guv::spawn([] {
    char overwritten[8192];
    memset(overwritten, 1, sizeof overwritten);
    guv::sleep(5ms);
  }).get();
}

TEST(Timeout, IsForGreenThreads) {
  on_kernel_thread([] { EXPECT_THROW(guv::Timeout timeout(1ms), std::system_error); });
}

TEST(WithTimeout, ReturnsTheResultOrTheFallback) {
  EXPECT_EQ(guv::with_timeout(1h, [] { return 1; }, 2), 1);
  EXPECT_EQ(guv::with_timeout(1ms,
                              [] {
                                guv::sleep(1h);
                                return 1;
                              },
                              2),
            2);
  EXPECT_THROW(guv::with_timeout(1ms, [] { guv::sleep(1h); }), guv::TimedOut);
}

TEST(SilentTimeout, SwallowsItsOwnOnly) {
  EXPECT_TRUE(guv::silent_timeout(1h, [] {}));
  EXPECT_FALSE(guv::silent_timeout(1ms, [] { guv::sleep(1h); }));
  guv::Timeout outer(1ms);
  EXPECT_THROW(guv::silent_timeout(1h, [] { guv::sleep(1h); }), guv::TimedOut);
}

// ---- trampoline -------------------------------------------------------------------------------------------------

TEST(Trampoline, WaitsUntilADescriptorIsReady) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
  EXPECT_EQ(guv::trampoline(ends[0], guv::WRITE), guv::WRITE);
  EXPECT_THROW(guv::trampoline(ends[0], guv::READ, 2ms), guv::TimedOut);
  EXPECT_THROW(guv::trampoline(ends[0], guv::READ, 2ms, std::range_error("late")), std::range_error);
  auto thread = guv::spawn([&] { return guv::trampoline(ends[0], guv::READ); });
  guv::gyield();
  ASSERT_EQ(send(ends[1], "x", 1, 0), 1);
  EXPECT_EQ(thread.get(), guv::READ);
  EXPECT_EQ(guv::trampoline(ends[0], guv::READ | guv::WRITE), guv::READ | guv::WRITE);
  close(ends[1]);
  close(ends[0]);
  EXPECT_THROW(guv::trampoline(ends[0], guv::READ), std::system_error);
}

TEST(Trampoline, WorksOnKernelThreads) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  on_kernel_thread([&] {
    EXPECT_THROW(guv::trampoline(ends[0], guv::READ, 2ms), guv::TimedOut);
    EXPECT_EQ(guv::trampoline(ends[1], guv::WRITE), guv::WRITE);
  });
  close(ends[0]);
  close(ends[1]);
}

TEST(Descriptors, AreGreenWhateverONonblockSays) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
  char buffer[8];
  EXPECT_EQ(guv_recv(ends[0], buffer, sizeof buffer, 0, (guv::Deadline(2ms)).nanoseconds()), -ETIMEDOUT);
  auto reader = guv::spawn([&] { return guv_recv(ends[0], buffer, sizeof buffer, 0, GUV_NEVER); });
  guv::gyield();
  const iovec pieces[] = {{const_cast<char*>("he"), 2}, {const_cast<char*>("llo"), 3}};
  EXPECT_EQ(guv_sendv(ends[1], pieces, 2, 0, GUV_NEVER), 5);
  EXPECT_EQ(reader.get(), 5);
  const std::string much(1 << 22, 'x');
  auto writer = guv::spawn([&] {
    size_t sent = 0;
    while (sent < much.size()) {
      const ssize_t count = guv_send(ends[1], much.data() + sent, much.size() - sent, 0, GUV_NEVER);
      if (count <= 0) return sent;
      sent += static_cast<size_t>(count);
    }
    return sent;
  });
  size_t received = 0;
  std::vector<char> room(1 << 16);
  while (received < much.size()) {
    const ssize_t count = guv_recv(ends[0], room.data(), room.size(), 0, GUV_NEVER);
    ASSERT_GT(count, 0);
    received += static_cast<size_t>(count);
  }
  EXPECT_EQ(writer.get(), much.size());
  close(ends[0]);
  close(ends[1]);
}

// ---- the hub ----------------------------------------------------------------------------------------------------

TEST(CallOnHub, CallsInOrderFromAnyThread) {
  std::string log;
  guv::call_on_hub([&] { log += "a"; });
  guv::call_on_hub([&] {
    log += "b";
    EXPECT_EQ(guv_wait(&log, [](void*) { return 1; }, nullptr, GUV_NEVER), -EDEADLK);
    guv::spawn_n([&] { log += "d"; });
  });
  on_kernel_thread([&] { guv::call_on_hub([&] { log += "c"; }); });
  while (log.size() < 4) guv::sleep(1ms);
  EXPECT_TRUE(log == "abcd" || log == "abdc") << log;
}

TEST(Offload, LeavesTheHubFree) {
  bool ran = false;
  auto other = guv::spawn([&] { ran = true; });
  const bool seen = guv::offload([&] {
    usleep(20'000);
    return ran;
  });
  EXPECT_TRUE(seen);
  EXPECT_THROW(guv::offload([]() -> int { throw std::runtime_error("there"); }), std::runtime_error);
}

TEST(UvLoop, RunsWithinTheHub) {
  uv_timer_t timer;
  bool fired = false;
  timer.data = &fired;
  ASSERT_EQ(uv_timer_init(guv::uv_loop(), &timer), 0);
  ASSERT_EQ(uv_timer_start(&timer, [](uv_timer_t* timer) { *static_cast<bool*>(timer->data) = true; }, 2, 0), 0);
  while (!fired) guv::sleep(1ms);
  uv_close(reinterpret_cast<uv_handle_t*>(&timer), nullptr);
  guv::sleep(2ms);
}

TEST(Local, IsEachThreadsOwnAndGoesWithIt) {
  static int destroyed = 0;
  struct Value {
    int number = 0;
    ~Value() { ++destroyed; }
  };
  {
    guv::Local<Value> local;
    local->number = 1;
    auto thread = guv::spawn([&] {
      const bool fresh = !local.has() && local->number == 0;
      local->number = 2;
      return fresh;
    });
    EXPECT_TRUE(thread.get());
    guv::gyield();
    EXPECT_EQ(destroyed, 1);
    EXPECT_EQ(local->number, 1);
    local.reset();
    EXPECT_EQ(destroyed, 2);
    EXPECT_EQ(local->number, 0);
  }
  EXPECT_EQ(destroyed, 3);
}

}  // namespace
