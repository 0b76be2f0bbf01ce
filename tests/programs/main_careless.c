// A main that comes back as those of Free Pascal do: from the depth of its calls, with nothing but the frame pointer and
// the return address of its caller. What libc does next, exit, needs no more.
#include <stdio.h>
#include <stdlib.h>

static void at_exit(void) { puts("EXIT-SUCCESS"); }

#if defined(__x86_64__)
__attribute__((used)) static void body(void) {
  atexit(at_exit);
  puts("body");
}

__asm__(
    ".globl main\n"
    ".type main, @function\n"
    "main:\n"
    "  mov (%rsp), %r12\n"  // the return address
    "  push %rbp\n"
    "  mov %rsp, %r13\n"
    "  call body\n"
    "  mov (%r13), %rbp\n"
    "  mov %r12, %rax\n"
    "  xor %ebx, %ebx\n"
    "  xor %r12d, %r12d\n"
    "  xor %r13d, %r13d\n"
    "  xor %r14d, %r14d\n"
    "  xor %r15d, %r15d\n"
    "  sub $4096, %rsp\n"
    "  push %rax\n"
    "  xor %eax, %eax\n"
    "  ret\n"
    ".size main, . - main\n");
#else
int main(void) {
  puts("body");
  at_exit();
}
#endif
