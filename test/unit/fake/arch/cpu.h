/* SPDX-License-Identifier: MIT */
/* cpu.h for host tests: nothing to order, nobody to wait for. */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

static inline void fence_i(void)
{
}

#endif
