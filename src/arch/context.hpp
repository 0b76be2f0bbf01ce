#pragma once

#include <cstddef>
#include <cstdint>

#if defined(GUV_UCONTEXT)
#include <ucontext.h>
#endif

namespace guv {

/// A suspended flow of control: where its registers are saved, and the thread pointer (FS base on x86-64) that goes
/// with it. What is kept is what the ABI calls callee-saved, the floating-point control words included.
struct Context {
#if defined(GUV_UCONTEXT)
  ucontext_t registers;
#else
  void* stack_pointer = nullptr;
#endif
  uintptr_t thread_pointer = 0;
};

/// Makes `context` start in `entry(argument)` on the stack that ends at `stack_top` when it is first switched to.
void prepare_context(Context& context, void* stack_bottom, void* stack_top, void (*entry)(void*), void* argument);

/// Saves the caller in `from` and goes on in `to`, on the same kernel thread. Returns when somebody switches back.
/// The caller must not keep errno, pthread_self() or an address of thread-local data across it: they are another's then.
extern "C" void guv_switch_context(Context* from, const Context* to);

/// Tells the switch whether the thread pointer can be written from user space (FSGSBASE); called once, at start.
void choose_thread_pointer_switch();

/// The thread pointer as it is now. (__builtin_thread_pointer is a constant to the compiler, which reads it again, or not
/// again, wherever it likes: also behind a change.)
inline uintptr_t thread_pointer() {
  uintptr_t value;
#if defined(__x86_64__)
  __asm__ volatile("mov %%fs:0, %0" : "=r"(value));
#elif defined(__aarch64__)
  __asm__ volatile("mrs %0, tpidr_el0" : "=r"(value));
#else
  value = reinterpret_cast<uintptr_t>(__builtin_thread_pointer());
  __asm__ volatile("" : "+r"(value));
#endif
  return value;
}

/// Changes the thread pointer alone; the caller must not touch thread-local data through cached addresses.
void set_thread_pointer(uintptr_t value);

}  // namespace guv
