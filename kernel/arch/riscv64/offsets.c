/* SPDX-License-Identifier: MIT */
/*
 * offsets.c: numbers of C that assembly needs.
 *
 * Compiled to assembler text only; the build picks the `->NAME value` lines out of it and writes
 * offsets.h, which the .S files include.
 */
#include "kernel/core/hart.h"
#include "kernel/core/trap.h"
#include "kernel/object/thread.h"

#define DEFINE(name, value) __asm__ volatile("\n->" #name " %0\n" : : "i"(value))

void offsets(void);

void offsets(void)
{
    DEFINE(THREAD_REGS, offsetof(struct thread, regs));
    DEFINE(THREAD_SSTATUS, offsetof(struct thread, sstatus));
    DEFINE(THREAD_HART, offsetof(struct thread, hart));
    DEFINE(THREAD_EXIT_FULL, offsetof(struct thread, exit_full));

    DEFINE(HART_STACK_TOP, offsetof(struct hart, stack_top));

    DEFINE(KERNEL_TRAP_REGS, offsetof(struct kernel_trap, regs));

    DEFINE(BOOT_STACK_BYTES, BOOT_STACK_BYTES);
    DEFINE(PANIC_STACK_BYTES, PANIC_STACK_BYTES);
}
