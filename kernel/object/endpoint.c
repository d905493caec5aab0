/* SPDX-License-Identifier: MIT */
/*
 * Endpoint: where messages meet a receiver.
 *
 * It has no operations of its own: whatever is invoked on it is passed on (kernel/core/ipc.c), so
 * that an object and a server that stands for one look alike.  Here is only its life: who is bound
 * to it, and what happens when nobody is any more.
 */
#include "kernel/object/endpoint.h"

#include "kernel/core/help.h"
#include "kernel/core/invoke.h"
#include "kernel/core/ipc.h"
#include "kernel/core/panic.h"
#include "kernel/core/saved.h"
#include "kernel/core/schedule.h"
#include "kernel/object/bank.h"
#include "kernel/object/served.h"
#include "kernel/object/thread.h"

static struct endpoint *endpoint_of(struct object *o)
{
    return container_of(o, struct endpoint, object);
}

/* Lock: alone. */
void endpoint_bind(struct endpoint *e, struct slot *capability, struct thread *t)
{
    slot_derive(&t->endpoint, capability, PLACE_THREAD_ENDPOINT, slot_rights(capability),
                capability->badge);
    e->bound++;
    e->bound_sum += slot_number(t);
    e->deserted = false;
    help_endpoint(e);
}

/*
 * Everybody who waits at `e` hears that nobody is there: one of them, or one object with tickets, in
 * each step.  What is looked at and stays (objects with events for a successor) goes to the end and is
 * marked, so the sweep ends where it meets its own mark.  True: it has ended.
 */
static bool sweep_step(struct endpoint *e)
{
    struct qnode *n = queue_first(&e->attached);

    if (!ipc_fail_sender(e) || !ipc_fail_saved(e))
        return false;
    if (!n || n->mark == e->sweep)
        return true;
    if (!served_fail_one(container_of(n, struct served, attached))) {
        queue_remove(&e->attached, n);
        queue_push(&e->attached, n, QNODE_ATTACHED);
        n->mark = e->sweep;
    }
    return false;
}

/* Lock: alone. */
bool endpoint_unbind(struct thread *t)
{
    struct endpoint *e;

    if (slot_is_empty(&t->endpoint))
        return true;
    e = slot_object(&t->endpoint);
    ipc_stop_receiving(t, ST_CANCELLED);
    if (e->bound == 1) {
        if (!e->deserted) {
            e->deserted = true;
            e->sweep++;
        }
        if (!sweep_step(e))
            return false;
    }
    schedule_forget_stranded(t); /* after the sweep, which may take a context from it */
    e->bound--;
    e->bound_sum -= slot_number(t);
    slot_delete(&t->endpoint);
    help_endpoint(e);
    return true;
}

/* bank.create(endpoint).  Lock: alone. */
static status_t endpoint_create(struct bank *bank, struct invocation *inv, const word_t args[3],
                                struct object **out)
{
    struct endpoint *e = bank_alloc(bank, sizeof(*e));

    (void)args;
    if (!e)
        return inv_fail(inv, ST_NO_SPACE, bank->limit - bank->used);
    object_init(&e->object, bank, OBJ_endpoint, sizeof(*e));
    *out = &e->object;
    return ST_OK;
}

/* No capability is left, so nobody is bound and no object names it as its server.  Lock: alone. */
static bool endpoint_destroy(struct object *o)
{
    struct endpoint *e = endpoint_of(o);

    assert(e->bound == 0 && queue_is_empty(&e->receivers) && queue_is_empty(&e->stranded));
    assert(queue_is_empty(&e->attached) && !e->saved);
    e->deserted = true;
    return ipc_fail_sender(e);
}

/* Debug: E1 and E3, and the kinds on the queues.  Lock: any. */
static void endpoint_check(const struct object *o)
{
    const struct endpoint *e = container_of(o, struct endpoint, object);
    u64 bound = 0;
    u32 sum = 0;

    assert(queue_is_empty(&e->senders) || queue_is_empty(&e->receivers)); /* E1 */
    help_check(e);                                                        /* E3 */
    for (const struct qnode *n = queue_first(&e->senders); n; n = queue_next(n))
        assert(n->kind == QNODE_SENDER || n->kind == QNODE_SERVED);
    for (const struct qnode *n = queue_first(&e->receivers); n; n = queue_next(n))
        assert(n->kind == QNODE_RECEIVER);
    for (const struct qnode *n = queue_first(&e->stranded); n; n = queue_next(n))
        assert(n->kind == QNODE_STRANDED);
    for (const struct slot *s = &o->origin; s; s = slot_walk_next(&o->origin, s))
        if (slot_place(s) == PLACE_THREAD_ENDPOINT) {
            bound++;
            sum += slot_number(container_of(s, struct thread, endpoint));
        }
    assert(bound == e->bound && sum == e->bound_sum); /* E2 */
    saved_check(e);                                   /* E5 */
    for (const struct qnode *n = queue_first(&e->attached); n; n = queue_next(n))
        assert(n->kind == QNODE_ATTACHED &&
               slot_object(&container_of(n, struct served, attached)->server) == e); /* E4 */
}

static void endpoint_describe(const struct object *o, struct text *t)
{
    const struct endpoint *e = container_of(o, struct endpoint, object);

    text_printf(t, "endpoint: %u bound, %s", e->bound,
                !queue_is_empty(&e->senders)     ? "senders wait"
                : !queue_is_empty(&e->receivers) ? "receivers wait"
                                                 : "nobody waits");
}

const struct object_ops endpoint_ops = {
    .create = endpoint_create,
    .destroy = endpoint_destroy,
    .check = DEBUG_ONLY(endpoint_check),
    .describe = endpoint_describe,
    .operations = NULL, /* ipc.c takes every invocation before the table is asked for */
};
