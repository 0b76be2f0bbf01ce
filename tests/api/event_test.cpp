#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include <guv/guv.hpp>

#include "kernel_thread.hpp"

using namespace std::chrono_literals;

namespace {

// ---- Event: the seed's examples ---------------------------------------------------------------------------------

TEST(Event, WaitReturnsWhatAnotherThreadSends) {
  guv::Event<int> event;
  guv::spawn_n([&](int b) { event.send(b + 1); }, 3);
  EXPECT_EQ(event.wait(), 4);
}

TEST(Event, SendWakesTheWaiterAndNeverSwitches) {
  guv::Event<std::string> event;
  std::string log;
  guv::spawn([&] {
    log += "about to wait\n";
    const std::string result = event.wait();
    log += "waited for " + result + "\n";
  });
  guv::sleep();
  EXPECT_EQ(log, "about to wait\n");
  event.send("a");
  EXPECT_EQ(log, "about to wait\n");
  guv::sleep();
  EXPECT_EQ(log, "about to wait\nwaited for a\n");
  try {
    event.send("whoops");
    FAIL();
  } catch (const std::logic_error& error) {
    EXPECT_STREQ(error.what(), "Trying to re-send() an already-triggered event.");
  }
}

TEST(Event, SendExceptionThrowsInTheWaiter) {
  guv::Event<int> event;
  event.send_exception(std::runtime_error("sent"));
  EXPECT_THROW(event.wait(), std::runtime_error);
  EXPECT_THROW(event.send_exception(std::runtime_error("again")), std::logic_error);
  EXPECT_THROW(event.send(1), std::logic_error);
}

TEST(Event, SendExceptionTakesTheExceptionBeingHandled) {
  guv::Event<void> event;
  try {
    throw std::range_error("caught");
  } catch (...) {
    event.send_exception(std::current_exception());
  }
  EXPECT_THROW(event.wait(), std::range_error);
}

TEST(Event, WaitReturnsAtOnceWhenItHasHappened) {
  guv::Event<std::string> event;
  std::string log;
  guv::spawn([&] { log += "waited for " + event.wait(); });
  event.send("result");
  guv::sleep();
  EXPECT_EQ(log, "waited for result");
  EXPECT_EQ(event.wait(), "result");
  EXPECT_TRUE(event.ready());
}

// ---- Event: the rest --------------------------------------------------------------------------------------------

TEST(Event, CanBeUsedAgainAfterReset) {
  guv::Event<int> event;
  event.send(1);
  event.reset();
  EXPECT_FALSE(event.ready());
  event.send(2);
  EXPECT_EQ(event.wait(), 2);
}

TEST(Event, WaitersGetWhatWasSentThoughItIsResetAtOnce) {
  guv::Event<int> event;
  auto waiter = guv::spawn([&] { return event.wait(); });
  guv::gyield();
  event.send(1);
  event.reset();
  event.send(2);
  EXPECT_EQ(waiter.get(), 1);
}

TEST(Event, ResetBeforeAnythingWasSentLeavesTheWaitersAlone) {
  guv::Event<int> event;
  auto waiter = guv::spawn([&] { return event.wait(); });
  guv::gyield();
  event.reset();
  event.send(1);
  EXPECT_EQ(waiter.get(), 1);
}

TEST(Event, WaitEndsAtItsDeadline) {
  guv::Event<void> event;
  EXPECT_THROW(event.wait(2ms), guv::TimedOut);
  EXPECT_THROW(event.wait(guv::Deadline::at_once()), guv::TimedOut);
  event.send();
  event.wait(guv::Deadline::at_once());
}

TEST(Event, KillsAndTimeoutsThrowThroughWait) {
  guv::Event<int> event;
  auto waiter = guv::spawn([&] { return event.wait(); });
  guv::gyield();
  waiter.kill(std::make_exception_ptr(std::out_of_range("killed")));
  EXPECT_THROW(waiter.get(), std::out_of_range);
  guv::Timeout timeout(2ms, std::domain_error("late"));
  EXPECT_THROW(event.wait(), std::domain_error);
}

TEST(Event, WakesAllWaitersInTheirOrder) {
  guv::Event<int> event;
  std::string log;
  std::vector<guv::GreenThread<void>> waiters;
  for (char c = 'a'; c <= 'e'; ++c) waiters.push_back(guv::spawn([&, c] { log += c + std::to_string(event.wait()); }));
  guv::gyield();
  event.send(7);
  for (auto& waiter : waiters) waiter.get();
  EXPECT_EQ(log, "a7b7c7d7e7");
}

TEST(Event, IsSentAndAwaitedByKernelThreads) {
  guv::Event<int> to_green, to_kernel;
  auto green = guv::spawn([&] { to_kernel.send(to_green.wait() + 1); });
  on_kernel_thread([&] {
    to_green.send(1);
    EXPECT_EQ(to_kernel.wait(), 2);
  });
  green.get();
}

// The waiter is gone with the event while the sender is still inside send().
TEST(Event, MayBeDestroyedOnceWaitHasReturned) {
  for (int i = 0; i < 2000; ++i) {
    auto event = std::make_unique<guv::Event<int>>();
    guv::Event<int>* sent = event.get();
    std::atomic<bool> go{false};
    auto waiter = guv::spawn([event = std::move(event), &go] {
      go = true;
      return event->wait();
    });
    guv::gyield();
    if (i % 50 == 0) {
      on_kernel_thread([&] { sent->send(i); });
    } else {
      sent->send(i);
    }
    EXPECT_EQ(waiter.get(), i);
  }
}

TEST(Event, ThatCannotCopyItsValueMayBeSentAgain) {
  struct Stubborn {
    explicit Stubborn(bool fails) {
      if (fails) throw std::runtime_error("made badly");
    }
  };
  guv::Event<Stubborn> event;
  EXPECT_THROW(event.send(true), std::runtime_error);
  event.send(false);
  event.wait();
}

// ---- TEvent -----------------------------------------------------------------------------------------------------

TEST(TEvent, WaitsUntilTheFlagIsSet) {
  guv::TEvent event;
  EXPECT_FALSE(event.is_set());
  EXPECT_FALSE(event.wait(2ms));
  auto waiter = guv::spawn([&] { return event.wait(); });
  guv::gyield();
  event.set();
  EXPECT_TRUE(event.ready());
  EXPECT_TRUE(waiter.get());
  EXPECT_TRUE(event.wait());
  event.clear();
  EXPECT_FALSE(event.wait(guv::Deadline::at_once()));
}

TEST(TEvent, WakesItsWaitersThoughItIsClearedAtOnce) {
  guv::TEvent event;
  auto waiter = guv::spawn([&] { return event.wait(); });
  guv::gyield();
  event.set();
  event.clear();
  EXPECT_TRUE(waiter.get());
}

TEST(TEvent, KillsAndTimeoutsThrowThroughWait) {
  guv::TEvent event;
  auto waiter = guv::spawn([&] { event.wait(); });
  guv::gyield();
  waiter.kill();
  EXPECT_THROW(waiter.get(), guv::GreenExit);
  guv::Timeout timeout(2ms);
  EXPECT_THROW(event.wait(), guv::TimedOut);
}

TEST(TEvent, IsSetByKernelThreadsAndOnTheHub) {
  guv::TEvent event;
  guv::call_on_hub([&] { event.set(); });
  EXPECT_TRUE(event.wait());
  event.clear();
  auto waiter = guv::spawn([&] { return event.wait(); });
  guv::gyield();
  on_kernel_thread([&] { event.set(); });
  EXPECT_TRUE(waiter.get());
}

TEST(TEvent, RawlinksAreCalledOnTheHubEachTimeItIsSet) {
  guv::TEvent event;
  std::string log;
  event.rawlink([&](guv::TEvent& same) {
    EXPECT_EQ(&same, &event);
    EXPECT_EQ(guv_thread_number(), 0u);
    log += "a";
  });
  const guv::LinkId second = event.rawlink([&](guv::TEvent&) { log += "b"; });
  event.set();
  EXPECT_EQ(log, "");
  guv::sleep(1ms);
  EXPECT_EQ(log, "ab");
  EXPECT_TRUE(event.unlink(second));
  EXPECT_FALSE(event.unlink(second));
  EXPECT_FALSE(event.unlink(guv::LinkId()));
  event.set();  // is set
  event.clear();
  event.set();
  guv::sleep(1ms);
  EXPECT_EQ(log, "aba");
  event.rawlink([&](guv::TEvent&) { log += "c"; });
  guv::sleep(1ms);
  EXPECT_EQ(log, "abac");
}

TEST(TEvent, WhatHasBeenUnlinkedIsNotCalledThoughItIsDue) {
  bool called = false;
  {
    guv::TEvent event;
    const guv::LinkId link = event.rawlink([&](guv::TEvent&) { called = true; });
    event.set();
    event.unlink(link);
    event.rawlink([&](guv::TEvent&) { called = true; });
    // The event is gone before the hub comes to it.
  }
  guv::sleep(1ms);
  EXPECT_FALSE(called);
}

// ---- AsyncResult: the seed's examples ---------------------------------------------------------------------------

TEST(AsyncResult, GetReturnsWhatWasSet) {
  guv::AsyncResult<int> result;
  result.set(100);
  EXPECT_EQ(result.get(), 100);
}

TEST(AsyncResult, GetThrowsTheExceptionThatWasSet) {
  guv::AsyncResult<int> result;
  result.set_exception(std::runtime_error("failure"));
  try {
    result.get();
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "failure");
  }
}

