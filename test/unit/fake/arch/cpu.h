/* SPDX-License-Identifier: MIT */
/* cpu.h for host tests: nothing to order, nobody to wait for. */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include "lib/base/types.h"

static inline void fence_i(void)
{
}

/* The test defines it, if anything asks which hart it runs on. */
extern void *fake_hart;

static inline void *cpu_hart(void)
{
    return fake_hart;
}

/* Instructions retired: the test that asks for them defines it. */
u64 cpu_instret(void);

/* Weak in fake/objects.c: never, unless a test defines it. */
bool cpu_interrupt_pending(void);

#endif
