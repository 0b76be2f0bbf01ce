#include "base/stack.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>

#include "base/log.hpp"
#include "base/sys.hpp"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

namespace guv {

namespace {

constexpr size_t page = 4096, half_table = size_t{1} << 20, table = size_t{1} << 21;
constexpr size_t region_limit = size_t{256} << 30;
constexpr size_t slots_in_first_region = 256;

// Page tables cover 2 MiB each. Large slots are whole multiples of that and shifted by half of it, so that the top of
// one slot and the guard of the next share a table.
size_t slot_size_for(size_t size) {
  const size_t wanted = (size + StackPool::guard_size + page - 1) & ~(page - 1);
  return wanted > table ? (wanted + table - 1) & ~(table - 1) : wanted;
}

char*& next_free(char* base, size_t slot_size) { return *reinterpret_cast<char**>(base + slot_size - sizeof(char*)); }

char* map(size_t size) {
  void* memory =
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<char*>(memory);
}

}  // namespace

StackPool::SizeClass* StackPool::class_for(size_t slot_size) {
  for (int i = 0; i < class_count_; ++i) {
    if (classes_[i].slot_size == slot_size) return &classes_[i];
  }
  if (class_count_ < max_classes) {
    classes_[class_count_].slot_size = slot_size;
    return &classes_[class_count_++];
  }
  // A program with very many sizes: the smallest class that is large enough.
  SizeClass* best = nullptr;
  for (SizeClass& candidate : classes_) {
    if (candidate.slot_size >= slot_size && (!best || candidate.slot_size < best->slot_size)) best = &candidate;
  }
  return best;
}

bool StackPool::add_region(SizeClass& size_class) {
  if (size_class.region_count == SizeClass::max_regions) return false;
  // Regions double, so that a handful suffices for a million stacks; smaller ones where the limits are tight.
  size_t slots = slots_in_first_region << (size_class.region_count < 16 ? size_class.region_count : 16);
  while (slots > 1 && slots * size_class.slot_size > region_limit) slots /= 2;
  for (; slots >= 1; slots /= 2) {
    const size_t bytes = slots * size_class.slot_size;
    const bool shift = size_class.slot_size % table == 0;
    char* memory = map(bytes + (shift ? table : 0));
    if (!memory) continue;
    char* base = memory;
    if (shift) {
      base =
          reinterpret_cast<char*>(((reinterpret_cast<uintptr_t>(memory) + half_table - 1) & ~(table - 1)) + half_table);
      if (base < memory) base += table;
    }
    madvise(memory, bytes + (shift ? table : 0), MADV_NOHUGEPAGE);
    Region& region = size_class.regions[size_class.region_count];
    region = {base, slots, 0, 0};
    std::atomic_signal_fence(std::memory_order_release);
    ++size_class.region_count;
    return true;
  }
  return false;
}

bool StackPool::install_guard(char* base) {
  if (light_guards_) {
    if (madvise(base, guard_size, MADV_GUARD_INSTALL) == 0) return true;
    light_guards_ = false;
  }
  if (mprotect(base, guard_size, PROT_NONE) == 0) return true;
  GUV_SAY_ONCE(
      "out of memory mappings for guarded stacks: raise vm.max_map_count, ask for smaller numbers of threads, "
      "or use Linux 6.13 or later, where guards need no mapping");
  return false;
}

StackSlot StackPool::take(size_t size, bool* reused) {
  constexpr size_t most = size_t{1} << 46;  // half of the address space; keeps the sums below from overflowing
  if (size > most) return {};
  SizeClass* size_class = class_for(slot_size_for(size));
  if (!size_class) return {};
  const auto index = static_cast<uint16_t>(size_class - classes_);
  const size_t slot_size = size_class->slot_size;
  char*& list = size_class->hot ? size_class->hot : size_class->cold;
  if (char* base = list) {
    if (base == size_class->hot) size_class->least_hot = std::min(size_class->least_hot, --size_class->hot_count);
    list = next_free(base, slot_size);
    next_free(base, slot_size) = nullptr;
    *reused = true;
    return {base, slot_size, index};
  }
  *reused = false;
  for (;;) {
    // After fork the earlier regions are unused again too.
    for (int i = 0; i < size_class->region_count; ++i) {
      Region& region = size_class->regions[i];
      while (region.used < region.slots) {
        char* base = region.base + region.used * slot_size;
        const bool dirty = region.used < region.dirty;
        if (dirty && base == kept_) {
          ++region.used;
          continue;
        }
        if (!install_guard(base)) return {};
        if (dirty) madvise(base + guard_size, slot_size - guard_size, MADV_DONTNEED);
        ++region.used;
        return {base, slot_size, index};
      }
    }
    if (!add_region(*size_class)) {
      GUV_SAY_ONCE("out of address space for stacks of %zu KiB: ask for smaller ones (guv-run --stack-size)",
                   slot_size / 1024);
      return {};
    }
  }
}

bool StackPool::give_back(const StackSlot& slot) {
  SizeClass& size_class = classes_[slot.size_class];
  next_free(slot.base, slot.size) = size_class.hot;
  size_class.hot = slot.base;
  return ++size_class.hot_count > enough_hot;
}

bool StackPool::trim() {
  bool more = false;
  for (int i = 0; i < class_count_; ++i) {
    SizeClass& size_class = classes_[i];
    const size_t unused = std::min(size_class.least_hot, size_class.hot_count);
    const size_t surplus = unused > enough_hot ? std::min(unused - enough_hot, most_at_once) : 0;
    if (surplus) cool(size_class, size_class.hot_count - surplus);
    size_class.least_hot = size_class.hot_count;
    more |= size_class.hot_count > enough_hot;
  }
  return more;
}

// Those at the head of the list were used last: they stay.
void StackPool::cool(SizeClass& size_class, size_t keep) {
  char** end = &size_class.hot;
  for (size_t i = 0; i < keep; ++i) end = &next_free(*end, size_class.slot_size);
  while (char* base = *end) {
    *end = next_free(base, size_class.slot_size);
    if (size_class.slot_size > guard_size + kept_top) {
      madvise(base + guard_size, size_class.slot_size - guard_size - kept_top, MADV_DONTNEED);
    }
    next_free(base, size_class.slot_size) = size_class.cold;
    size_class.cold = base;
  }
  size_class.hot_count = keep;
}

StackSlot StackPool::find_guard(const void* address) const {
  const auto* where = static_cast<const char*>(address);
  for (int i = 0; i < class_count_; ++i) {
    const SizeClass& size_class = classes_[i];
    for (int k = 0; k < size_class.region_count; ++k) {
      const Region& region = size_class.regions[k];
      if (where < region.base || where >= region.base + region.slots * size_class.slot_size) continue;
      const size_t offset = static_cast<size_t>(where - region.base) % size_class.slot_size;
      if (offset >= guard_size) return {};
      return {const_cast<char*>(where) - offset, size_class.slot_size, static_cast<uint16_t>(i)};
    }
  }
  return {};
}

void StackPool::after_fork(const char* kept) {
  kept_ = kept;
  for (int i = 0; i < class_count_; ++i) {
    SizeClass& size_class = classes_[i];
    size_class.hot = size_class.cold = nullptr;
    size_class.hot_count = size_class.least_hot = 0;
    for (int k = 0; k < size_class.region_count; ++k) {
      Region& region = size_class.regions[k];
      region.dirty = region.dirty > region.used ? region.dirty : region.used;
      region.used = 0;
    }
  }
}

}  // namespace guv
