/* SPDX-License-Identifier: MIT */
/*
 * hart.h: what the kernel keeps per processor; `tp` holds its address whenever the kernel runs.
 *
 * One hart runs the kernel today, the one that the firmware entered it on; the others stay parked
 * in the firmware.  Everything that will be there once per hart is here, so nothing else has to
 * change its shape when they start.
 */
#ifndef KERNEL_CORE_HART_H
#define KERNEL_CORE_HART_H

#include "arch/cpu.h"
#include "kernel/core/clock.h"
#include "lib/base/types.h"

struct thread;

#define HARTS_MAX 1 /* harts that run the kernel */

#define BOOT_STACK_BYTES  16384 /* of the boot hart; it stays that hart's stack */
#define PANIC_STACK_BYTES 8192  /* of whoever panics on a trap, perhaps for want of stack */

/* Members marked [h] belong to the hart itself, with interrupts off (always so in the kernel). */
struct hart {
    u64 stack_top;         /* [I] entry.S loads sp from it */
    struct thread *thread; /* [h] that user mode runs, or that entered; NULL: gone, or none yet */
    u64 satp;              /* [h] the page table in use */
    u64 id;                /* [I] mhartid, as SBI counts */
    u32 index;             /* [I] dense, from 0 */
    u32 plic_context;      /* [I] */
    bool has_sstc;         /* [I] stimecmp is used */
    bool wait_has_end;     /* [h] this system call, if it waits, does so until ... */
    u64 wait_end;          /* [h] ... then, or not at all (0) */
    struct clock clock;
    struct thread *fpu_owner; /* [h] whose floating-point registers the hart holds, or NULL */
};

/* The hart this runs on. */
static inline struct hart *this_hart(void)
{
    return cpu_hart();
}

extern struct hart boot_hart;

#endif
