// The portable way: glibc's swapcontext, two system calls a switch. Chosen with -Dcontext=ucontext.
#include "arch/context.hpp"

namespace guv {

namespace {

// makecontext passes ints only: a pointer goes as two halves.
void start(unsigned entry_high, unsigned entry_low, unsigned argument_high, unsigned argument_low) {
  const auto join = [](unsigned high, unsigned low) { return uintptr_t{high} << 32 | low; };
  const auto entry = reinterpret_cast<void (*)(void*)>(join(entry_high, entry_low));
  entry(reinterpret_cast<void*>(join(argument_high, argument_low)));
  __builtin_trap();
}

}  // namespace

void prepare_context(Context& context, void* stack_bottom, void* stack_top, void (*entry)(void*), void* argument) {
  getcontext(&context.registers);
  context.registers.uc_stack.ss_sp = stack_bottom;
  context.registers.uc_stack.ss_size = static_cast<char*>(stack_top) - static_cast<char*>(stack_bottom);
  context.registers.uc_link = nullptr;
  const auto e = reinterpret_cast<uintptr_t>(entry);
  const auto a = reinterpret_cast<uintptr_t>(argument);
  makecontext(&context.registers, reinterpret_cast<void (*)()>(&start), 4, unsigned(e >> 32), unsigned(e),
              unsigned(a >> 32), unsigned(a));
}

extern "C" void guv_switch_context(Context* from, const Context* to) {
  // The saved mask is this kernel thread's own, which is the same for every green thread of the hub.
  set_thread_pointer(to->thread_pointer);
  swapcontext(&from->registers, &to->registers);
}

}  // namespace guv
