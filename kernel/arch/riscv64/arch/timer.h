/* SPDX-License-Identifier: MIT */
/*
 * timer.h: the hart's timer: a counter that never goes back, and one moment at which it interrupts.
 *
 * What is due when is kernel/core/clock.h.  Host unit tests replace this file with
 * test/unit/fake/arch/timer.h.
 */
#ifndef ARCH_TIMER_H
#define ARCH_TIMER_H

#include "lib/base/types.h"

struct hart;

/* Let the timer of this hart interrupt from now on, at the moment that timer_set gave.  Clears
 * h->has_sstc if stimecmp cannot be written after all. */
void timer_init(struct hart *h);

/* The counter.  Costs a trap into the firmware on boards that have no readable `time`: not for paths
 * that are to be fast. */
u64 timer_now(void);

/* Interrupt when the counter reaches `when`, or at once if it has; an interrupt that is pending for
 * an earlier moment is taken back. */
void timer_set(const struct hart *h, u64 when);

#endif
