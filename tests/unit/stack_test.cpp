#include "base/stack.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <set>
#include <vector>

#include "base/sys.hpp"

namespace guv {
namespace {

/// Asks the kernel, which answers EFAULT where a program would fault.
bool accessible(const char* address) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const long result = sys::call(SYS_write, ends[1], address, 1);
  close(ends[0]);
  close(ends[1]);
  return result == 1;
}

int mappings() {
  FILE* maps = fopen("/proc/self/maps", "r");
  int lines = 0;
  for (int c; (c = getc(maps)) != EOF;) lines += c == '\n';
  fclose(maps);
  return lines;
}

bool kernel_has_light_guards() {
  void* memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const bool has = madvise(memory, 4096, 102) == 0;
  munmap(memory, 4096);
  return has;
}

size_t resident(const StackSlot& slot) {
  std::vector<unsigned char> pages(slot.size / 4096);
  EXPECT_EQ(mincore(slot.base, slot.size, pages.data()), 0);
  return static_cast<size_t>(std::count_if(pages.begin(), pages.end(), [](unsigned char page) { return page & 1; }));
}

class Stacks : public testing::Test {
 protected:
  StackSlot take(size_t size) { return pool_->take(size, &reused_); }
  std::unique_ptr<StackPool> pool_ = std::make_unique<StackPool>();
  bool reused_ = false;
};

TEST_F(Stacks, HaveAtLeastTheSizeAskedFor) {
  for (const size_t size : {size_t{1}, size_t{4096}, size_t{16384}, size_t{100'000}, size_t{1} << 20, (size_t{2} << 20) - 1,
                            size_t{2} << 20, size_t{8} << 20, size_t{64} << 20}) {
    const StackSlot slot = take(size);
    ASSERT_TRUE(slot);
    EXPECT_FALSE(reused_);
    EXPECT_GE(slot.size, size + StackPool::guard_size);
    char* lowest = slot.top() - size;
    *lowest = 1;
    slot.top()[-1] = 1;
    EXPECT_EQ(*lowest, 1);
  }
}

TEST_F(Stacks, TheGuardFaults) {
  for (const size_t size : {size_t{16384}, size_t{8} << 20}) {
    const StackSlot slot = take(size);
    EXPECT_FALSE(accessible(slot.base));
    EXPECT_FALSE(accessible(slot.base + StackPool::guard_size - 1));
    EXPECT_TRUE(accessible(slot.base + StackPool::guard_size));
    const pid_t child = fork();
    if (child == 0) {
      signal(SIGSEGV, SIG_DFL);
      *static_cast<volatile char*>(slot.base + StackPool::guard_size - 1) = 1;
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) << status;
  }
}

TEST_F(Stacks, TheGuardStillFaultsAfterReuse) {
  const StackSlot slot = take(16384);
  pool_->give_back(slot);
  EXPECT_EQ(take(16384).base, slot.base);
  EXPECT_TRUE(reused_);
  EXPECT_FALSE(accessible(slot.base));
}

TEST_F(Stacks, AReusedSlotKeepsItsTop) {
  const StackSlot slot = take(64 * 1024);
  memset(slot.top() - 4096, 0x5a, 4096);
  pool_->give_back(slot);
  const StackSlot again = take(64 * 1024);
  ASSERT_EQ(again.base, slot.base);
  EXPECT_TRUE(reused_);
  for (const char* at = again.top() - 4096; at < again.top() - sizeof(char*); ++at) ASSERT_EQ(*at, 0x5a);
}

TEST_F(Stacks, OfDifferentSizesAreNotMixedUp) {
  const StackSlot small = take(16 * 1024), large = take(1 << 20);
  pool_->give_back(small);
  pool_->give_back(large);
  EXPECT_EQ(take(1 << 20).base, large.base);
  EXPECT_EQ(take(16 * 1024).base, small.base);
}

TEST_F(Stacks, MoreSizesThanClassesAreServed) {
  std::vector<StackSlot> slots;
  for (size_t i = 1; i <= 60; ++i) {
    // The largest first: later ones find room in those.
    const size_t size = (61 - i) * 16 * 1024;
    const StackSlot slot = take(size);
    ASSERT_TRUE(slot) << size;
    EXPECT_GE(slot.size, size + StackPool::guard_size);
    slots.push_back(slot);
  }
  std::set<char*> bases;
  for (const StackSlot& slot : slots) bases.insert(slot.base);
  EXPECT_EQ(bases.size(), slots.size());
}

TEST_F(Stacks, ThousandsAreDisjointAndFewMappings) {
  if (!kernel_has_light_guards()) GTEST_SKIP() << "this kernel has no MADV_GUARD_INSTALL";
  const int before = mappings();
  std::vector<StackSlot> slots;
  for (int i = 0; i < 5000; ++i) {
    slots.push_back(take(256 * 1024));
    ASSERT_TRUE(slots.back());
    slots.back().top()[-1] = 1;
  }
  EXPECT_LT(mappings() - before, 30);
  std::sort(slots.begin(), slots.end(), [](const StackSlot& a, const StackSlot& b) { return a.base < b.base; });
  for (size_t i = 1; i < slots.size(); ++i) ASSERT_GE(slots[i].base, slots[i - 1].top());
}

TEST_F(Stacks, AreCommittedAsTheyAreTouched) {
  const StackSlot slot = take(8 << 20);
  EXPECT_EQ(resident(slot), 0u);
  slot.top()[-1] = 1;
  EXPECT_EQ(resident(slot), 1u);
}

TEST_F(Stacks, GiveMemoryBackOnceItIsNotUsed) {
  constexpr size_t count = 600, size = 128 * 1024;
  std::vector<StackSlot> slots;
  const auto use = [&] {
    for (size_t i = 0; i < count; ++i) {
      slots.push_back(take(size));
      memset(slots.back().base + StackPool::guard_size, 1, size);
    }
  };
  const auto pages_kept = [&] {
    size_t pages = 0;
    for (const StackSlot& slot : slots) pages += resident(slot);
    return pages;
  };
  use();
  EXPECT_FALSE(pool_->trim());
  for (size_t i = 0; i < count; ++i) EXPECT_EQ(pool_->give_back(slots[i]), i >= 64);
  // In use until now: kept for the next ones.
  EXPECT_TRUE(pool_->trim());
  EXPECT_GE(pages_kept(), count * size / 4096);
  while (pool_->trim()) {
  }
  EXPECT_LE(pages_kept(), 64 * (size / 4096 + 2) + count * 3);
  // What has been kept, and what has not, serves again.
  slots.clear();
  use();
  EXPECT_TRUE(reused_);
}

TEST_F(Stacks, TheSlotOfAGuardIsFound) {
  const StackSlot small = take(32 * 1024), large = take(8 << 20);
  for (const StackSlot& slot : {small, large}) {
    EXPECT_EQ(pool_->find_guard(slot.base).base, slot.base);
    EXPECT_EQ(pool_->find_guard(slot.base + StackPool::guard_size - 1).base, slot.base);
    EXPECT_EQ(pool_->find_guard(slot.base).size, slot.size);
    EXPECT_FALSE(pool_->find_guard(slot.base + StackPool::guard_size));
    EXPECT_FALSE(pool_->find_guard(slot.top() - 1));
  }
  int elsewhere;
  EXPECT_FALSE(pool_->find_guard(&elsewhere));
  EXPECT_FALSE(pool_->find_guard(nullptr));
}

TEST_F(Stacks, TooLargeIsRefusedWithoutHarm) {
  for (const size_t size : {SIZE_MAX, SIZE_MAX - 4096, SIZE_MAX / 2, size_t{1} << 47}) {
    testing::internal::CaptureStderr();
    const StackSlot slot = take(size);
    testing::internal::GetCapturedStderr();
    EXPECT_FALSE(slot) << size << " gave " << slot.size;
  }
  EXPECT_TRUE(take(16 * 1024));
}

TEST_F(Stacks, AfterForkAllButOneAreFreeAndClean) {
  std::vector<StackSlot> slots;
  for (int i = 0; i < 20; ++i) {
    slots.push_back(take(64 * 1024));
    memset(slots.back().base + StackPool::guard_size, 7, 64 * 1024);
  }
  const StackSlot kept = slots[5];
  pool_->give_back(slots[3]);
  pool_->after_fork(kept.base);
  std::set<char*> bases;
  for (int i = 0; i < 300; ++i) {
    const StackSlot slot = take(64 * 1024);
    ASSERT_TRUE(slot);
    EXPECT_NE(slot.base, kept.base);
    EXPECT_FALSE(reused_);
    EXPECT_FALSE(accessible(slot.base));
    EXPECT_EQ(slot.top()[-1], 0);
    EXPECT_EQ(slot.base[StackPool::guard_size], 0);
    EXPECT_TRUE(bases.insert(slot.base).second);
  }
  EXPECT_EQ(kept.top()[-1], 7);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(bases.count(slots[i].base), i == 5 ? 0u : 1u);
  pool_->give_back(kept);
  EXPECT_EQ(take(64 * 1024).base, kept.base);
}

}  // namespace
}  // namespace guv
