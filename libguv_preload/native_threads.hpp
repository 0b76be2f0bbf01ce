#pragma once

namespace guv {

/// Whether a thread that the code at `caller` creates shall stay a kernel thread.
bool stays_native(const void* caller);

}  // namespace guv
