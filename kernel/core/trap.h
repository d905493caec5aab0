/* SPDX-License-Identifier: MIT */
/*
 * trap.h: what happens between the assembly of entry.S and the rest of the kernel.
 *
 *   ecall from user mode    syscall_enter (ipc.c)     -> thread to run
 *   anything else           trap_enter (trap.c)       -> thread to run
 *   trap of the kernel      panic_trap (panic.c)
 *
 * Both enter functions run on the empty stack of the hart with interrupts off, find the thread's
 * registers in its control block, and return the thread that user mode goes on with
 * (schedule_next), whose registers, sstatus and exit_full say how.
 */
#ifndef KERNEL_CORE_TRAP_H
#define KERNEL_CORE_TRAP_H

#include "kernel/object/thread.h"
#include "lib/base/types.h"

/* A trap from user mode other than ecall.  Called by entry.S; lock: not held. */
struct thread *trap_enter(struct thread *t, u64 scause, u64 stval);

/* Nothing to run: wait for an interrupt and serve it.  Lock: held in either mode; given up while the
 * hart waits, and held alone on return. */
void hart_idle(void);

/* The same without waiting. */
void interrupts_take(void);

/* Serve what is pending.  Lock: alone.  Cost: one claim for each interrupt. */
void interrupts_serve(void);

/* In entry.S: leave the kernel for that thread.  Lock: not held. */
_Noreturn void thread_resume(struct thread *t);

/* Registers of the kernel at a trap of its own; entry.S fills in regs. */
struct kernel_trap {
    u64 regs[32]; /* x1 to x31 */
    u64 sepc, scause, stval, sstatus;
};
extern struct kernel_trap kernel_trap_record;

/* A trap of the kernel.  Called by entry.S on the panic stack. */
_Noreturn void panic_trap(void);

#endif
