#include "hub/offload.hpp"

#include <errno.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "base/real.hpp"
#include "base/sys.hpp"
#include "green.hpp"

namespace guv {
namespace {

using test::go;
using test::hub;
using test::join;

long kernel_thread() { return sys::call(SYS_gettid); }

class Offloading : public test::WithRuntime {
 protected:
  Offload& offload() { return runtime().offload(); }
};

thread_local int of_thread = 1;

TEST_F(Offloading, RunsOnAnotherKernelThreadAndComesBack) {
  const long hubs = kernel_thread();
  const long there = offload().run([] { return kernel_thread(); });
  EXPECT_NE(there, hubs);
  EXPECT_EQ(kernel_thread(), hubs);
  EXPECT_EQ(self(), &runtime().main_thread());
}

TEST_F(Offloading, TheThreadStaysItself) {
  of_thread = 5;
  const pthread_t me = pthread_self();
  struct Seen {
    pthread_t handle;
    int local;
    GreenThread* self;
    GreenThread* owner;
  };
  const Seen seen = offload().run([] { return Seen{pthread_self(), of_thread, self(), per_thread.owner}; });
  EXPECT_EQ(seen.handle, me);
  EXPECT_EQ(seen.local, 5);
  EXPECT_EQ(seen.self, nullptr) << "calls there go straight to libc";
  EXPECT_EQ(seen.owner, self());
}

TEST_F(Offloading, ErrnoIsCarriedBothWays) {
  errno = ENOENT;
  const int there = offload().run([] {
    const int seen = errno;
    errno = ERANGE;
    return seen;
  });
  EXPECT_EQ(there, ENOENT);
  EXPECT_EQ(errno, ERANGE);
}

TEST_F(Offloading, OthersRunMeanwhile) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  GreenThread* writer = go([&] { EXPECT_EQ(write(ends[1], "x", 1), 1); });
  char byte = 0;
  EXPECT_EQ(offload().run([&] { return read(ends[0], &byte, 1); }), 1);
  EXPECT_EQ(byte, 'x');
  join(writer);
  close(ends[0]);
  close(ends[1]);
}

void wait_there_together(Offload& offload) {
  constexpr int many = 40;
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  std::vector<GreenThread*> threads;
  int got = 0;
  for (int i = 0; i < many; ++i) {
    threads.push_back(go([&] {
      char byte;
      const ssize_t count = offload.run([&] { return read(ends[0], &byte, 1); });
      got += count == 1;
      EXPECT_EQ(self()->state, State::running);
    }));
  }
  // Every one of them holds a helper before the first may end.
  EXPECT_TRUE(test::eventually([&] { return offload.helpers() >= many; }));
  const std::vector<char> bytes(many, 'x');
  EXPECT_EQ(write(ends[1], bytes.data(), many), many);
  for (GreenThread* thread : threads) join(thread);
  EXPECT_EQ(got, many);
  close(ends[0]);
  close(ends[1]);
}

TEST_F(Offloading, ManyAtOnce) { wait_there_together(offload()); }

TEST_F(Offloading, HelpersAreUsedAgain) {
  offload().run([] {});
  const int made = offload().made();
  for (int i = 0; i < 200; ++i) offload().run([] {});
  EXPECT_LE(offload().made(), made + 2);
}

TEST_F(Offloading, ACrowdWithShortCallsMakesFewHelpers) {
  constexpr int many = 400;
  offload().renew();
  const int made = offload().made();
  std::vector<GreenThread*> threads;
  for (int i = 0; i < many; ++i) threads.push_back(go([&] { offload().run([] {}); }));
  for (GreenThread* thread : threads) join(thread);
  EXPECT_LT(offload().made(), made + many / 4);
}

TEST_F(Offloading, RenewedHelpersTakeNoMoreCalls) {
  const long before = offload().run([] { return kernel_thread(); });
  // One is away meanwhile: it comes back, and then its helper leaves, too.
  std::atomic<uint32_t> may_return{0};
  GreenThread* away = go([&] {
    offload().run([&] {
      while (!may_return) sys::call(SYS_sched_yield);
    });
  });
  hub().yield();
  const int made = offload().made();
  offload().renew();
  EXPECT_NE(offload().run([] { return kernel_thread(); }), before);
  EXPECT_GT(offload().made(), made);
  may_return = 1;
  join(away);
  EXPECT_TRUE(test::eventually([&] { return offload().helpers() <= offload().made() - made; })) << "the others have left";
}

/// While it lives kernel threads are made by another function than libc's.
class KernelThreadsBy {
 public:
  using Create = decltype(real_functions.pthread_create);
  explicit KernelThreadsBy(Create create) : before_(std::exchange(real_functions.pthread_create, create)) {}
  ~KernelThreadsBy() { real_functions.pthread_create = before_; }
  KernelThreadsBy(const KernelThreadsBy&) = delete;
  KernelThreadsBy& operator=(const KernelThreadsBy&) = delete;

