#include "wait/blocking.hpp"

#include <errno.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "green.hpp"
#include "wait/fd.hpp"
#include "wait/time.hpp"

namespace guv {
namespace {

using test::go;
using test::hub;
using test::join;

/// Counts what is asked of it; -EAGAIN means "wait".
struct FakeOn {
  static constexpr bool for_kernel_threads = false;
  bool would_block(long result) {
    ++asked;
    return result == -EAGAIN;
  }
  Deadline deadline() {
    ++deadlines;
    return until;
  }
  long give_up(int reason) { return -1000 - reason; }
  Arm arm(GreenThread* me) {
    ++armed;
    thread = me;
    return how;
  }
  void disarm() { ++disarmed; }
  bool closed() const { return is_closed; }
  void succeeded() { ++successes; }
  void abandoned() { ++abandonments; }

  OnHandler on_handler = OnHandler::restart_if_asked;
  bool cancellation_point = false;

  Arm how = Arm::park;
  Deadline until;
  bool is_closed = false;
  GreenThread* thread = nullptr;
  int asked = 0, deadlines = 0, armed = 0, disarmed = 0, successes = 0, abandonments = 0;
};

class Blocking : public test::WithRuntime {};

TEST_F(Blocking, ACallThatDoesNotBlockIsMadeOnce) {
  FakeOn on;
  int attempts = 0;
  const uint64_t parks = hub().counts().parks;
  EXPECT_EQ(blocking(on, [&](Mode mode) -> long { return ++attempts, mode == Mode::attempt ? 17 : -1; }), 17);
  EXPECT_EQ(attempts, 1);
  EXPECT_EQ(on.deadlines + on.armed + on.successes, 0);
  EXPECT_EQ(hub().counts().parks, parks);
}

TEST_F(Blocking, AnErrorIsAResultToo) {
  FakeOn on;
  EXPECT_EQ(blocking(on, [](Mode) -> long { return -ECONNRESET; }), -ECONNRESET);
  EXPECT_EQ(on.armed, 0);
}

TEST_F(Blocking, TriesAgainAfterEachWakeUp) {
  FakeOn on;
  int attempts = 0;
  GreenThread* waker = go([&] {
    for (int i = 0; i < 3; ++i) {
      Hub::unpark(on.thread);
      hub().yield();
    }
  });
  EXPECT_EQ(blocking(on, [&](Mode) -> long { return ++attempts < 4 ? -EAGAIN : 5; }), 5);
  EXPECT_EQ(attempts, 4);
  EXPECT_EQ(on.armed, 3);
  EXPECT_EQ(on.disarmed, 3);
  EXPECT_EQ(on.deadlines, 1);
  EXPECT_EQ(on.successes, 1);
  join(waker);
}

TEST_F(Blocking, LooksAgainAfterArmingWhereChangesGoUnseen) {
  FakeOn on;
  on.how = Arm::look_again;
  int attempts = 0;
  // The change comes between the first attempt and the arming: no park.
  EXPECT_EQ(blocking(on, [&](Mode) -> long { return ++attempts < 2 ? -EAGAIN : 5; }), 5);
  EXPECT_EQ(attempts, 2);
  EXPECT_EQ(on.armed, 1);
  EXPECT_EQ(on.disarmed, 1);
}

TEST_F(Blocking, GivesUpAtTheDeadlineAfterALastAttempt) {
  FakeOn on;
  on.until = Deadline::in(test::millisecond);
  int attempts = 0;
  EXPECT_EQ(blocking(on, [&](Mode) -> long { return ++attempts, -EAGAIN; }), -1000 - ETIMEDOUT);
  EXPECT_GE(attempts, 2);
  EXPECT_TRUE(on.until.passed());
  EXPECT_EQ(on.armed, on.disarmed);
}

TEST_F(Blocking, AResultAtTheDeadlineCounts) {
  FakeOn on;
  on.until = Deadline::in(test::millisecond);
  EXPECT_EQ(blocking(on, [&](Mode) -> long { return on.until.passed() ? 9 : -EAGAIN; }), 9);
}

TEST_F(Blocking, ADeadlineThatHasPassedDoesNotPark) {
  FakeOn on;
  on.until = Deadline::at(1);
  const uint64_t parks = hub().counts().parks;
  EXPECT_EQ(blocking(on, [&](Mode) -> long { return -EAGAIN; }), -1000 - ETIMEDOUT);
  EXPECT_EQ(hub().counts().parks, parks);
  EXPECT_EQ(on.armed, 0);
}

TEST_F(Blocking, GivesUpWhenTheDescriptorIsClosed) {
  FakeOn on;
  GreenThread* closer = go([&] {
    on.is_closed = true;
    Hub::unpark(on.thread);
  });
  EXPECT_EQ(blocking(on, [](Mode) -> long { return -EAGAIN; }), -1000 - EBADF);
  join(closer);
}

TEST_F(Blocking, GoesToAHelperWhereNothingCanBeWaitedFor) {
  FakeOn on;
  on.how = Arm::offload;
  const long hubs = sys::call(SYS_gettid);
  std::vector<Mode> modes;
  long native_on = 0;
  const long result = blocking(on, [&](Mode mode) -> long {
    modes.push_back(mode);
    if (mode == Mode::attempt) return -EAGAIN;
    native_on = sys::call(SYS_gettid);
    return 3;
  });
  EXPECT_EQ(result, 3);
  EXPECT_EQ(modes, (std::vector{Mode::attempt, Mode::native}));
  EXPECT_NE(native_on, hubs);
  EXPECT_EQ(on.disarmed, 1);
}

TEST_F(Blocking, OnAKernelThreadTheCallIsMadeAsItIs) {
  FakeOn on;
  long result = 0;
  std::thread([&] { result = blocking(on, [](Mode mode) -> long { return mode == Mode::native ? 4 : -1; }); }).join();
  EXPECT_EQ(result, 4);
  EXPECT_EQ(on.asked, 0);
}

// ---- signals ----------------------------------------------------------------------------------------------------

int handled;

void handle(int signal, int flags) {
  struct sigaction action {};
  action.sa_handler = [](int) { ++handled; };
  action.sa_flags = flags;
  ASSERT_EQ(signals::action(signal, &action, nullptr), 0);
}

void send(GreenThread* thread, int signal) {
  siginfo_t info{};
  info.si_signo = signal;
  info.si_code = SI_TKILL;
  ASSERT_EQ(signals::send(*thread, info), 0);
}

TEST_F(Blocking, AHandlerWithoutRestartEndsTheCall) {
  handle(SIGUSR1, 0);
  handled = 0;
  FakeOn on;
  GreenThread* sender = go([&] { send(on.thread, SIGUSR1); });
  EXPECT_EQ(blocking(on, [](Mode) -> long { return -EAGAIN; }), -1000 - EINTR);
  EXPECT_EQ(handled, 1);
  EXPECT_EQ(on.armed, on.disarmed);
  join(sender);
}

/// A wait that goes on when a handler has run.
void expect_to_outlast_a_handler(FakeOn on) {
  handled = 0;
  bool ready = false;
  GreenThread* sender = go([&] {
    send(on.thread, SIGUSR1);
    hub().yield();
    EXPECT_EQ(handled, 1);
    ready = true;
    Hub::unpark(on.thread);
  });
  EXPECT_EQ(blocking(on, [&](Mode) -> long { return ready ? 6 : -EAGAIN; }), 6);
  join(sender);
}

TEST_F(Blocking, AHandlerWithRestartDoesNot) {
  handle(SIGUSR1, SA_RESTART);
  expect_to_outlast_a_handler({});
}

TEST_F(Blocking, ACallThatIsNeverRestartedIsEndedByAnyHandler) {
  handle(SIGUSR1, SA_RESTART);
  FakeOn on;
  on.on_handler = OnHandler::end;
  GreenThread* sender = go([&] { send(on.thread, SIGUSR1); });
  EXPECT_EQ(blocking(on, [](Mode) -> long { return -EAGAIN; }), -1000 - EINTR);
  join(sender);
}

TEST_F(Blocking, ACallThatGoesOnIsEndedByNoHandler) {
  handle(SIGUSR1, 0);
  FakeOn on;
  on.on_handler = OnHandler::go_on;
  expect_to_outlast_a_handler(on);
}

TEST_F(Blocking, AResultThatIsThereGoesBeforeTheSignal) {
  handle(SIGUSR1, 0);
  handled = 0;
  FakeOn on;
  bool ready = false;
  GreenThread* sender = go([&] {
    ready = true;
    send(on.thread, SIGUSR1);
  });
  EXPECT_EQ(blocking(on, [&](Mode) -> long { return ready ? 8 : -EAGAIN; }), 8);
  EXPECT_EQ(handled, 1);
  join(sender);
}

// ---- the values that are waited on ------------------------------------------------------------------------------

class Sockets : public Blocking {
 protected:
  void SetUp() override { ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair_), 0); }
  void TearDown() override {
    close(pair_[0]);
    close(pair_[1]);
  }
  long receive(char* buffer, size_t size, int flags = 0) {
    return blocking(receivable(pair_[0], flags), [=, this](Mode mode) {
      return sys::call(SYS_recvfrom, pair_[0], buffer, size, flags | only_if(mode, MSG_DONTWAIT), nullptr, nullptr);
    });
  }
  int pair_[2];
};

