#include <asm/prctl.h>
#include <elf.h>
#include <sys/auxv.h>

#include <cstddef>

#include "arch/context.hpp"
#include "base/sys.hpp"

extern "C" {
__attribute__((visibility("hidden"))) bool guv_fsgsbase = false;
#if !defined(GUV_UCONTEXT)
__attribute__((visibility("hidden"))) void guv_context_start();
#endif
}

namespace guv {

void choose_thread_pointer_switch() {
  constexpr unsigned long hwcap2_fsgsbase = 1 << 1;
  guv_fsgsbase = getauxval(AT_HWCAP2) & hwcap2_fsgsbase;
}

void set_thread_pointer(uintptr_t value) {
  if (guv_fsgsbase) {
    __asm__ volatile("wrfsbase %0" ::"r"(value) : "memory");
  } else {
    sys::call(SYS_arch_prctl, ARCH_SET_FS, value);
  }
}

#if !defined(GUV_UCONTEXT)

static_assert(offsetof(Context, stack_pointer) == 0 && offsetof(Context, thread_pointer) == 8);

void prepare_context(Context& context, void*, void* stack_top, void (*entry)(void*), void* argument) {
  // What guv_switch_context pops: control words, r15 r14 r13 r12 rbx rbp, return address. After the last pop the stack
  // is 16-byte aligned, as guv_context_start's call needs.
  auto* frame = reinterpret_cast<uintptr_t*>(reinterpret_cast<uintptr_t>(stack_top) & ~uintptr_t{15}) - 8;
  uint32_t mxcsr;
  uint16_t x87_control;
  __asm__("stmxcsr %0" : "=m"(mxcsr));
  __asm__("fnstcw %0" : "=m"(x87_control));
  frame[0] = mxcsr | uintptr_t{x87_control} << 32;
  frame[1] = 0;
  frame[2] = 0;
  frame[3] = reinterpret_cast<uintptr_t>(entry);
  frame[4] = reinterpret_cast<uintptr_t>(argument);
  frame[5] = 0;
  frame[6] = 0;
  frame[7] = reinterpret_cast<uintptr_t>(&guv_context_start);
  context.stack_pointer = frame;
}

#endif

}  // namespace guv
