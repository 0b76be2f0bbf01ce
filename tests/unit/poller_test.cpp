#include "hub/poller.hpp"

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>

#include "green.hpp"

namespace guv {
namespace {

/// A waiter whose thread pretends to be running: a wake-up leaves a permit, and goes nowhere.
struct Waiter : FdWaiter {
  Waiter(int descriptor, Direction which, bool takes = true) {
    pretended.hub = &test::hub();
    pretended.state = State::running;
    thread = &pretended;
    fd = descriptor;
    direction = which;
    consumes = takes;
  }
  ~Waiter() { unlink(); }
  bool unparked() { return std::exchange(pretended.permit, false); }
  GreenThread pretended;
};

class Polling : public test::WithRuntime {
 protected:
  void SetUp() override {
    ASSERT_EQ(pipe2(ends_, O_NONBLOCK), 0);
    fd_table::born(ends_[0]);
    fd_table::born(ends_[1]);
  }
  void TearDown() override {
    for (const int fd : ends_) {
      if (fd >= 0) close(fd);
    }
  }
  int reader() const { return ends_[0]; }
  int writer() const { return ends_[1]; }
  void put(int fd = -1) { ASSERT_EQ(::write(fd < 0 ? writer() : fd, "x", 1), 1); }
  char take() {
    char byte = 0;
    return ::read(reader(), &byte, 1) == 1 ? byte : '-';
  }
  void look() { poller_->wait(Deadline::at(0)); }

  int ends_[2];
  std::unique_ptr<Poller> poller_ = std::make_unique<Poller>();
};

TEST_F(Polling, WakesWhoWaitsToRead) {
  Waiter waiter(reader(), reading);
  ASSERT_EQ(poller_->watch(waiter), 0);
  look();
  EXPECT_FALSE(waiter.woken);
  put();
  look();
  EXPECT_TRUE(waiter.woken);
  EXPECT_TRUE(waiter.unparked());
  EXPECT_FALSE(waiter.linked());
}

TEST_F(Polling, ReportsWhatWasReadyBeforeTheRegistration) {
  put();
  Waiter waiter(reader(), reading);
  ASSERT_EQ(poller_->watch(waiter), 0);
  look();
  EXPECT_TRUE(waiter.woken);
}

TEST_F(Polling, ReportsEachArrivalOnce) {
  Waiter waiter(reader(), reading);
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(poller_->watch(waiter), 0);
    EXPECT_FALSE(waiter.woken);
    put();
    look();
    EXPECT_TRUE(waiter.woken);
    EXPECT_EQ(take(), 'x');
  }
  ASSERT_EQ(poller_->watch(waiter), 0);
  look();
  EXPECT_FALSE(waiter.woken);
}

TEST_F(Polling, AWriterIsWokenWhenThereIsRoomAgain) {
  char block[4096] = {};
  while (write(writer(), block, sizeof block) > 0) {
  }
  Waiter waiter(writer(), writing);
  ASSERT_EQ(poller_->watch(waiter), 0);
  look();
  EXPECT_FALSE(waiter.woken);
  while (read(reader(), block, sizeof block) > 0) {
  }
  look();
  EXPECT_TRUE(waiter.woken);
}

TEST_F(Polling, TheOtherDirectionMayBeAddedLater) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  fd_table::born(pair[0]);
  Waiter in(pair[0], reading), out(pair[0], writing);
  ASSERT_EQ(poller_->watch(in), 0);
  look();
  EXPECT_FALSE(in.woken);
  ASSERT_EQ(poller_->watch(out), 0);
  look();
  EXPECT_TRUE(out.woken);
  EXPECT_FALSE(in.woken);
  put(pair[1]);
  look();
  EXPECT_TRUE(in.woken);
  close(pair[0]);
  close(pair[1]);
}

TEST_F(Polling, ConsumersAreWokenOneAfterAnother) {
  Waiter first(reader(), reading), second(reader(), reading), third(reader(), reading);
  for (Waiter* waiter : {&first, &second, &third}) ASSERT_EQ(poller_->watch(*waiter), 0);
  put();
  look();
  EXPECT_TRUE(first.woken);
  EXPECT_FALSE(second.woken);
  poller_->pass_on(first);
  EXPECT_TRUE(second.woken);
  EXPECT_FALSE(third.woken);
  poller_->pass_on(second);
  EXPECT_TRUE(third.woken);
  poller_->pass_on(third);  // nobody is left
}

