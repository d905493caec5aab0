/* SPDX-License-Identifier: MIT */
/*
 * Budgets: how long a context may run in each period.
 *
 * A period begins when the context runs and the last one is over; the budget is full then.  Whoever
 * uses it up before the period ends is held, on a ring of the run queue that nobody runs from, until
 * it ends (a timer), or its thread's handler hears (SCHED_REPORT).  Time is read when a limited
 * context begins or ceases to run, and nowhere else: a call or a fault changes no context.
 */
#ifndef KERNEL_CORE_BUDGET_H
#define KERNEL_CORE_BUDGET_H

#include "kernel/object/sched.h"

/* `s` (or nothing: NULL) is about to run, in place of what ran before.  True: it had nothing left and
 * is held now; pick again.  Lock: any. */
bool budget_switch(struct sched *s);

/* From the clock: the running context's budget has ended; that context's period has. */
void budget_ended(u64 now);
void budget_refill(struct sched *s, u64 when);

/* Give it this budget for each period, in nanoseconds (period 0: no limit), full from now on. */
void budget_set(struct sched *s, u64 budget_ns, u64 period_ns);
/* Nanoseconds it has consumed while it was limited, and has left. */
u64 budget_consumed(const struct sched *s);
u64 budget_left(const struct sched *s);
/* The context goes away. */
void budget_forget(struct sched *s);

#endif
