/* SPDX-License-Identifier: MIT */
/*
 * The clock: what is to happen when, for each hart one ordered queue and one programmed moment.
 *
 * Three things may be due: the tick (turns within a priority, ages of tickets), the end of the budget
 * of the context that runs, and timers.  The hart's timer is programmed for the first of them.  Time
 * is in units of the hart's counter inside the kernel and in nanoseconds outside.
 *
 * Reading the counter is slow on some boards: only what carries a timeout or a budget does.
 */
#ifndef KERNEL_CORE_CLOCK_H
#define KERNEL_CORE_CLOCK_H

#include "kernel/core/tree.h"

struct hart;

#define TICK_MS     10
#define CLOCK_BATCH 8 /* timers that one interrupt fires; the next comes at once for the others */
#define CLOCK_NEVER ~0ul /* a moment that does not come */

/* What a timer is part of, and who hears of it. */
enum timer_kind {
    TIMER_OFF,     /* in no queue */
    TIMER_TIMEOUT, /* struct thread, timeout: ipc_timed_out */
    TIMER_REFILL,  /* struct sched, refill: budget_refill */
};

/* Key = when.  32-byte aligned, as tree.h asks.  K1 kind == OFF <=> in no queue. */
struct timer {
    struct tree_node node;
};

/* K2 programmed <= tick, end and the first timer's key.  A moment programmed for what has been called
 * off since is not taken back: the interrupt then finds nothing due. */
struct clock {
    u64 tick;       /* [h] when the next is due */
    u64 end;        /* [h] of the running context's budget, or NEVER */
    u64 programmed; /* [h] */
    u32 timers;     /* [h] root of the queue */
    u32 count;      /* [h] timers in it */
};

static inline enum timer_kind timer_kind(const struct timer *t)
{
    return (enum timer_kind)t->node.spare[0];
}

/* Boot: start the tick.  hz: of the counter, 1 to 10^9. */
void clock_init(struct hart *h, u64 hz);
/* Units of the counter in a second. */
u64 clock_hz(void);

/* Nanoseconds in units of the counter, rounded up (NEVER is NEVER) and down; and back, rounded down. */
u64 clock_units(u64 ns);
u64 clock_units_down(u64 ns);
u64 clock_ns(u64 units);
/* `a` units after `when`, or NEVER. */
static inline u64 clock_after(u64 when, u64 a)
{
    return a > CLOCK_NEVER - when ? CLOCK_NEVER : when + a;
}

/* Put a timer, which is in no queue, into this hart's.  NEVER is allowed, and never comes.
 * Cost: the queue's height. */
void clock_arm(struct timer *t, enum timer_kind kind, u64 when);
/* Take it out; nothing if it is in none. */
void clock_disarm(struct timer *t);
/* The running context's budget ends then; NEVER: it has none. */
void clock_set_end(u64 when);

/* The timer interrupted.  True: there was a tick.  Cost: at most CLOCK_BATCH timers. */
bool clock_interrupt(void);

void clock_check(void); /* debug: K1, K2, the order */

#endif
