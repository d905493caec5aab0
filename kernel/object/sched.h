/* SPDX-License-Identifier: MIT */
/*
 * Scheduling context: the right to run at a priority, for so much time in each period; what the run
 * queue holds.
 *
 * It animates at most one thread at a time (I5): the thread whose home it is, or one that it was
 * lent to along a call, a fault or by helping.  Lending changes `thread` and nothing in the run queue.
 * What it consumes is charged to it whoever runs on it (kernel/core/budget.h).
 */
#ifndef KERNEL_OBJECT_SCHED_H
#define KERNEL_OBJECT_SCHED_H

#include "kernel/core/clock.h"
#include "kernel/object/object.h"

struct thread;

#define RING_HELD      0 /* of contexts that are out of budget: nobody runs from it */
#define RING(priority) ((priority) + 1)

/* C1 queued <=> `thread` is not NULL, READY and not suspended.  C2 thread->sched == this.
 * C3 ring == RING_HELD <=> `refill` is in the clock's queue; else it is that of the priority. */
struct sched {
    struct object object;
    u8 priority;
    u8 queued;  /* on the run queue */
    u8 ring;    /* of the run queue: RING(priority), or RING_HELD */
    u8 limited; /* it has a budget */
    u8 ceiling; /* priority <= ceiling */
    u8 flags;   /* SCHED_* of lib/abi */
    u8 spare[2];
    struct thread *thread;     /* animated now, or NULL: parked at home */
    struct thread *home;       /* whose THREAD_HOME slot names this, or NULL */
    struct sched *next, *prev; /* its ring */
    u64 ticks;
    u64 budget, period; /* units of the counter */
    u64 left;           /* of the budget, up to the moment `refill_at` */
    u64 refill_at;
    u64 consumed; /* units, while limited */
    _Alignas(32) struct timer refill;
    u64 budget_ns, period_ns; /* as they were asked for */
};
_Static_assert(sizeof(struct sched) <= 256, "size class");

/* How good is it to run on that?  The higher ring wins; anything is better than nothing. */
static inline int sched_rank(const struct sched *s)
{
    return s ? s->ring : -1;
}

struct sched *sched_boot(struct bank *bank, unsigned priority);

#endif
