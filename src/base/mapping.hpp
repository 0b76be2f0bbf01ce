#pragma once

#include <stddef.h>

namespace guv {

/// Fresh memory from the kernel, all zero; null if there is none. `more_flags`: mmap(2)'s, beside private and anonymous.
void* map_memory(size_t size, int more_flags = 0);

/// AddressSanitizer's marks stay behind where guv's frames were left by a cancellation or a jump, or with their stack: what
/// the kernel or another owner puts there is taken to be whole. Does nothing in other builds.
void unmark(const void* memory, size_t size);

/// Whether the memory at `address` may be seen by another process: it lies in a MAP_SHARED mapping. When that cannot be
/// told, true.
bool in_shared_mapping(const void* address);

}  // namespace guv
