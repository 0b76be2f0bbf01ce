#pragma once

#include <guv/hub.hpp>

/// Calls `function()` on a thread of the kernel's, whatever is green: guv_offload's are.
template <class Function>
void on_kernel_thread(Function function) {
  guv::offload(function);
}
