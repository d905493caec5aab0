/* SPDX-License-Identifier: MIT */
/*
 * Switching: from what the scheduler picked to a hart that is about to run it.
 *
 * Registers need no switch here, since they are in the thread's control block from trap entry on;
 * what is left is the page table.  Floating-point registers wait for their first use (fpu.c).
 */
#include "arch/address.h"
#include "arch/cpu.h"
#include "arch/mmu.h"
#include "kernel/core/counters.h"
#include "kernel/core/hart.h"
#include "kernel/core/schedule.h"
#include "kernel/core/trace.h"
#include "kernel/core/trap.h"
#include "kernel/object/frame.h"

/* Frames for what must be zero are cleaned ahead.  True: enough of them. */
static bool clean_frames(void)
{
    while (frame_clean_one()) {
        if (cpu_interrupt_pending()) {
            interrupts_take();
            return false;
        }
    }
    return true;
}

/* Nobody is READY: there is time for what is still to be destroyed, then for sleep. */
static __attribute__((noinline)) struct thread *idle(void)
{
    struct thread *t;

    kernel_counters.idle++;
    trace(idle, kernel_counters.idle, 0, 0);
    do {
        if (!object_reap())
            interrupts_take();
        else if (clean_frames())
            hart_idle();
        t = schedule_pick();
    } while (!t);
    return t;
}

/* Another thread than the one that entered; idles until there is one. */
static inline __attribute__((always_inline)) struct thread *switch_thread(struct hart *h,
                                                                          struct thread *t)
{
    if (!t)
        t = idle();
    if (t != h->thread) {
        kernel_counters.switches++;
        trace(switch, trace_thread(h->thread), trace_thread(t), t->satp);
    }
    h->thread = t;
    t->hart = h;
    return t;
}

/* `t`, whose turn it is, let go of what takes long to destroy: it goes on with that, and others run when
 * an interrupt wants them to.  The first thread that owes nothing. */
static __attribute__((noinline)) struct thread *reap_for(struct hart *h, struct thread *t)
{
    while (t->reaps) {
        t->reaps = 0;
        if (!object_reap() && h->thread == t)
            t->reaps = 1;
        interrupts_take();
        t = schedule_pick();
        if (t != h->thread || !t)
            t = switch_thread(h, t);
    }
    return t;
}

/* Lock: any; interrupts off. */
struct thread *schedule_next(void)
{
    struct hart *h = this_hart();
    struct thread *t = schedule_pick();

    if (t != h->thread || !t) {
        t = switch_thread(h, t);
        if (t->reaps)
            t = reap_for(h, t);
    }
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
