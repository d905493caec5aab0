/* SPDX-License-Identifier: MIT */
/*
 * entry.S: from user mode into the kernel and back; and traps of the kernel itself.
 *
 * In user mode sscratch holds the address of the running thread's control block, in the kernel 0.
 * Registers go straight into the block and come from it; there is no trap frame.  The kernel runs
 * with interrupts off (sstatus.SIE is never set), on the one stack of its hart, which is empty
 * whenever a thread runs: nothing survives on it from one entry to the next.
 *
 * Two ways in and out.  A system call is to its caller like a call of a C function: ra, sp, gp, tp
 * and s0 to s11 are kept, a0 to a7 and t0 to t4 are arguments and results, t5 and t6 come back
 * zero.  Every other trap keeps all 31 registers.  The byte exit_full in the block says by which
 * way the thread has to go back, so it may wait as long as it likes in between.
 */
#include "arch/csr.h"
#include "offsets.h"

#define REG(n) (THREAD_REGS + 8 * (n))  /* x1 to x31; 0 is pc */

/* each OP, BASE, NUMBERS...: `OP xN, place of xN` for each register, with the block at BASE. */
    .macro  each op, base, numbers:vararg
    .irp    n, \numbers
    \op     x\n, REG(\n)(\base)
    .endr
    .endm

/* The lists, each written once for save and restore.  a0 (x10) is in none: it holds the block. */
    .macro  kept op             /* ra, sp, gp, tp, s0-s11 */
    each    \op, a0, 1, 2, 3, 4, 8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27
    .endm
    .macro  arguments op        /* a1-a7 */
    each    \op, a0, 11, 12, 13, 14, 15, 16, 17
    .endm
    .macro  results op          /* t0-t4: words of long kernel messages */
    each    \op, a0, 5, 6, 7, 28, 29
    .endm
    .macro  rest op             /* t5, t6 */
    each    \op, a0, 30, 31
    .endm

/* The places of t0-t4 in the block become zero: what the kernel does not return is not there. */
    .macro  clear_results
    .irp    n, 5, 6, 7, 28, 29
    sd      zero, REG(\n)(a0)
    .endr
    .endm

    .text

/*
 * trap_entry: every trap of a hart that runs the kernel (stvec, direct mode).
 *   From: hardware.
 *   In: sscratch = thread (from user mode) or 0 (from the kernel); sepc, scause, stval, sstatus.
 *   Stack: whoever was interrupted's; not touched.  Interrupts: off, by hardware.
 *   Out: the three labels below, with a0 = old sscratch and the interrupted a0 in sscratch.
 */
    .global trap_entry
    .balign 4                   /* stvec: the low two bits are the mode */
trap_entry:
    csrrw   a0, sscratch, a0
    beqz    a0, kernel_trap
    sd      t0, REG(5)(a0)
    csrr    t0, scause
    addi    t0, t0, -CAUSE_USER_ECALL
    bnez    t0, trap_full

/*
 * System call.
 *   In: a0 = thread, sscratch = its a0, t0 dead.
 *   Out: syscall_enter(thread), on the hart's stack, sscratch = 0; then thread_resume.
 */
    kept    sd
    arguments sd
    csrrw   t0, sscratch, zero
    sd      t0, REG(10)(a0)
    csrr    t0, sepc
    addi    t0, t0, 4           /* go on behind the ecall, which has no short form */
    sd      t0, REG(0)(a0)
    csrr    t0, sstatus
    sd      t0, THREAD_SSTATUS(a0)
    clear_results
    sb      zero, THREAD_EXIT_FULL(a0)
    ld      tp, THREAD_HART(a0)
    ld      sp, HART_STACK_TOP(tp)
    call    syscall_enter
    j       thread_resume

/*
 * Every other trap from user mode: faults, exceptions, interrupts.
 *   In: a0 = thread, sscratch = its a0, its t0 saved, t0 dead.
 *   Out: trap_enter(thread, scause, stval), on the hart's stack, sscratch = 0; then thread_resume.
 */
trap_full:
    kept    sd
    arguments sd
    each    sd, a0, 6, 7, 28, 29
    rest    sd
    csrrw   t0, sscratch, zero
    sd      t0, REG(10)(a0)
    csrr    t0, sepc
    sd      t0, REG(0)(a0)
    csrr    t0, sstatus
    sd      t0, THREAD_SSTATUS(a0)
    li      t0, 1
    sb      t0, THREAD_EXIT_FULL(a0)
    csrr    a1, scause
    csrr    a2, stval
    ld      tp, THREAD_HART(a0)
    ld      sp, HART_STACK_TOP(tp)
    call    trap_enter

/*
 * thread_resume: to user mode.
 *   From: above, and by call from main.c for the first thread.
 *   In: a0 = thread, its address space in use, its hart set (schedule_next does both).
 *   Stack: given up.  sscratch: 0.  Interrupts: off until the sret.
 *   Out: the thread's user mode, sscratch = thread.
 */
    .global thread_resume
thread_resume:
    ld      t0, THREAD_SSTATUS(a0)
    csrw    sstatus, t0
    ld      t0, REG(0)(a0)
    csrw    sepc, t0
    csrw    sscratch, a0
    lbu     t1, THREAD_EXIT_FULL(a0)
    bnez    t1, 1f

    kept    ld
    arguments ld
    results ld
    li      t5, 0
    li      t6, 0
    ld      a0, REG(10)(a0)
    sret

    /* A thread that was interrupted between LR and SC must not find a reservation that another
     * thread's stores did not break.  An SC ends it; should it succeed, it stores pc over pc. */
1:  addi    t1, a0, REG(0)
    sc.d    zero, t0, (t1)
    kept    ld
    arguments ld
    results ld
    rest    ld
    ld      a0, REG(10)(a0)
    sret

/*
 * kernel_trap: a trap of the kernel itself, which is a mistake of ours.
 *   From: trap_entry.  In: a0 = 0, sscratch = the interrupted a0.
 *   Stack: not trusted (this may be its overflow); the panic stack is used.
 *   Out: panic_trap(record), never back.
 */
kernel_trap:
    lla     a0, kernel_trap_record
    .irp    n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, \
               25, 26, 27, 28, 29, 30, 31
    sd      x\n, KERNEL_TRAP_REGS + 8 * \n(a0)
    .endr
    csrrw   t0, sscratch, zero
    sd      t0, KERNEL_TRAP_REGS + 8 * 10(a0)
    lla     sp, panic_stack_top
    mv      s0, zero
    call    panic_trap
