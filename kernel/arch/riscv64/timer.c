/* SPDX-License-Identifier: MIT */
/*
 * timer.c: a tick every 10 ms, by stimecmp where the hart has it (Sstc), else by the firmware.
 *
 * The only file that reads `time`: on a VisionFive 2 each read traps into the firmware, so no path
 * that is to be fast may.  A tick that comes late does not make the next ones come early: the next
 * is counted from now.
 */
#include "arch/timer.h"

#include "arch/cpu.h"
#include "arch/csr.h"
#include "arch/sbi.h"

static u64 tick_length; /* in units of the time CSR [I] */

bool probe_stimecmp(void); /* start.S */

void timer_next(struct hart *h)
{
    u64 when = cpu_time() + tick_length;

    if (h->has_sstc)
        csr_write(CSR_STIMECMP, when);
    else
        sbi_set_timer(when);
}

void timer_init(struct hart *h, u64 hz)
{
    tick_length = hz * TIMER_TICK_MS / 1000;
    if (h->has_sstc)
        h->has_sstc = probe_stimecmp();
    timer_next(h);
    csr_set(sie, SIE_TIMER);
}
