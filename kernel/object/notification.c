/* SPDX-License-Identifier: MIT */
/*
 * Notification: a word of bits, set by signal, taken whole by wait or by the bound receiver.
 *
 * Signalling never waits and allocates nothing, so an interrupt can do it.  Bits go to the first
 * waiter, else to the bound thread if it is receiving, else they stay.
 */
#include "kernel/object/notification.h"

#include "kernel/core/invoke.h"
#include "kernel/core/ipc.h"
#include "kernel/core/panic.h"
#include "kernel/core/schedule.h"
#include "kernel/core/trace.h"
#include "kernel/object/bank.h"
#include "kernel/object/thread.h"

#define OPERATIONS_OF   notification
#define OPERATIONS_FILE "lib/abi/notification.def"
#include "kernel/core/operations.h"

static struct notification *notification_of(struct object *o)
{
    return container_of(o, struct notification, object);
}

/* The first waiter is off the queue and hears.  Lock: any. */
static void wake_first(struct notification *n, word_t tag, word_t word)
{
    struct thread *t = thread_of_wait(queue_first(&n->waiters));

    queue_remove(&n->waiters, &t->wait);
    t->waits_for = NULL;
    reply_words(t, tag, 0, &word, 1);
    schedule_ready(t);
}

/* Lock: any. */
void notification_signal_bits(struct notification *n, u64 bits)
{
    trace(signal, trace_object(&n->object), bits, 0);
    n->bits |= bits;
    if (n->bits == 0)
        return;
    bits = n->bits;
    if (!queue_is_empty(&n->waiters)) {
        n->bits = 0;
        wake_first(n, tag_make(MSG_REPLY, ST_OK, 1, 0), bits);
    } else if (n->receiver && n->receiver->state == THREAD_RECEIVING) {
        n->bits = 0;
        ipc_deliver_bits(n->receiver, bits);
    }
}

/* notification.signal(bits).  Rights: SIGNAL.  Lock: shared. */
static status_t notification_signal(struct object *o, struct invocation *inv)
{
    word_t bits = inv->slot->badge ? inv->slot->badge : inv_word(inv, 0);

    notification_signal_bits(notification_of(o), bits);
    return ST_OK;
}

/* notification.wait().  Rights: WAIT.  Lock: shared. */
static status_t notification_wait(struct object *o, struct invocation *inv)
{
    struct notification *n = notification_of(o);
    struct thread *t = inv->thread;

    if (n->bits) {
        inv_result(inv, n->bits);
        n->bits = 0;
        return ST_OK;
    }
    if (inv->tag & SYS_NONBLOCK)
        return inv_fail(inv, ST_WOULD_BLOCK, 0);

    inv->no_reply = true; /* it comes with the signal */
    schedule_block(t, THREAD_WAITING);
    t->waits_for = n;
    queue_push(&n->waiters, &t->wait, QNODE_WAITER);
    return ST_OK;
}

/* notification.bind(thread).  Rights: WAIT.  Lock: alone. */
static status_t notification_bind(struct object *o, struct invocation *inv)
{
    struct notification *n = notification_of(o);
    struct slot *slot = inv_capability(inv, inv_word(inv, 0), OBJ_thread, THREAD_CONTROL);
    struct thread *t;

    if (!slot)
        return inv_fail(inv, ST_BAD_CAP, 0);
    t = slot_object(slot);
    if (n->receiver || !slot_is_empty(&t->notification))
        return inv_fail(inv, ST_BUSY, 0);

    slot_derive(&t->notification, inv->slot, PLACE_THREAD_NOTIFICATION, slot_rights(inv->slot),
                inv->slot->badge);
    n->receiver = t;
    notification_signal_bits(n, 0);
    return ST_OK;
}

/* Lock: alone. */
void notification_unbind(struct thread *t)
{
    struct notification *n;

    if (slot_is_empty(&t->notification))
        return;
    n = slot_object(&t->notification);
    n->receiver = NULL;
    slot_delete(&t->notification);
}

/* bank.create(notification).  Lock: alone. */
static status_t notification_create(struct bank *bank, struct invocation *inv, const word_t args[3],
                                    struct object **out)
{
    struct notification *n = bank_alloc(bank, sizeof(*n));

    (void)args;
    if (!n)
        return inv_fail(inv, ST_NO_SPACE, bank->limit - bank->used);
    object_init(&n->object, bank, OBJ_notification, sizeof(*n));
    *out = &n->object;
    return ST_OK;
}

/* Lock: alone.  One waiter a step. */
static bool notification_destroy(struct object *o)
{
    struct notification *n = notification_of(o);

    assert(!n->receiver);
    if (queue_is_empty(&n->waiters))
        return true;
    wake_first(n, tag_make(MSG_REPLY, ST_CANCELLED, 1, 0), 0);
    return false;
}

/* Debug: N1 and N2.  Lock: any. */
static void notification_check(const struct object *o)
{
    const struct notification *n = container_of(o, struct notification, object);

    assert(queue_is_empty(&n->waiters) || n->bits == 0);                  /* N1 */
    assert(!n->receiver || slot_object(&n->receiver->notification) == n); /* N2 */
    assert(!n->receiver || n->receiver->state != THREAD_RECEIVING || n->bits == 0);
    for (const struct qnode *q = queue_first(&n->waiters); q; q = queue_next(q)) {
        const struct thread *t = container_of(q, struct thread, wait);
        assert(q->kind == QNODE_WAITER && t->state == THREAD_WAITING && t->waits_for == n);
    }
}

static void notification_describe(const struct object *o, struct text *t)
{
    const struct notification *n = container_of(o, struct notification, object);

    text_printf(t, "notification: bits 0x%lx%s%s", n->bits,
                queue_is_empty(&n->waiters) ? "" : ", waited for", n->receiver ? ", bound" : "");
}

const struct object_ops notification_ops = {
    .create = notification_create,
    .destroy = notification_destroy,
    .check = DEBUG_ONLY(notification_check),
    .describe = notification_describe,
    .operations = &notification_operations,
};
