/* SPDX-License-Identifier: MIT */
/*
 * Scheduling context, as an object: made, changed, asked and destroyed here; what it does while
 * threads run is kernel/core/schedule.c.
 */
#include "kernel/object/sched.h"

#include "kernel/core/budget.h"
#include "kernel/core/invoke.h"
#include "kernel/core/panic.h"
#include "kernel/core/schedule.h"
#include "kernel/object/bank.h"
#include "kernel/object/thread.h"

#define OPERATIONS_OF   sched
#define OPERATIONS_FILE "lib/abi/sched.def"
#include "kernel/core/operations.h"

static struct sched *sched_of(struct object *o)
{
    return container_of(o, struct sched, object);
}

/* sched.set_priority(priority).  Rights: CONTROL.  Lock: alone. */
static status_t sched_set_priority(struct object *o, struct invocation *inv)
{
    word_t priority = inv_word(inv, 0);

    if (priority > PRIORITY_MAX)
        return inv_fail(inv, ST_BAD_ARG, 0);
    if (priority > sched_of(o)->ceiling)
        return inv_fail(inv, ST_DENIED, sched_of(o)->ceiling);

    schedule_set_priority(sched_of(o), priority);
    return ST_OK;
}

/* sched.query().  Rights: none.  Lock: shared. */
static status_t sched_query(struct object *o, struct invocation *inv)
{
    const struct sched *s = sched_of(o);

    inv_result(inv, s->priority);
    inv_result(inv, s->ticks);
    inv_result(inv, s->ceiling);
    inv_result(inv, s->budget_ns);
    inv_result(inv, s->period_ns);
    inv_result(inv, budget_consumed(s));
    inv_result(inv, budget_left(s));
    inv_result(inv, s->flags);
    return ST_OK;
}

/* sched.configure(budget, period, ceiling, flags).  Rights: LIMITS.  Lock: alone. */
static status_t sched_configure(struct object *o, struct invocation *inv)
{
    struct sched *s = sched_of(o);
    word_t budget = inv_word(inv, 0), period = inv_word(inv, 1);
    word_t ceiling = inv_word(inv, 2), flags = inv_word(inv, 3);

    if (budget > period || (period && budget < BUDGET_MIN_NS))
        return inv_fail(inv, ST_BAD_ARG, 0);
    if (period > PERIOD_MAX_NS)
        return inv_fail(inv, ST_BAD_ARG, 1);
    if (ceiling > PRIORITY_MAX)
        return inv_fail(inv, ST_BAD_ARG, 2);
    if (flags & ~(word_t)SCHED_REPORT)
        return inv_fail(inv, ST_BAD_ARG, 3);

    s->ceiling = (u8)ceiling;
    s->flags = (u8)flags;
    budget_set(s, budget, period);
    if (s->priority > ceiling)
        schedule_set_priority(s, (unsigned)ceiling);
    return ST_OK;
}

static struct sched *sched_make(struct bank *bank, unsigned priority)
{
    struct sched *s = bank_alloc(bank, sizeof(*s));

    if (!s)
        return NULL;
    object_init(&s->object, bank, OBJ_sched, sizeof(*s));
    s->priority = (u8)priority;
    s->ring = RING(priority);
    s->ceiling = PRIORITY_MAX;
    return s;
}

struct sched *sched_boot(struct bank *bank, unsigned priority)
{
    struct sched *s = sched_make(bank, priority);

    if (!s)
        panic("no room for the first scheduling context");
    return s;
}

/* bank.create(sched, priority).  Lock: alone. */
static status_t sched_create(struct bank *bank, struct invocation *inv, const word_t args[3],
                             struct object **out)
{
    struct sched *s;

    if (args[0] > PRIORITY_MAX)
        return inv_fail(inv, ST_BAD_ARG, 2);
    s = sched_make(bank, args[0]);
    if (!s)
        return inv_fail(inv, ST_NO_SPACE, bank->limit - bank->used);
    *out = &s->object;
    return ST_OK;
}

/* No capability is left, so it is nobody's home; it may still be lent.  Lock: alone. */
static bool sched_destroy(struct object *o)
{
    sched_vanish(sched_of(o));
    budget_forget(sched_of(o));
    return true;
}

/* Debug: C1 to C3.  Lock: any. */
static void sched_check(const struct object *o)
{
    const struct sched *s = container_of(o, struct sched, object);

    assert(s->queued == (s->thread && s->thread->state == THREAD_READY &&
                         !(s->thread->unusual & THREAD_IS_SUSPENDED)));         /* C1 */
    assert((s->ring == RING_HELD) == (timer_kind(&s->refill) == TIMER_REFILL)); /* C3 */
    assert(s->ring == RING_HELD || s->ring == RING(s->priority));
    assert(s->limited || s->ring != RING_HELD);
    assert(!s->thread || s->thread->sched == s); /* C2 */
    assert(!s->home || slot_object(&s->home->home) == s);
    assert(s->priority <= s->ceiling && s->ceiling <= PRIORITY_MAX);
}

static void sched_describe(const struct object *o, struct text *t)
{
    const struct sched *s = container_of(o, struct sched, object);

    text_printf(t, "sched: priority %u, %lu ticks, %s", s->priority, s->ticks,
                s->ring == RING_HELD ? "out of budget"
                : s->queued          ? "ready"
                : s->thread          ? "blocked"
                                     : "parked");
}

const struct object_ops sched_ops = {
    .create = sched_create,
    .destroy = sched_destroy,
    .check = DEBUG_ONLY(sched_check),
    .describe = sched_describe,
    .operations = &sched_operations,
};
