/* SPDX-License-Identifier: MIT */
/* The counter of host tests. */
#include "arch/timer.h"

u64 fake_now, fake_programmed, fake_time_reads;

void timer_init(struct hart *h)
{
    (void)h;
    fake_programmed = ~0ul;
}

u64 timer_now(void)
{
    fake_time_reads++;
    return fake_now;
}

void timer_set(const struct hart *h, u64 when)
{
    (void)h;
    fake_programmed = when;
}
