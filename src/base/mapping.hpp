#pragma once

namespace guv {

/// Whether the memory at `address` may be seen by another process: it lies in a MAP_SHARED mapping. When that cannot be
/// told, true.
bool in_shared_mapping(const void* address);

}  // namespace guv
