/* What the program calls. Each exported name is a gate: open, it leads to guv's wrapper, else to libc's function, in either
   case by a jump with nothing on the stack: arguments, unwinding and return addresses are as if the program had called
   it directly. A thread in guv_enter_patched finds all of them open. Names of the family `always` have no gate, and aliases
   are the same gate by another name. */

        .hidden guv_gates, guv_natively, guv_patched_depth

#if defined(__x86_64__)
        .macro  jump_if_closed gate, target
        cmpb    $0, \gate(%rip)
        je      \target
        .endm
        .macro  jump_if_patched target
        mov     guv_patched_depth@gottpoff(%rip), %r11
        cmpl    $0, %fs:(%r11)
        jne     \target
        .endm
        .macro  jump_by slot
        jmp     *\slot(%rip)
        .endm
#define JUMP jmp
#elif defined(__aarch64__)
        .macro  jump_if_closed gate, target
        adrp    x16, \gate
        ldrb    w16, [x16, :lo12:\gate]
        cbz     w16, \target
        .endm
        .macro  jump_if_patched target
        adrp    x16, :gottprel:guv_patched_depth
        ldr     x16, [x16, :gottprel_lo12:guv_patched_depth]
        mrs     x17, tpidr_el0
        ldr     w16, [x17, x16]
        cbnz    w16, \target
        .endm
        .macro  jump_by slot
        adrp    x16, \slot
        ldr     x16, [x16, :lo12:\slot]
        br      x16
        .endm
#define JUMP b
#else
#error "guv needs gates for this machine: add them here"
#endif

        .set    guv_families, 0
#define GUV_FAMILY(name) .set guv_family_##name, guv_families; .set guv_families, guv_families + 1;
#include "base/families.def"

        .macro  export name
        .globl  \name
        .type   \name, %function
        .endm

        .macro  gate name, family
        .hidden guv_wrap_\name
        export  \name
        .p2align 4
\name:
        .cfi_startproc
        .ifnc   \family, always
        jump_if_closed guv_gates+guv_family_\family, .Lclosed_\name
        .endif
        JUMP    guv_wrap_\name
        .cfi_endproc
        .size   \name, . - \name
        .ifnc   \family, always
        .subsection 1
.Lclosed_\name:
        .cfi_startproc
        jump_if_patched guv_wrap_\name
        jump_by guv_natively+8*guv_row
        .cfi_endproc
        .subsection 0
        .endif
        .endm

        .text
        .set    guv_row, 0
#define GUV_COUNT_ROW .set guv_row, guv_row + 1;
#define GUV_SYMBOL(name, family, ...) gate name, family; GUV_COUNT_ROW
#define GUV_ENTRY GUV_SYMBOL
#define GUV_INNER(name, ...) GUV_COUNT_ROW
#define GUV_ALIAS(alias, name) export alias; .set alias, name; GUV_COUNT_ROW
#include "symbols.def"

        .section .note.GNU-stack, "", %progbits