TEST_F(Polling, WhoOnlyLooksIsWokenBesideTheConsumer) {
  Waiter looks(reader(), reading, false), takes(reader(), reading), too(reader(), reading, false), next(reader(), reading);
  for (Waiter* waiter : {&looks, &takes, &too, &next}) ASSERT_EQ(poller_->watch(*waiter), 0);
  put();
  look();
  EXPECT_TRUE(looks.woken);
  EXPECT_TRUE(takes.woken);
  EXPECT_TRUE(too.woken);
  EXPECT_FALSE(next.woken);
}

TEST_F(Polling, AHangUpWakesBothDirections) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  char block[4096] = {};
  while (write(pair[0], block, sizeof block) > 0) {
  }
  Waiter in(pair[0], reading), out(pair[0], writing);
  ASSERT_EQ(poller_->watch(in), 0);
  ASSERT_EQ(poller_->watch(out), 0);
  look();
  EXPECT_FALSE(in.woken || out.woken);
  close(pair[1]);
  look();
  EXPECT_TRUE(in.woken);
  EXPECT_TRUE(out.woken);
  close(pair[0]);
}

TEST_F(Polling, WhoStopsWaitingIsNotWoken) {
  Waiter waiter(reader(), reading);
  ASSERT_EQ(poller_->watch(waiter), 0);
  waiter.unlink();
  put();
  look();
  EXPECT_FALSE(waiter.woken);
  EXPECT_FALSE(waiter.unparked());
}

TEST_F(Polling, ClosingWakesAllWhoWait) {
  Waiter in(reader(), reading), again(reader(), reading), other(writer(), writing);
  char block[4096] = {};
  while (write(writer(), block, sizeof block) > 0) {
  }
  while (read(reader(), block, sizeof block) > 0) {
  }
  for (Waiter* waiter : {&in, &again, &other}) ASSERT_EQ(poller_->watch(*waiter), 0);
  poller_->closing(reader());
  EXPECT_TRUE(in.closed && again.closed);
  EXPECT_TRUE(in.unparked() && again.unparked());
  EXPECT_FALSE(in.woken);
  EXPECT_FALSE(other.closed);
  poller_->closing(-1);
  poller_->closing(1'000'000);
}

TEST_F(Polling, ANumberThatIsGivenOutAgainIsAnotherFile) {
  const int number = reader();
  const int alive = dup(number);  // keeps the old registration in the kernel
  {
    Waiter waiter(number, reading);
    ASSERT_EQ(poller_->watch(waiter), 0);
  }
  fd_table::gone(number);
  close(number);
  int fresh[2];
  ASSERT_EQ(pipe2(fresh, O_NONBLOCK), 0);
  ASSERT_EQ(fresh[0], number);
  fd_table::born(fresh[0]);
  fd_table::born(fresh[1]);
  Waiter waiter(number, reading);
  ASSERT_EQ(poller_->watch(waiter), 0);
  put();  // to the old pipe
  look();
  EXPECT_FALSE(waiter.woken) << "an event of the file that had this number before";
  put(fresh[1]);
  look();
  EXPECT_TRUE(waiter.woken);
  close(fresh[1]);
  close(alive);
}

TEST_F(Polling, ANumberThatLibcGaveOutUnseenIsAskedAbout) {
  const int number = reader();
  fd_table::gone(number);
  ASSERT_FALSE(fd_table::seen(fd_table::generation(number)));
  for (int i = 0; i < 3; ++i) {
    Waiter waiter(number, reading);
    ASSERT_EQ(poller_->watch(waiter), 0);
    look();
    EXPECT_FALSE(waiter.woken);
    waiter.unlink();
    // Closed and opened inside libc: no call of guv's is told.
    close(number);
    int fresh[2];
    ASSERT_EQ(pipe2(fresh, O_NONBLOCK), 0);
    ASSERT_EQ(fresh[0], number);
    ASSERT_EQ(poller_->watch(waiter), 0);
    put(fresh[1]);
    look();
    EXPECT_TRUE(waiter.woken) << i;
    EXPECT_EQ(take(), 'x');
    close(ends_[1]);
    ends_[1] = fresh[1];
  }
}

