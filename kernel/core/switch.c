/* SPDX-License-Identifier: MIT */
/*
 * Switching: from what the scheduler picked to a hart that is about to run it.
 *
 * Registers need no switch here, since they are in the thread's control block from trap entry on;
 * what is left is the page table.  Floating-point registers wait for their first use (fpu.c).
 */
#include "arch/address.h"
#include "arch/mmu.h"
#include "kernel/core/counters.h"
#include "kernel/core/hart.h"
#include "kernel/core/schedule.h"
#include "kernel/core/trap.h"

/* Another thread than the one that entered; idles until there is one. */
static struct thread *switch_thread(struct hart *h, struct thread *t)
{
    if (!t) {
        kernel_counters.idle++;
        do {
            hart_idle();
            t = schedule_pick();
        } while (!t);
    }
    if (t != h->thread)
        kernel_counters.switches++;
    h->thread = t;
    t->hart = h;
    return t;
}

/* Lock: any; interrupts off. */
struct thread *schedule_next(void)
{
    struct hart *h = this_hart();
    struct thread *t = schedule_pick();

    if (t != h->thread || !t)
        t = switch_thread(h, t);
    if (t->satp != h->satp) {
        h->satp = t->satp;
        mmu_switch_satp(t->satp);
    }
    return t;
}

/* Lock: alone. */
void schedule_leave_space(u64 satp)
{
    struct hart *h = this_hart();

    if (h->satp != satp)
        return;
    h->satp = mmu_satp(paddr_from_image(mmu_kernel_root()), 0);
    mmu_switch_satp(h->satp);
}
