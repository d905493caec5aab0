/* SPDX-License-Identifier: MIT */
/*
 * Scheduling context, as an object: made, changed, asked and destroyed here; what it does while
 * threads run is kernel/core/schedule.c.
 */
#include "kernel/object/sched.h"

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

    schedule_set_priority(sched_of(o), priority);
    return ST_OK;
}

/* sched.query().  Rights: none.  Lock: shared. */
static status_t sched_query(struct object *o, struct invocation *inv)
{
    inv_result(inv, sched_of(o)->priority);
    inv_result(inv, sched_of(o)->ticks);
    return ST_OK;
}

static struct sched *sched_make(struct bank *bank, unsigned priority)
{
    struct sched *s = bank_alloc(bank, sizeof(*s));

    if (!s)
        return NULL;
    object_init(&s->object, bank, OBJ_sched, sizeof(*s));
    s->priority = priority;
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
    return true;
}

/* Debug: C1 and C2.  Lock: any. */
static void sched_check(const struct object *o)
{
    const struct sched *s = container_of(o, struct sched, object);

    assert(s->queued == (s->thread && s->thread->state == THREAD_READY)); /* C1 */
    assert(!s->thread || s->thread->sched == s);                          /* C2 */
    assert(!s->home || slot_object(&s->home->home) == s);
    assert(s->priority <= PRIORITY_MAX);
}

static void sched_describe(const struct object *o, struct text *t)
{
    const struct sched *s = container_of(o, struct sched, object);

    text_printf(t, "sched: priority %u, %lu ticks, %s", s->priority, s->ticks,
                s->queued   ? "ready"
                : s->thread ? "blocked"
                            : "parked");
}

const struct object_ops sched_ops = {
    .create = sched_create,
    .destroy = sched_destroy,
    .check = sched_check,
    .describe = sched_describe,
    .operations = &sched_operations,
};
