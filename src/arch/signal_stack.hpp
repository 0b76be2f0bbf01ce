#pragma once

#include <signal.h>
#include <ucontext.h>

namespace guv {

using SignalHandler = void (*)(int, siginfo_t*, void*);

/// The stack pointer in an interrupted context.
char* stack_pointer_of(const ucontext_t& context);

/// Where it was interrupted; null where the machine's contexts are not known.
const void* program_counter_of(const ucontext_t& context);

/// Goes on in `handler` on the stack that ends at `top`, with a copy of the frame that the kernel made for the signal
/// handler that is running: as if the kernel had delivered it there. Called from that handler only, and returns only
/// where the machine's frames are not known.
void move_signal_frame(int signal, ucontext_t* context, char* top, SignalHandler handler);

/// Calls `function(argument)` on the stack that ends at `top`.
void call_on_stack(char* top, void (*function)(void*), void* argument);

}  // namespace guv
