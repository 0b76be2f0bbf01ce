#include "arch/signal_stack.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/mapping.hpp"

#if defined(__x86_64__)

// Both are plain code without a frame of their own that an unwinder could misread: rbp is the frame.
__asm__(R"(
        .text
        .type   guv_call_on_stack, @function
guv_call_on_stack:                      /* (top, function, argument) */
        .cfi_startproc
        push    %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset %rbp, -16
        mov     %rsp, %rbp
        .cfi_def_cfa_register %rbp
        mov     %rdi, %rsp
        mov     %rdx, %rdi
        call    *%rsi
        leave
        .cfi_def_cfa %rsp, 8
        ret
        .cfi_endproc
        .size   guv_call_on_stack, . - guv_call_on_stack
)");
extern "C" __attribute__((visibility("hidden"))) void guv_call_on_stack(char*, void (*)(void*), void*);

namespace guv {

namespace {

// What the kernel pushes (arch/x86/include/asm/sigframe.h): the return address, which leads to sigreturn, its ucontext,
// whose mask is 8 bytes, and siginfo; the floating-point state lies higher.
struct Frame {
  void* return_address;
  unsigned char context[304];
  siginfo_t info;
};

size_t size_of_floating_point(const void* state) {
  // struct _fpx_sw_bytes, in the last 48 bytes of the FXSAVE area, knows the size of what follows.
  constexpr uint32_t magic = 0x46505853;
  uint32_t words[2];
  memcpy(words, static_cast<const char*>(state) + 464, sizeof words);
  return words[0] == magic ? words[1] : 512;
}

}  // namespace

char* stack_pointer_of(const ucontext_t& context) {
  return reinterpret_cast<char*>(context.uc_mcontext.gregs[REG_RSP]);
}

const void* program_counter_of(const ucontext_t& context) {
  return reinterpret_cast<const void*>(context.uc_mcontext.gregs[REG_RIP]);
}

void move_signal_frame(int signal, ucontext_t* context, char* top, SignalHandler handler) {
  char* const begin = reinterpret_cast<char*>(context) - offsetof(Frame, context);
  char* end = begin + sizeof(Frame);
  auto* floating_point = reinterpret_cast<char*>(context->uc_mcontext.fpregs);
  if (floating_point) end = floating_point + size_of_floating_point(floating_point);
  // By a multiple of 64, which keeps the alignment that XSAVE needs.
  const ptrdiff_t distance = (top - end) & ~ptrdiff_t{63};
  unmark(begin + distance, end - begin);
  memmove(begin + distance, begin, end - begin);
  auto* frame = reinterpret_cast<Frame*>(begin + distance);
  auto* moved = reinterpret_cast<ucontext_t*>(frame->context);
  if (floating_point) moved->uc_mcontext.fpregs = reinterpret_cast<fpregset_t>(floating_point + distance);
  __asm__ volatile("mov %[frame], %%rsp\n\tjmp *%[handler]"
                   :
                   : [frame] "r"(frame), [handler] "r"(handler), "D"(signal), "S"(&frame->info), "d"(moved)
                   : "memory");
  __builtin_unreachable();
}

void call_on_stack(char* top, void (*function)(void*), void* argument) {
  guv_call_on_stack(reinterpret_cast<char*>(reinterpret_cast<uintptr_t>(top) & ~uintptr_t{15}), function, argument);
}

}  // namespace guv

#else

namespace guv {

char* stack_pointer_of(const ucontext_t&) { return nullptr; }
const void* program_counter_of(const ucontext_t&) { return nullptr; }
void move_signal_frame(int, ucontext_t*, char*, SignalHandler) {}
void call_on_stack(char*, void (*function)(void*), void* argument) { function(argument); }

}  // namespace guv

#endif
