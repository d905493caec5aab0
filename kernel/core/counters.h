/* SPDX-License-Identifier: MIT */
/*
 * Counters of the whole kernel, for measurements and tests (debug.counters).
 *
 * A measured round that saw a tick, an idle wait or another thread is thrown out by them.
 */
#ifndef KERNEL_CORE_COUNTERS_H
#define KERNEL_CORE_COUNTERS_H

#include "lib/base/types.h"

struct counters {
    u64 ticks;          /* timer interrupts */
    u64 idle;           /* times a hart found nothing to run */
    u64 switches;       /* times another thread was entered than the one before */
    u64 faults;         /* page faults of user threads */
    u64 console_writes; /* messages that the kernel itself wrote to the console */
};

extern struct counters kernel_counters;

#endif
