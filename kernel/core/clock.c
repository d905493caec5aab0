/* SPDX-License-Identifier: MIT */
/*
 * clock.c: the queue of timers and the moment for which the hart's timer is programmed.  See clock.h.
 *
 * The tempting other design, timers looked at by the tick, would make each wait up to 10 ms late.  A
 * tick that comes late does not make the next ones come early: the next is counted from now.
 */
#include "kernel/core/clock.h"

#include "arch/timer.h"
#include "kernel/core/budget.h"
#include "kernel/core/hart.h"
#include "kernel/core/ipc.h"
#include "kernel/core/panic.h"
#include "kernel/core/schedule.h"

#define NS_PER_SECOND 1000000000ul

static u64 counter_hz;  /* [I] */
static u64 tick_length; /* [I] in units of the counter */

static struct clock *own_clock(void)
{
    return &this_hart()->clock;
}

static struct timer *timer_of(struct tree_node *n)
{
    return container_of(n, struct timer, node);
}

static void program(struct clock *c, u64 when)
{
    c->programmed = when;
    timer_set(this_hart(), when);
}

/* K2, after `when` became due. */
static void bring_forward(struct clock *c, u64 when)
{
    if (when < c->programmed)
        program(c, when);
}

void clock_init(struct hart *h, u64 hz)
{
    counter_hz = MIN(MAX(hz, 1ul), NS_PER_SECOND);
    tick_length = MAX(hz * TICK_MS / 1000, 1ul);
    timer_init(h);
    h->clock = (struct clock){.tick = timer_now() + tick_length, .end = CLOCK_NEVER};
    h->clock.programmed = h->clock.tick;
    timer_set(h, h->clock.tick);
}

u64 clock_hz(void)
{
    return counter_hz;
}

/* Whole seconds apart, so that nothing exceeds 64 bits: hz and the remainder are at most 10^9. */
u64 clock_units(u64 ns)
{
    u64 rest = ns % NS_PER_SECOND * counter_hz;

    if (ns == CLOCK_NEVER)
        return CLOCK_NEVER;
    return ns / NS_PER_SECOND * counter_hz + (rest + NS_PER_SECOND - 1) / NS_PER_SECOND;
}

u64 clock_units_down(u64 ns)
{
    return ns / NS_PER_SECOND * counter_hz + ns % NS_PER_SECOND * counter_hz / NS_PER_SECOND;
}

u64 clock_ns(u64 units)
{
    u64 seconds = units / counter_hz;

    if (seconds >= CLOCK_NEVER / NS_PER_SECOND)
        return CLOCK_NEVER;
    return seconds * NS_PER_SECOND + units % counter_hz * NS_PER_SECOND / counter_hz;
}

/* Lock: any. */
void clock_arm(struct timer *t, enum timer_kind kind, u64 when)
{
    struct clock *c = own_clock();

    assert(timer_kind(t) == TIMER_OFF);
    t->node.spare[0] = (u8)kind;
    t->node.key = when;
    c->timers = tree_insert(c->timers, &t->node);
    c->count++;
    bring_forward(c, when);
}

/* Lock: any. */
void clock_disarm(struct timer *t)
{
    struct clock *c = own_clock();

    if (timer_kind(t) == TIMER_OFF)
        return;
    c->timers = tree_remove(c->timers, &t->node);
    c->count--;
    t->node.spare[0] = TIMER_OFF;
}

/* Lock: any. */
void clock_set_end(u64 when)
{
    struct clock *c = own_clock();

    c->end = when;
    bring_forward(c, when);
}

/* The first timer, if it is due, taken out of the queue. */
static struct timer *take_due(struct clock *c, u64 now)
{
    struct tree_node *first = tree_first(c->timers);

    if (!first || first->key > now)
        return NULL;
    c->timers = tree_remove(c->timers, first);
    c->count--;
    return timer_of(first);
}

static void fire(struct timer *t)
{
    enum timer_kind kind = timer_kind(t);

    t->node.spare[0] = TIMER_OFF;
    if (kind == TIMER_TIMEOUT)
        ipc_timed_out(container_of(t, struct thread, timeout));
    else
        budget_refill(container_of(t, struct sched, refill), t->node.key);
}

/* Lock: alone. */
bool clock_interrupt(void)
{
    struct clock *c = own_clock();
    u64 now = timer_now();
    bool ticks = now >= c->tick;
    struct tree_node *first;
    struct timer *t;

    if (ticks) {
        c->tick = now + tick_length;
        schedule_tick();
    }
    if (now >= c->end)
        budget_ended(now);
    for (unsigned i = 0; i < CLOCK_BATCH && (t = take_due(c, now)); i++)
        fire(t);
    first = tree_first(c->timers);
    program(c, MIN(MIN(c->tick, c->end), first ? first->key : CLOCK_NEVER));
    return ticks;
}

/* Lock: any. */
void clock_check(void)
{
    const struct clock *c = own_clock();
    const struct tree_node *first = tree_first(c->timers);

    assert(tree_check(c->timers) == c->count);
    assert(c->programmed <= c->tick && c->programmed <= c->end); /* K2 */
    assert(!first || c->programmed <= first->key);
    assert(!first || first->spare[0] != TIMER_OFF); /* K1 */
}
