#include "base/tcb.hpp"

#include <ctype.h>
#include <errno.h>
#include <gtest/gtest.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "arch/context.hpp"
#include "base/sys.hpp"

namespace guv {
namespace {

thread_local int initialised = 42;
thread_local int zeroed;
struct Noisy {
  ~Noisy() { ++destroyed; }
  int value = 3;
  static int destroyed;
};
int Noisy::destroyed = 0;
thread_local Noisy noisy;

/// A stack with a TCB at its top, on which bodies run one after another.
class Fiber {
 public:
  static constexpr size_t size = 512 * 1024;
  Fiber() {
    stack_ = static_cast<char*>(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    handle = tcb::build(reinterpret_cast<uintptr_t>(stack_) + size, reinterpret_cast<uintptr_t>(stack_), size);
  }
  // Never unmapped: libc's list of stacks leads through it.

  void run(void (*body)()) {
    body_ = body;
    prepare_context(there_, stack_, reinterpret_cast<void*>(tcb::stack_top_below(handle)), &Fiber::start, this);
    there_.thread_pointer = handle;
    here_.thread_pointer = thread_pointer();
    guv_switch_context(&here_, &there_);
  }
  void recycle() { tcb::recycle(handle); }
  char* stack() const { return stack_; }
  uintptr_t handle;

 private:
  static void start(void* fiber) {
    auto& me = *static_cast<Fiber*>(fiber);
    tcb::on_thread_start(me.handle);
    me.body_();
    guv_switch_context(&me.there_, &me.here_);
  }
  char* stack_;
  void (*body_)() = nullptr;
  Context here_, there_;
};

// What bodies report.
int seen, seen_errno;
pthread_t seen_self;
std::string text;

class Tcb : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    choose_thread_pointer_switch();
    if (getenv("GUV_TEST_KEYS_FIRST")) {
      // glibc keeps the first 32 keys' values in the TCB; the others' elsewhere.
      pthread_key_t key;
      for (int i = 0; i < 40; ++i) ASSERT_EQ(pthread_key_create(&key, nullptr), 0);
    }
    const char* why_not = nullptr;
    ASSERT_TRUE(tcb::discover(&why_not)) << why_not;
  }
};

TEST_F(Tcb, IsUnderstoodInThisLibc) {
  EXPECT_EQ(tcb::main_tcb(), static_cast<uintptr_t>(pthread_self()));
  EXPECT_EQ(tcb::tid_of(tcb::main_tcb()), static_cast<int>(sys::call(SYS_gettid)));
  EXPECT_GT(tcb::static_size(), 0u);
}

TEST_F(Tcb, PthreadSelfIsTheTcb) {
  Fiber fiber;
  const pthread_t mine = pthread_self();
  fiber.run([] { seen_self = pthread_self(); });
  EXPECT_EQ(seen_self, static_cast<pthread_t>(fiber.handle));
  EXPECT_EQ(pthread_self(), mine);
}

TEST_F(Tcb, TheThreadPointerIsReadAnewEachTime) {
  // As for a call that libc must make as another thread: to the compiler, none of this changes anything.
  Fiber fiber;
  const uintptr_t own = thread_pointer();
  set_thread_pointer(fiber.handle);
  const uintptr_t other = thread_pointer();
  set_thread_pointer(own);
  const uintptr_t again = thread_pointer();
  EXPECT_EQ(other, fiber.handle);
  EXPECT_EQ(own, again);
  EXPECT_NE(own, other);
}

TEST_F(Tcb, ErrnoIsTheThreadsOwn) {
  Fiber fiber;
  errno = ENOENT;
  fiber.run([] {
    seen_errno = errno;
    errno = EPERM;
  });
  EXPECT_EQ(seen_errno, 0);
  EXPECT_EQ(errno, ENOENT);
}

TEST_F(Tcb, ThreadLocalsStartAsTheyWereInitialised) {
  Fiber fiber;
  initialised = 1;
  zeroed = 1;
  fiber.run([] {
    seen = initialised * 1000 + zeroed;
    initialised = zeroed = 5;
  });
  EXPECT_EQ(seen, 42'000);
  EXPECT_EQ(initialised, 1);
  EXPECT_EQ(zeroed, 1);
}

TEST_F(Tcb, RecyclingMakesThreadLocalsNewAgain) {
  Fiber fiber;
  fiber.run([] { initialised = zeroed = errno = 5; });
  const int tid = tcb::tid_of(fiber.handle);
  fiber.recycle();
  EXPECT_NE(tcb::tid_of(fiber.handle), tid);
  fiber.run([] {
    seen = initialised * 1000 + zeroed;
    seen_errno = errno;
  });
  EXPECT_EQ(seen, 42'000);
  EXPECT_EQ(seen_errno, 0);
}

pthread_key_t keys[40];

TEST_F(Tcb, ThreadSpecificDataIsTheThreadsOwnAndGoesWithRecycling) {
  for (auto& key : keys) ASSERT_EQ(pthread_key_create(&key, nullptr), 0);  // more than the block inside the TCB holds
  for (auto& key : keys) pthread_setspecific(key, &key);
  Fiber fiber;
  auto body = [] {
    seen = 0;
    for (auto& key : keys) seen += pthread_getspecific(key) != nullptr;
    for (auto& key : keys) pthread_setspecific(key, &seen);
  };
  fiber.run(body);
  EXPECT_EQ(seen, 0);
  fiber.recycle();
  fiber.run(body);
  EXPECT_EQ(seen, 0);
  for (auto& key : keys) EXPECT_EQ(pthread_getspecific(key), &key);
  for (auto& key : keys) pthread_key_delete(key);
}

TEST_F(Tcb, OfAFreshThreadHoldsNoThreadSpecificData) {
  // Whatever keys the process has by now, the probe's run included.
  Fiber fiber;
  fiber.run([] {
    seen = 0;
    for (pthread_key_t key = 0; key < 100; ++key) seen += pthread_getspecific(key) != nullptr;
  });
  EXPECT_EQ(seen, 0);
}

TEST_F(Tcb, LocaleAndCharacterTablesWork) {
  Fiber fiber;
  fiber.run([] {
    seen = isalpha('x') && toupper('q') == 'Q' && strtod("2.5", nullptr) == 2.5;
    char line[64];
    snprintf(line, sizeof line, "%.2f %ls", 1.25, L"wide");
    text = line;
    if (locale_t own = newlocale(LC_ALL_MASK, "C", nullptr)) {
      uselocale(own);
      seen += uselocale(nullptr) == own;
      uselocale(LC_GLOBAL_LOCALE);
      freelocale(own);
    }
  });
  EXPECT_EQ(seen, 2);
  EXPECT_EQ(text, "1.25 wide");
  EXPECT_EQ(uselocale(nullptr), LC_GLOBAL_LOCALE);
}

TEST_F(Tcb, MemoryMayBeFreedByAnother) {
  static std::vector<void*> blocks;
  Fiber one, two;
  one.run([] {
    for (int i = 0; i < 500; ++i) blocks.push_back(malloc(static_cast<size_t>(i * 10)));
  });
  two.run([] {
    for (void* block : blocks) free(block);
    blocks.clear();
  });
  one.recycle();
  one.run([] {
    for (int i = 0; i < 500; ++i) free(malloc(static_cast<size_t>(i * 10)));
  });
}

TEST_F(Tcb, ThreadLocalDestructorsRunOncePerThread) {
  Fiber fiber;
  auto body = [] {
    noisy.value = 4;
    tcb::run_thread_local_destructors();
  };
  const int before = Noisy::destroyed;
  fiber.run(body);
  EXPECT_EQ(Noisy::destroyed, before + 1);
  fiber.recycle();
  fiber.run(body);
  EXPECT_EQ(Noisy::destroyed, before + 2);
}

TEST_F(Tcb, LibcBelievesTheStackThatItWasTold) {
  Fiber fiber;
  static void* low;
  static size_t size;
  fiber.run([] {
    pthread_attr_t attributes;
    // Its affinity is asked of the kernel, which does not know the thread: the preloaded library answers itself.
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &low, &size);
    pthread_attr_destroy(&attributes);
  });
  EXPECT_EQ(low, fiber.stack());
  EXPECT_EQ(size, Fiber::size);
}

pthread_mutex_t mutex;

void make_mutex(int type, int robust) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, type);
  pthread_mutexattr_setrobust(&attributes, robust);
  pthread_mutex_init(&mutex, &attributes);
  pthread_mutexattr_destroy(&attributes);
}

