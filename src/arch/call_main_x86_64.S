// int guv_call_main(int argc /* edi */, char** argv /* rsi */, char** environment /* rdx */, main /* rcx */)
// Unwinders pass through it: exceptions and pthread_exit.
        .text
        .globl  guv_call_main
        .hidden guv_call_main
        .type   guv_call_main, @function
        .align  16
guv_call_main:
        .cfi_startproc
        push    %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbp, 0
        mov     %rsp, %rbp
        .cfi_def_cfa_register rbp
        push    %rbx
        .cfi_offset rbx, -24
        push    %r12
        .cfi_offset r12, -32
        push    %r13
        .cfi_offset r13, -40
        push    %r14
        .cfi_offset r14, -48
        push    %r15
        .cfi_offset r15, -56
        sub     $8, %rsp
        call    *%rcx
        lea     -40(%rbp), %rsp         // main may come back on any stack, but with our frame pointer
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbx
        pop     %rbp
        .cfi_def_cfa rsp, 8
        ret
        .cfi_endproc
        .size   guv_call_main, . - guv_call_main
        .section .note.GNU-stack, "", @progbits
