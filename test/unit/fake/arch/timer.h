/* SPDX-License-Identifier: MIT */
/* timer.h for host tests: the counter shows what the test says (fake/timer.c). */
#ifndef ARCH_TIMER_H
#define ARCH_TIMER_H

#include "lib/base/types.h"

struct hart;

extern u64 fake_now;        /* what the counter shows */
extern u64 fake_programmed; /* when it interrupts */
extern u64 fake_time_reads; /* how often it was read */

void timer_init(struct hart *h);
u64 timer_now(void);
void timer_set(const struct hart *h, u64 when);

#endif
