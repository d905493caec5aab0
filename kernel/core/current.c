/* SPDX-License-Identifier: MIT */
/*
 * current.c: what a hart was doing, in words, for a panic.
 *
 * Reads the same structures that may be the reason for the panic; a trap in here ends the report.
 */
#include "kernel/core/hart.h"
#include "kernel/core/invoke.h"
#include "kernel/core/panic.h"
#include "kernel/object/cspace.h"
#include "kernel/object/thread.h"

/* Registers of the system call, as long as no reply has been written over them. */
#define CALL_TAG(t)  ((t)->regs[17])
#define CALL_SLOT(t) ((t)->regs[16])

/* The slot that the call names; NULL: none, or an empty one. */
static const struct slot *call_slot(const struct thread *t)
{
    struct cspace *c = slot_is_empty(&t->cspace) ? NULL : slot_object(&t->cspace);
    struct slot *slot = c ? cspace_slot(c, CALL_SLOT(t)) : NULL;

    return slot && !slot_is_empty(slot) ? slot : NULL;
}

static const char *operation_name(const struct object_ops *ops, u32 number)
{
    const struct operation_table *table = ops->operations;

    if (!table || number >= table->noperations || !table->operations[number].name)
        return "?";
    return table->operations[number].name;
}

static void describe_call(const struct thread *t, struct text *out)
{
    static const char *const kinds[] = {"call", "send", "recv", "reply_recv", "yield"};
    unsigned kind = tag_kind(CALL_TAG(t));
    const struct slot *slot = call_slot(t);

    text_printf(out, "last system call: %s, slot %lu", kind < ARRAY_SIZE(kinds) ? kinds[kind] : "?",
                CALL_SLOT(t));
    if (slot) {
        const struct object_ops *ops = object_ops_of(slot_type(slot));
        text_printf(out, ": %s.%s on ", object_type_name(slot_type(slot)),
                    ops ? operation_name(ops, tag_label(CALL_TAG(t))) : "?");
        if (ops)
            ops->describe(slot_object(slot), out);
    }
    text_putc(out, '\n');
}

void current_describe(struct text *out)
{
    const struct thread *t = boot_hart.thread;

    thread_ops.describe(&t->object, out);
    text_puts(out, t->exit_full ? ", entered by a trap\n" : "\n");
    if (!t->exit_full)
        describe_call(t, out);
}
