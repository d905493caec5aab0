/* SPDX-License-Identifier: MIT */
/*
 * Scheduling context: the right to run at a priority; what the run queue holds.
 *
 * It animates at most one thread at a time (I5): the thread whose home it is, or one that it was
 * lent to along a call or a fault.  Lending changes `thread` and nothing in the run queue.
 * Budgets and periods come with their own issue; ticks are counted already.
 */
#ifndef KERNEL_OBJECT_SCHED_H
#define KERNEL_OBJECT_SCHED_H

#include "kernel/object/object.h"

struct thread;

/* C1 queued <=> `thread` is not NULL and READY.  C2 thread->sched == this. */
struct sched {
    struct object object;
    u8 priority;
    u8 queued; /* on the run queue */
    u8 spare[6];
    struct thread *thread;     /* animated now, or NULL: parked at home */
    struct thread *home;       /* whose THREAD_HOME slot names this, or NULL */
    struct sched *next, *prev; /* run queue of its priority, a ring */
    u64 ticks;
};
_Static_assert(sizeof(struct sched) <= 128, "size class");

struct sched *sched_boot(struct bank *bank, unsigned priority);

#endif
