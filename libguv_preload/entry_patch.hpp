#pragma once

#include <cstdint>

namespace guv {

/// The second front door: overwrites the first bytes of libc's own entries (rows `entry` and `inner` of the table) with a
/// jump to guv's wrappers, so that calls made inside libc, and by dlsym'ed addresses, arrive too. Those of open families
/// that have not been, and of the family `always`. Where the system forbids it, says so once and does nothing.
void patch_libc_entries();

/// How many have been.
int patched_entries();

/// Whether those of all of these families have been.
bool entries_are_patched(uint32_t families);

}  // namespace guv