TEST(AsyncResult, IsALinkTarget) {
  struct ZeroDivisionError {};
  guv::AsyncResult<int> result;
  guv::spawn([]() -> int { throw ZeroDivisionError(); }).link(result);
  EXPECT_THROW(result.get(), ZeroDivisionError);
  guv::AsyncResult<std::string> text;
  guv::spawn([] { return "one"; }).link(text);
  EXPECT_EQ(text.get(), "one");
  guv::AsyncResult<void> nothing;
  auto killed = guv::spawn([] {});
  killed.link(nothing);
  killed.cancel();
  EXPECT_THROW(nothing.get(), guv::GreenExit);
}

// ---- AsyncResult: the rest --------------------------------------------------------------------------------------

TEST(AsyncResult, TellsWhatItHolds) {
  guv::AsyncResult<int> good, bad;
  EXPECT_FALSE(good.ready());
  EXPECT_FALSE(good.successful());
  EXPECT_EQ(good.value(), nullptr);
  EXPECT_EQ(good.exception(), nullptr);
  EXPECT_THROW(good.get_nowait(), guv::TimedOut);
  good.set(1);
  EXPECT_TRUE(good.ready());
  EXPECT_TRUE(good.successful());
  EXPECT_EQ(*good.value(), 1);
  EXPECT_EQ(good.get_nowait(), 1);
  bad.set_exception(std::runtime_error(""));
  EXPECT_TRUE(bad.ready());
  EXPECT_FALSE(bad.successful());
  EXPECT_NE(bad.exception(), nullptr);
  EXPECT_TRUE(bad.wait());
  EXPECT_THROW(bad.set(2), std::logic_error);
}