 private:
  Create before_;
};

int none_left(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*) noexcept { return EAGAIN; }

// As libc's malloc does, to see how many processors there are.
TEST_F(Offloading, AHelperIsMadeWithCallsThatWouldGoToOne) {
  static const auto create = real_functions.pthread_create;
  offload().renew();
  const KernelThreadsBy asking([](pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*),
                                  void* argument) noexcept {
    EXPECT_EQ(runtime().offload().run([] { return kernel_thread(); }), kernel_thread());
    return create(thread, attributes, start, argument);
  });
  wait_there_together(offload());
}

TEST_F(Offloading, CallsAreMadeOnTheHubWhenNobodyTakesThemAnyMore) {
  std::atomic<uint32_t> is_there{0}, may_return{0};
  offload().renew();
  GreenThread* away = go([&] {
    offload().run([&] {
      is_there = 1;
      while (!may_return) sys::call(SYS_sched_yield);
    });
  });
  ASSERT_TRUE(test::eventually([&] { return is_there == 1; }));
  EXPECT_EQ(offload().helpers(), 1);
  const KernelThreadsBy none(&none_left);
  const long hubs = kernel_thread();
  long there = 0;
  int jobs = 0;
  Trip trip;
  GreenThread* waits = go([&] { there = offload().run([] { return kernel_thread(); }); });
  hub().yield();
  EXPECT_TRUE(offload().post(trip, [](void* jobs) { ++*static_cast<int*>(jobs); }, &jobs)) << "the one helper may come back";
  hub().park(Deadline::in(test::millisecond));
  EXPECT_EQ(there, 0);
  offload().renew();
  EXPECT_EQ(jobs, 1);
  EXPECT_EQ(trip.helper, nullptr);
  join(waits);
  EXPECT_EQ(there, hubs);
  EXPECT_EQ(offload().run([] { return kernel_thread(); }), hubs) << "the helper that is away is none any more";
  EXPECT_FALSE(offload().post(trip, [](void* jobs) { ++*static_cast<int*>(jobs); }, &jobs));
  EXPECT_EQ(self(), &runtime().main_thread());
  EXPECT_EQ(per_thread.hub, &hub());
  may_return = 1;
  join(away);
}

TEST_F(Offloading, NestedCallsStayWhereTheyAre) {
  const bool same = offload().run([&] {
    const long outer = kernel_thread();
    return offload().run([] { return kernel_thread(); }) == outer;
  });
  EXPECT_TRUE(same);
}

TEST_F(Offloading, AnUnparkMeanwhileIsKept) {
  GreenThread* me = self();
  offload().run([me] { Hub::unpark(me); });
  // As a permit or as a spurious wake-up before; never does it hurt: this ends by its deadline at the latest.
  hub().park(Deadline::in(test::millisecond));
  EXPECT_EQ(self(), me);
  EXPECT_EQ(me->state, State::running);
}

TEST_F(Offloading, AJobWithoutAThreadIsDone) {
  struct Job {
    std::atomic<uint32_t> done{0};
    bool on_another = false;
    long hubs = kernel_thread();
  } job;
  Trip trip;
  ASSERT_TRUE(offload().post(trip, [](void* argument) {
    auto* job = static_cast<Job*>(argument);
    job->on_another = kernel_thread() != job->hubs;
    test::set(job->done);
  }, &job));
  test::wait_for(job.done);
  EXPECT_TRUE(job.on_another);
}

TEST_F(Offloading, ThreadsComeAndGoAThousandTimes) {
  std::vector<GreenThread*> threads;
  long sum = 0;
  for (int i = 0; i < 8; ++i) {
    threads.push_back(go([&] {
      for (int k = 0; k < 250; ++k) {
        errno = k;
        sum += offload().run([] { return errno & 1; });
        if (k % 7 == 0) hub().yield();
        EXPECT_EQ(errno, k);
      }
    }));
  }
  for (GreenThread* thread : threads) join(thread);
  EXPECT_EQ(sum, 8 * 125);
}

}  // namespace
}  // namespace guv
