/* SPDX-License-Identifier: MIT */
/*
 * timer.c: the hart's timer, by stimecmp where the hart has it (Sstc), else by the firmware.
 *
 * The only file that reads `time`: on a VisionFive 2 each read traps into the firmware, so no path
 * that is to be fast may.
 */
#include "arch/timer.h"

#include "arch/cpu.h"
#include "arch/csr.h"
#include "arch/sbi.h"
#include "kernel/core/hart.h"

bool probe_stimecmp(void); /* start.S */

u64 timer_now(void)
{
    return cpu_time();
}

void timer_set(const struct hart *h, u64 when)
{
    if (h->has_sstc)
        csr_write(CSR_STIMECMP, when);
    else
        sbi_set_timer(when);
}

void timer_init(struct hart *h)
{
    if (h->has_sstc)
        h->has_sstc = probe_stimecmp();
    timer_set(h, ~0ul);
    csr_set(sie, SIE_TIMER);
}