TEST_F(Polling, FilesThatNeverBlockAreRefused) {
  const int file = memfd_create("file", 0);
  Waiter waiter(file, reading);
  EXPECT_EQ(poller_->watch(waiter), EPERM);
  EXPECT_FALSE(waiter.linked());
  close(file);
}

TEST_F(Polling, BadDescriptorsAreRefused) {
  for (const int fd : {-1, -1000, 700'000}) {
    Waiter waiter(fd, reading);
    EXPECT_EQ(poller_->watch(waiter), EBADF) << fd;
  }
}

TEST_F(Polling, ADescriptorOfItsOwnCallsBack) {
  int called = 0;
  ASSERT_TRUE(poller_->watch_own(reader(), [](void* count) { ++*static_cast<int*>(count); }, &called));
  look();
  EXPECT_EQ(called, 0);
  put();
  look();
  EXPECT_EQ(called, 1);
}

TEST_F(Polling, WaitsUntilItsDeadline) {
  const int64_t before = now();
  poller_->wait(Deadline::at(before + 300'000));
  EXPECT_GE(now() - before, 300'000);
}

TEST_F(Polling, AfterForkItKnowsNobody) {
  Waiter waiter(reader(), reading);
  ASSERT_EQ(poller_->watch(waiter), 0);
  poller_->after_fork();
  waiter.reset();
  put();
  look();
  EXPECT_FALSE(waiter.woken);
  ASSERT_EQ(poller_->watch(waiter), 0);
  look();
  EXPECT_TRUE(waiter.woken);
}

TEST(PrivateDescriptors, AreHighAndHidden) {
  const int fd = private_fd::hide(open("/dev/null", O_RDONLY));
  EXPECT_GT(fd, 40);
  EXPECT_TRUE(private_fd::owns(fd));
  EXPECT_FALSE(private_fd::owns(fd + 1));
  EXPECT_FALSE(private_fd::owns(0));
  EXPECT_TRUE(fcntl(fd, F_GETFD) & FD_CLOEXEC);
  EXPECT_EQ(private_fd::lowest_in(static_cast<unsigned>(fd), static_cast<unsigned>(fd)), fd);
  EXPECT_EQ(private_fd::lowest_in(0, 3), -1);
  private_fd::forget(fd);
  EXPECT_FALSE(private_fd::owns(fd));
  close(fd);
}

TEST(FdTable, EveryBirthAndDeathIsANewGeneration) {
  const int fd = 5000;
  EXPECT_EQ(fd_table::generation(900'000), 0u);
  uint32_t last = fd_table::generation(fd);
  for (int i = 0; i < 10; ++i) {
    fd_table::born(fd);
    EXPECT_NE(fd_table::generation(fd), last);
    EXPECT_TRUE(fd_table::seen(fd_table::generation(fd)));
    last = fd_table::generation(fd);
    if (i % 2) continue;
    fd_table::gone(fd);
    EXPECT_NE(fd_table::generation(fd), last);
    EXPECT_FALSE(fd_table::seen(fd_table::generation(fd)));
    last = fd_table::generation(fd);
  }
}

TEST_F(Polling, AChildInOurMemoryChangesNothing) {
  // As between vfork and exec: posix_spawn's child arranges its descriptors with libc's own dup2 and close.
  fd_table::set_kind(reader(), fd_table::Kind::fifo);
  const uint32_t generation = fd_table::generation(reader());
  Waiter waiter(reader(), reading);
  ASSERT_EQ(poller_->watch(waiter), 0);
  const pid_t child = vfork();
  if (child == 0) {
    poller_->closing(reader());
    fd_table::gone(reader());
    fd_table::born(reader(), fd_table::Kind::regular);
    fd_table::set_kind(reader(), fd_table::Kind::terminal);
    _exit(0);
  }
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_EQ(fd_table::generation(reader()), generation);
  EXPECT_EQ(fd_table::kind(reader()), fd_table::Kind::fifo);
  EXPECT_FALSE(waiter.closed);
  put();
  look();
  EXPECT_TRUE(waiter.woken);
}

}  // namespace
}  // namespace guv
