// guv_switch_context(Context* from /* rdi */, const Context* to /* rsi */)
// Context: stack_pointer at 0, thread_pointer at 8 (asserted in x86_64.cpp).
        .text
        .globl  guv_switch_context
        .hidden guv_switch_context
        .type   guv_switch_context, @function
        .align  16
guv_switch_context:
        .cfi_startproc
        push    %rbp
        push    %rbx
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        sub     $8, %rsp
        stmxcsr (%rsp)
        fnstcw  4(%rsp)
        mov     56(%rsp), %rdx          // the return address
        mov     %rsp, (%rdi)
        mov     8(%rsi), %rax
        mov     (%rsi), %rsp
        cmpb    $0, guv_fsgsbase(%rip)
        je      2f
        wrfsbase %rax
1:      ldmxcsr (%rsp)
        fldcw   4(%rsp)
        cmp     56(%rsp), %rdx
        lea     8(%rsp), %rsp
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbx
        pop     %rbp
        // The processor predicts that `ret` goes where our own caller went on. So it does if the other was called from there;
        // if not, the predictor of jumps knows better.
        jne     3f
        ret
3:      pop     %rcx
        jmp     *%rcx
2:      mov     %rax, %rsi              // arch_prctl(ARCH_SET_FS, thread_pointer)
        mov     $0x1002, %edi
        mov     $158, %eax
        syscall
        jmp     1b
        .cfi_endproc
        .size   guv_switch_context, . - guv_switch_context

// The first return address of every context: calls entry (r13) with its argument (r12). Unwinders stop here.
        .globl  guv_context_start
        .hidden guv_context_start
        .type   guv_context_start, @function
        .align  16
guv_context_start:
        .cfi_startproc
        .cfi_undefined rip
        mov     %r12, %rdi
        xor     %ebp, %ebp
        call    *%r13
        ud2
        .cfi_endproc
        .size   guv_context_start, . - guv_context_start
        .section .note.GNU-stack, "", @progbits
