/* SPDX-License-Identifier: MIT */
/*
 * Invocation: a system call on a kernel object, from the registers to the object's function.
 *
 * What every operation needs checked is checked here once, from the entry that its .def line made;
 * what only the object knows is checked by its function.  The reply is written before the objects
 * that lost their last capability are reaped, because the caller may be among them.
 */
#include "kernel/core/invoke.h"

#include "kernel/core/hart.h"
#include "kernel/core/panic.h"
#include "kernel/core/schedule.h"
#include "kernel/core/status.h"
#include "kernel/core/trap.h"
#include "kernel/object/cspace.h"

/* ------------------------------------------------------------------------------------- arguments */

static struct slot *caller_slot(const struct invocation *inv, word_t number)
{
    return cspace_slot(slot_object(&inv->thread->cspace), number);
}

/* Lock: any. */
struct slot *inv_lookup(const struct invocation *inv, word_t number)
{
    struct slot *s = caller_slot(inv, number);

    return s && !slot_is_empty(s) ? s : NULL;
}

/* Lock: any. */
struct slot *inv_destination(const struct invocation *inv, word_t number, status_t *status)
{
    struct slot *s = caller_slot(inv, number);

    if (!s || number == 0) {
        *status = ST_BAD_ARG;
        return NULL;
    }
    if (!slot_is_empty(s)) {
        *status = ST_OCCUPIED;
        return NULL;
    }
    return s;
}

/* Lock: any. */
struct slot *inv_capability(const struct invocation *inv, word_t number, enum object_type type,
                            unsigned rights)
{
    struct slot *s = caller_slot(inv, number);

    return s && slot_holds(s, type, rights) ? s : NULL;
}

/* --------------------------------------------------------------------------------------- replies */

/* A whole message in registers: words beyond n come back zero; t0-t4 are since the entry. */
static void put_registers(struct thread *t, word_t tag, word_t badge, const word_t *words,
                          unsigned n)
{
    unsigned i;

    for (i = 0; i < n && i < MESSAGE_REGISTERS; i++)
        t->regs[10 + i] = words[i];
    for (; i < MESSAGE_REGISTERS; i++)
        t->regs[10 + i] = 0;
    t->regs[16] = badge;
    t->regs[17] = tag;
}

/* Lock: any. */
void reply_words(struct thread *t, word_t tag, word_t badge, const word_t *words, unsigned n)
{
    put_registers(t, tag, badge, words, n);
    for (unsigned i = MESSAGE_REGISTERS; i < n; i++)
        t->buffer->words[i] = words[i];
}

/* Lock: any. */
void reply_status(struct thread *t, status_t status, word_t detail)
{
    unsigned n = status != ST_OK;

    put_registers(t, tag_make(MSG_REPLY, status, n, 0), 0, &detail, n);
}

/* ------------------------------------------------------------------------------------- invocation */

/* Is `status` one of the operation's ERR lines? */
static bool is_listed(const struct operation_table *table, unsigned operation, status_t status)
{
    for (unsigned i = 0; i < table->nerrors; i++) {
        if (table->errors[i].operation == operation && table->errors[i].status == status)
            return true;
    }
    return status == ST_OK;
}

/* Operation 0 of every type: no function, since all there is to know lies in the slot. */
static status_t identify(struct thread *t, const struct slot *slot, word_t *result)
{
    word_t words[3] = {slot_type(slot), slot_rights(slot), slot->badge};

    *result = words[0];
    put_registers(t, tag_make(MSG_REPLY, ST_OK, 3, 0), 0, words, 3);
    return ST_OK;
}

static status_t fail(struct thread *t, status_t status, word_t detail)
{
    reply_status(t, status, detail);
    return status;
}

/* Run the operation's function and write its reply, unless the caller waits or is gone. */
static status_t run(struct thread *t, struct slot *slot, word_t tag,
                    const struct operation_table *table, word_t *result)
{
    const struct operation *operation = &table->operations[tag_label(tag)];
    struct invocation inv; /* not initialised whole: `results` counts by nresults */
    unsigned type = slot_type(slot);
    status_t status;

    inv.thread = t;
    inv.slot = slot;
    inv.nwords = tag_nwords(tag);
    inv.tag = tag;
    inv.nresults = 0;
    inv.detail = 0;
    inv.no_reply = false;
    inv.restart = false;
    status = operation->fn(slot_object(slot), &inv);

    if (CONFIG_DEBUG && !is_listed(table, tag_label(tag), status))
        panic("%s.%s returned %s, which its definition does not list", object_type_name(type),
              operation->name, status_name(status));
    if (inv.restart) {
        if (this_hart()->thread == t)
            t->regs[0] -= 4; /* the ecall */
        return ST_WOULD_BLOCK;
    }
    *result = inv.nresults ? inv.results[0] : 0;
    if (inv.no_reply || this_hart()->thread != t)
        return status;
    if (status != ST_OK)
        return fail(t, status, inv.detail);
    if (tag_kind(tag) == SYS_REPLY_RECV) /* a message takes the place of the reply */
        return ST_OK;
    reply_words(t, tag_make(MSG_REPLY, ST_OK, inv.nresults, 0), 0, inv.results, inv.nresults);
    return ST_OK;
}

/* What the operation queued to die, dies before the caller goes on: now or, where an interrupt makes
 * somebody else run, when the caller's turn comes again (schedule_next).  Not where the caller itself is
 * gone; then it is done piece by piece (object_reap_some). */
static __attribute__((noinline)) void reap(struct thread *t)
{
    bool done = object_reap_fresh();

    while (!done && this_hart()->thread == t) {
        interrupts_take();
        if (schedule_pick() != t) {
            t->reaps = 1;
            return;
        }
        done = object_reap();
    }
}

/* Lock: alone (shared for operations that say so; both are one lock today).  Afterwards the caller
 * may wait, be stopped, or be gone: then hart->thread is not `t` any more, or `t` is not READY. */
status_t invoke_object(struct thread *t, struct slot *slot, word_t tag, word_t *result)
{
    const struct operation_table *table = object_ops_of(slot_type(slot))->operations;
    unsigned label = tag_label(tag), missing;
    const struct operation *operation = &table->operations[label];
    status_t status;

    *result = 0;
    if (label >= table->noperations || !operation->name)
        return fail(t, ST_BAD_OP, label);
    missing = operation->rights & ~slot_rights(slot);
    if (missing)
        return fail(t, ST_NO_RIGHT, missing);
    if (tag_nwords(tag) < operation->nargs || tag_nwords(tag) > MESSAGE_WORDS)
        return fail(t, ST_BAD_LENGTH, operation->nargs);
    if (label == 0)
        return identify(t, slot, result);

    status = run(t, slot, tag, table, result);
    if (objects_fresh)
        reap(t);
    return status;
}
