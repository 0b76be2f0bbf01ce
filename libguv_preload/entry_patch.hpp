#pragma once

namespace guv {

/// The second front door: overwrites the first bytes of libc's own entries (rows `entry` and `inner` of the table) with a
/// jump to guv's wrappers, so that calls made inside libc, and by dlsym'ed addresses, arrive too. Returns how many were
/// patched; where the system forbids it, says so once and returns 0.
int patch_libc_entries();
bool libc_is_patched();

}  // namespace guv
