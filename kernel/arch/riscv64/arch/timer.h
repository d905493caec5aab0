/* SPDX-License-Identifier: MIT */
/*
 * timer.h: the tick, which is all that the kernel knows of time.
 */
#ifndef ARCH_TIMER_H
#define ARCH_TIMER_H

#include "kernel/core/hart.h"
#include "lib/base/types.h"

#define TIMER_TICK_MS 10

/* Start the tick on this hart.  hz: of the time CSR.  Clears h->has_sstc if stimecmp cannot be
 * written after all. */
void timer_init(struct hart *h, u64 hz);

/* A timer interrupt came: arm the next tick. */
void timer_next(struct hart *h);

#endif