TEST_F(Tcb, MutexesKnowTheirOwner) {
  make_mutex(PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_STALLED);
  Fiber fiber;
  fiber.run([] { seen = pthread_mutex_lock(&mutex) + pthread_mutex_lock(&mutex); });
  EXPECT_EQ(seen, 0);
  EXPECT_EQ(pthread_mutex_trylock(&mutex), EBUSY);
  EXPECT_EQ(pthread_mutex_unlock(&mutex), EPERM);
  fiber.run([] { seen = pthread_mutex_unlock(&mutex) + pthread_mutex_unlock(&mutex); });
  EXPECT_EQ(seen, 0);
  EXPECT_EQ(pthread_mutex_trylock(&mutex), 0);
  pthread_mutex_unlock(&mutex);
  pthread_mutex_destroy(&mutex);
}

void* woken;

TEST_F(Tcb, RobustMutexesAreGivenUpAtTheEnd) {
  make_mutex(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST);
  Fiber fiber;
  fiber.run([] { seen = pthread_mutex_lock(&mutex); });
  EXPECT_EQ(seen, 0);
  EXPECT_EQ(pthread_mutex_trylock(&mutex), EBUSY);
  tcb::release_robust_mutexes(fiber.handle, [](void* futex) { woken = futex; });
  EXPECT_EQ(woken, static_cast<void*>(&mutex));
  EXPECT_EQ(pthread_mutex_lock(&mutex), EOWNERDEAD);
  EXPECT_EQ(pthread_mutex_consistent(&mutex), 0);
  EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
  EXPECT_EQ(pthread_mutex_lock(&mutex), 0);
  EXPECT_EQ(pthread_mutex_unlock(&mutex), 0);
  // Nothing is left to give up.
  woken = nullptr;
  tcb::release_robust_mutexes(fiber.handle, [](void* futex) { woken = futex; });
  EXPECT_EQ(woken, nullptr);
  pthread_mutex_destroy(&mutex);
}

TEST_F(Tcb, KernelThreadsComeAndGoBesideIt) {
  std::vector<Fiber> fibers(20);
  for (int i = 0; i < 20; ++i) {
    std::thread([] { errno = 3; }).join();
    fibers[static_cast<size_t>(i)].run([] { seen = errno; });
    EXPECT_EQ(seen, 0);
  }
}

TEST_F(Tcb, ThreadIdsAreUniqueAndNoKernelThreads) {
  std::vector<std::vector<int>> drawn(4);
  std::vector<std::thread> threads;
  for (auto& mine : drawn) {
    threads.emplace_back([&mine] {
      for (int i = 0; i < 5000; ++i) mine.push_back(tcb::new_tid());
    });
  }
  for (auto& thread : threads) thread.join();
  std::set<int> all;
  for (const auto& mine : drawn) {
    for (const int tid : mine) {
      EXPECT_TRUE(all.insert(tid).second);
      EXPECT_GT(tid, 1 << 22);      // the largest kernel.pid_max
      EXPECT_LT(tid, 0x3fffffff);   // FUTEX_TID_MASK
    }
  }
}

}  // namespace
}  // namespace guv
