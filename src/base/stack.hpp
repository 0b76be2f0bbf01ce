#pragma once

#include <cstddef>
#include <cstdint>

namespace guv {

/// A guarded piece of address space: [guard | stack … top). Memory is committed as it is touched.
struct StackSlot {
  char* base = nullptr;     // lowest address, where the guard begins
  size_t size = 0;          // guard included
  uint16_t size_class = 0;  // of the pool
  explicit operator bool() const { return base != nullptr; }
  char* top() const { return base + size; }
};

/// Slots come from large lazily committed regions, one kind for each size, and are kept for reuse: a million stacks are
/// a dozen VMAs where the kernel has MADV_GUARD_INSTALL (Linux 6.13); before that each guard costs two, and
/// vm.max_map_count bounds their number, which is then said.
/// Used by the hub's kernel thread only.
class StackPool {
 public:
  static constexpr size_t guard_size = 16 * 4096;  // a frame without stack probes jumps one page easily

  /// A slot for at least `size` bytes of stack. An empty slot when address space or mappings have run out.
  /// `reused` tells whether the top of the slot still holds what was there when it was released.
  StackSlot take(size_t size, bool* reused);
  /// True when so much is kept that trim() is called for.
  bool give_back(const StackSlot& slot);

  /// Returns to the system the memory of slots that have not been used since the last call, but for a few, and of at most
  /// `most_at_once` slots. True when there is more to come. To be called every `patience` nanoseconds then.
  bool trim();
  static constexpr int64_t patience = 500'000'000;

  /// The slot whose guard holds `address`, or an empty one. Async-signal-safe.
  StackSlot find_guard(const void* address) const;

  /// After fork: all slots but `kept` (may be null) are free again, none reusable as it is.
  void after_fork(const char* kept);

 private:
  struct Region {
    char* base = nullptr;
    size_t slots = 0;
    size_t used = 0;   // handed out at least once
    size_t dirty = 0;  // slots below this hold what a parent process left there
  };
  struct SizeClass {
    size_t slot_size = 0;
    static constexpr int max_regions = 40;
    Region regions[max_regions];
    int region_count = 0;
    // Free slots, linked through the top word of each: hot ones keep all their memory, cold ones only the top.
    char* hot = nullptr;
    char* cold = nullptr;
    size_t hot_count = 0;
    size_t least_hot = 0;  // since the last trim: so many were not needed
  };
  static constexpr int max_classes = 24;
  static constexpr size_t enough_hot = 64, most_at_once = 256;
  static constexpr size_t kept_top = 8192;  // of cold slots: the TCB and the first frames

  SizeClass* class_for(size_t slot_size);
  bool add_region(SizeClass& size_class);
  bool install_guard(char* base);
  static void cool(SizeClass& size_class, size_t keep);

  SizeClass classes_[max_classes];
  int class_count_ = 0;
  const char* kept_ = nullptr;  // the slot of fork's survivor, in use outside the lists
  bool light_guards_ = true;    // MADV_GUARD_INSTALL works here
};

}  // namespace guv