TEST_F(Sockets, ParkOnlyTheThreadThatReceives) {
  GreenThread* sender = go([&] {
    hub().park(Deadline::in(test::millisecond));
    EXPECT_EQ(write(pair_[1], "hello", 5), 5);
  });
  char buffer[16];
  EXPECT_EQ(receive(buffer, sizeof buffer), 5);
  join(sender);
}

TEST_F(Sockets, DoNotWaitWhenAskedNotTo) {
  char buffer[16];
  EXPECT_EQ(receive(buffer, sizeof buffer, MSG_DONTWAIT), -EAGAIN);
  fcntl(pair_[0], F_SETFL, O_NONBLOCK);
  EXPECT_EQ(receive(buffer, sizeof buffer), -EAGAIN);
}

TEST_F(Sockets, HonourTheirReceiveTimeout) {
  const timeval limit{0, 3000};
  ASSERT_EQ(setsockopt(pair_[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
  char buffer[16];
  const int64_t before = now();
  EXPECT_EQ(receive(buffer, sizeof buffer), -EAGAIN);
  EXPECT_GE(now() - before, 3 * test::millisecond);
}

TEST_F(Sockets, AllReceiversGetTheirShareOfOneArrival) {
  int got = 0;
  std::vector<GreenThread*> threads;
  for (int i = 0; i < 10; ++i) {
    threads.push_back(go([&] {
      char byte;
      got += receive(&byte, 1) == 1;
    }));
  }
  hub().yield();
  EXPECT_EQ(write(pair_[1], "0123456789", 10), 10);
  for (GreenThread* thread : threads) join(thread);
  EXPECT_EQ(got, 10);
}

TEST_F(Sockets, AWriteThatMustMoveAllDoes) {
  constexpr size_t size = 3'000'000;
  std::vector<char> data(size, 'x');
  size_t received = 0;
  GreenThread* receiver = go([&] {
    std::vector<char> buffer(10'000);
    while (received < size) {
      const long count = receive(buffer.data(), buffer.size());
      if (count <= 0) break;
      received += static_cast<size_t>(count);
    }
  });
  const long sent = blocking_all(sendable(pair_[1], 0), size, [&](Mode mode, size_t done) {
    return sys::call(SYS_sendto, pair_[1], data.data() + done, size - done, only_if(mode, MSG_DONTWAIT), nullptr, 0);
  });
  EXPECT_EQ(sent, static_cast<long>(size));
  join(receiver);
  EXPECT_EQ(received, size);
}

TEST_F(Sockets, WhatWasWrittenBeforeAnErrorIsTheResult) {
  size_t calls = 0;
  FakeOn on;
  const long sent = blocking_all(on, 100, [&](Mode, size_t done) -> long { return ++calls < 3 ? 10 + long(done) : -EPIPE; });
  EXPECT_EQ(sent, 30);
  EXPECT_EQ(blocking_all(on, 100, [](Mode, size_t) -> long { return -EPIPE; }), -EPIPE);
}

TEST_F(Blocking, TimeWaitsAreAsLongAsAsked) {
  const Deadline until = Deadline::in(2 * test::millisecond);
  EXPECT_EQ(blocking(TimeWait(until), [](Mode) -> long { return -EAGAIN; }), 0);
  EXPECT_TRUE(until.passed());
}

TEST_F(Blocking, AnAddressWaitEndsAtItsDeadlineOnBothKindsOfThread) {
  std::atomic<uint32_t> word{0};
  auto wait = [&] {
    AddressWait on(&word, 0, Deadline::in(2 * test::millisecond));
    return blocking(on, [&](Mode) -> long { return word.load(); });
  };
  EXPECT_EQ(wait(), ETIMEDOUT);
  long result = 0;
  std::thread([&] { result = wait(); }).join();
  EXPECT_EQ(result, ETIMEDOUT);
  EXPECT_FALSE(runtime().lot().anybody(&word));
}

}  // namespace
}  // namespace guv