TEST(AsyncResult, WaitDoesNotThrowWhatGetDoes) {
  guv::AsyncResult<std::unique_ptr<int>> result;
  EXPECT_FALSE(result.wait(2ms));
  EXPECT_THROW(result.get(2ms), guv::TimedOut);
  guv::spawn_n([result]() mutable { result.set(std::make_unique<int>(3)); });
  EXPECT_TRUE(result.wait());
  EXPECT_EQ(*result.get(), 3);
}

TEST(AsyncResult, KillsAndTimeoutsThrowThroughGet) {
  guv::AsyncResult<int> result;
  auto waiter = guv::spawn([&] { return result.get(); });
  guv::gyield();
  waiter.kill();
  EXPECT_THROW(waiter.get(), guv::GreenExit);
  guv::Timeout timeout(2ms);
  EXPECT_THROW(result.wait(), guv::TimedOut);
}

TEST(AsyncResult, RawlinksAreCalledOnTheHubOnce) {
  guv::AsyncResult<int> result;
  std::string log;
  result.rawlink([&](guv::AsyncResult<int>& same) { log += "early " + std::to_string(same.get_nowait()); });
  const auto removed = result.rawlink([&](auto&) { log += "removed"; });
  EXPECT_TRUE(result.unlink(removed));
  on_kernel_thread([&] { result.set(5); });
  while (log.empty()) guv::sleep(1ms);
  EXPECT_EQ(log, "early 5");
  result.rawlink([&](auto& same) { log += " late " + std::to_string(same.get_nowait()); });
  guv::sleep(1ms);
  EXPECT_EQ(log, "early 5 late 5");
}

}  // namespace
