/* SPDX-License-Identifier: MIT */
/*
 * cpu.h: single instructions that C has no words for: waiting, fences, counters.
 *
 * Fences name what they order, and whoever calls one says why there.  Source: RISC-V Instruction
 * Set Manual, Volume I, chapters "RV32I" (FENCE) and "Zifencei", Volume II "SFENCE.VMA".
 */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include "arch/csr.h"
#include "lib/base/types.h"

/* Sleep until an interrupt that `sie` enables is pending; returns at once if one is.  It may also
 * return for no reason.  The kernel runs with sstatus.SIE clear, so nothing traps here. */
static inline void cpu_wait(void)
{
    __asm__ volatile("wfi" : : : "memory");
}

/* Give the other harts a moment in a loop that spins. */
static inline void cpu_relax(void)
{
    __asm__ volatile("nop" : : : "memory");
}

/* Order everything before against everything after: memory and device accesses. */
static inline void fence_all(void)
{
    __asm__ volatile("fence iorw, iorw" : : : "memory");
}

/* Stores to memory before, a store to a device register after (doorbells). */
static inline void fence_before_device(void)
{
    __asm__ volatile("fence w, o" : : : "memory");
}

/* A load from a device register before, loads from memory after. */
static inline void fence_after_device(void)
{
    __asm__ volatile("fence i, r" : : : "memory");
}

/* Instructions stored before are what this hart fetches after.  The instruction cache of a U74 does
 * not see stores; QEMU never shows the difference.  Other harts need their own. */
static inline void fence_i(void)
{
    __asm__ volatile("fence.i" : : : "memory");
}

/* What `tp` holds while the kernel runs: the address of this hart's struct hart. */
static inline void *cpu_hart(void)
{
    void *h;

    __asm__("mv %0, tp" : "=r"(h)); /* constant for all of C, so it may be kept and moved */
    return h;
}

/* Has an interrupt come in while the kernel has them off?  What long operations ask between steps. */
static inline bool cpu_interrupt_pending(void)
{
    return csr_read(sip) & csr_read(sie);
}

/* Instructions retired by this hart. */
static inline u64 cpu_instret(void)
{
    return csr_read(instret);
}

/* Ticks of the timebase.  Costs a trap into the firmware on boards without a readable `time`, so
 * only timer.c calls it. */
static inline u64 cpu_time(void)
{
    return csr_read(time);
}

#endif
