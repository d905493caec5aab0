/* SPDX-License-Identifier: MIT */
/* budget.c: charging, holding and refilling contexts.  See budget.h. */
#include "kernel/core/budget.h"

#include "arch/timer.h"
#include "kernel/core/help.h"
#include "kernel/core/ipc.h"
#include "kernel/core/panic.h"
#include "kernel/core/schedule.h"
#include "kernel/object/endpoint.h"

/* The limited context that the hart runs, and since when; NULL: what runs has no limit. */
static struct sched *running; /* [h] */
static u64 since;             /* [h] */

static void charge(u64 now)
{
    u64 used = now - since;

    running->consumed += used;
    running->left -= MIN(used, running->left);
    since = now;
}

static void fill(struct sched *s, u64 when)
{
    s->left = s->budget;
    s->refill_at = clock_after(when, s->period);
}

static void cease(void)
{
    running = NULL;
    clock_set_end(CLOCK_NEVER);
}

/* Is there a handler who wants to hear that its own thread overran?  A thread that runs on what others
 * lent has done nothing wrong. */
static bool is_reported(const struct sched *s)
{
    const struct thread *t = s->thread;
    struct endpoint *e = t && t == s->home ? slot_object(&t->handler) : NULL;

    return (s->flags & SCHED_REPORT) && e && endpoint_is_served(e) && t->state == THREAD_READY;
}

/* Nothing is left before the period ends. */
static void hold(struct sched *s)
{
    struct thread *t = s->thread;

    schedule_set_ring(s, RING_HELD);
    clock_arm(&s->refill, TIMER_REFILL, s->refill_at);
    if (is_reported(s)) {
        if (!t->exit_full) /* it was in a system call: what that leaves zero */
            t->regs[30] = t->regs[31] = 0;
        exception_raise(t, ST_BUDGET, 0, 0);
    }
    schedule_rescue(s); /* whomever it animates now */
}

bool budget_switch(struct sched *s)
{
    u64 now;

    if (s && !s->limited)
        s = NULL;
    if (s == running)
        return false;
    now = timer_now();
    if (running) {
        charge(now);
        cease();
    }
    if (!s)
        return false;
    if (now >= s->refill_at)
        fill(s, now);
    if (s->left == 0) {
        hold(s);
        return true;
    }
    running = s;
    since = now;
    clock_set_end(clock_after(now, s->left));
    return false;
}

/* Lock: any. */
void budget_ended(u64 now)
{
    struct sched *s = running;

    if (!s) {
        cease();
        return;
    }
    charge(now);
    if (now >= s->refill_at)
        fill(s, now);
    if (s->left) {
        clock_set_end(clock_after(now, s->left));
        return;
    }
    cease();
    hold(s);
}

/* Lock: any.  The next period begins where this one ended, however late the timer. */
void budget_refill(struct sched *s, u64 when)
{
    fill(s, when);
    schedule_set_ring(s, RING(s->priority));
    if (s->thread)
        help_by(s->thread);
}

/* Lock: alone. */
void budget_set(struct sched *s, u64 budget_ns, u64 period_ns)
{
    if (s == running) {
        charge(timer_now());
        cease();
    }
    clock_disarm(&s->refill);
    s->budget_ns = budget_ns;
    s->period_ns = period_ns;
    s->budget = clock_units_down(budget_ns);
    s->period = clock_units(period_ns);
    s->refill_at = 0; /* it begins with a full budget when it next runs */
    schedule_set_limited(s, period_ns != 0);
    if (s->ring != RING(s->priority)) {
        schedule_set_ring(s, RING(s->priority));
        if (s->thread)
            help_by(s->thread);
    }
}

u64 budget_consumed(const struct sched *s)
{
    return clock_ns(s->consumed + (s == running ? timer_now() - since : 0));
}

u64 budget_left(const struct sched *s)
{
    u64 now, used;

    if (!s->limited)
        return 0;
    now = timer_now();
    used = s == running ? now - since : 0;
    return clock_ns(now >= s->refill_at && s->ring != RING_HELD ? s->budget
                                                                : s->left - MIN(used, s->left));
}

/* Lock: alone. */
void budget_forget(struct sched *s)
{
    if (s == running)
        cease();
    clock_disarm(&s->refill);
    schedule_set_limited(s, false);
}
