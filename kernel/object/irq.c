/* SPDX-License-Identifier: MIT */
/*
 * Irq: an interrupt line.
 *
 * A line that fires was claimed by the kernel and stays silent until it is completed, so nothing
 * masks it: bits are set in the notification, and acknowledge completes it.  A line that nobody is
 * bound to is off.
 */
#include "kernel/object/irq.h"

#include "kernel/core/invoke.h"
#include "kernel/core/panic.h"
#include "kernel/core/platform.h"
#include "kernel/object/bank.h"
#include "kernel/object/notification.h"

#define OPERATIONS_OF   irq
#define OPERATIONS_FILE "lib/abi/irq.def"
#include "kernel/core/operations.h"

static struct irq *irq_lines[IRQ_LINES]; /* [k] the object of each line, or NULL */

static struct irq *irq_of(struct object *o)
{
    return container_of(o, struct irq, object);
}

/* Lock: alone. */
void irq_dispatch(unsigned line)
{
    struct irq *i = line < IRQ_LINES ? irq_lines[line] : NULL;

    if (!i || slot_is_empty(&i->notification)) { /* it fired while it was switched off */
        platform_irq_complete(line);
        return;
    }
    i->count++;
    notification_signal_bits(slot_object(&i->notification), i->bits);
}

/* Lock: alone. */
static void irq_unbind(struct irq *i)
{
    if (slot_is_empty(&i->notification))
        return;
    platform_irq_disable(i->line);
    slot_delete(&i->notification);
}

/* Lock: alone. */
bool irq_lost_notification(struct irq *i)
{
    irq_unbind(i);
    return true;
}

/* irq.bind(notification, bits).  Rights: CONTROL.  Lock: alone. */
static status_t irq_bind(struct object *o, struct invocation *inv)
{
    struct irq *i = irq_of(o);
    word_t number = inv_word(inv, 0), bits = inv_word(inv, 1);
    struct slot *n = inv_capability(inv, number, OBJ_notification, NOTIFICATION_SIGNAL);

    if (number && !n)
        return inv_fail(inv, ST_BAD_CAP, 0);
    if (number && bits == 0)
        return inv_fail(inv, ST_BAD_ARG, 1);

    irq_unbind(i);
    if (!number)
        return ST_OK;
    slot_derive(&i->notification, n, PLACE_IRQ_NOTIFICATION, slot_rights(n), n->badge);
    i->bits = bits;
    platform_irq_enable(i->line);
    return ST_OK;
}

/* irq.acknowledge().  Rights: CONTROL.  Lock: alone. */
static status_t irq_acknowledge(struct object *o, struct invocation *inv)
{
    struct irq *i = irq_of(o);

    if (slot_is_empty(&i->notification))
        return inv_fail(inv, ST_NOT_BOUND, 0);

    platform_irq_complete(i->line);
    inv_result(inv, i->count);
    return ST_OK;
}

/* bank.create(irq, line): by a capability to the bank with right DEVICE.  Lock: alone. */
static status_t irq_create(struct bank *bank, struct invocation *inv, const word_t args[3],
                           struct object **out)
{
    word_t line = args[0];
    struct irq *i;

    if (line == 0 || line >= IRQ_LINES)
        return inv_fail(inv, ST_BAD_ARG, 2);
    if (!(slot_rights(inv->slot) & BANK_DEVICE) || line > platform_irq_lines())
        return inv_fail(inv, ST_DENIED, 0);
    if (irq_lines[line])
        return inv_fail(inv, ST_BUSY, line);
    i = bank_alloc(bank, sizeof(*i));
    if (!i)
        return inv_fail(inv, ST_NO_SPACE, bank->limit - bank->used);

    object_init(&i->object, bank, OBJ_irq, sizeof(*i));
    i->line = line;
    irq_lines[line] = i;
    *out = &i->object;
    return ST_OK;
}

/* Lock: alone. */
static bool irq_destroy(struct object *o)
{
    struct irq *i = irq_of(o);

    irq_unbind(i);
    irq_lines[i->line] = NULL;
    return true;
}

/* Debug: Q1.  Lock: any. */
static void irq_check(const struct object *o)
{
    const struct irq *i = container_of(o, struct irq, object);

    assert(i->line > 0 && i->line < IRQ_LINES && irq_lines[i->line] == i); /* Q1 */
    assert(slot_is_empty(&i->notification) || i->bits != 0);
    slot_check(&i->notification); /* I6 */
}

static void irq_describe(const struct object *o, struct text *t)
{
    const struct irq *i = container_of(o, struct irq, object);

    text_printf(t, "irq: line %u, %lu interrupts%s", i->line, i->count,
                slot_is_empty(&i->notification) ? "" : ", bound");
}

const struct object_ops irq_ops = {
    .create = irq_create,
    .destroy = irq_destroy,
    .check = DEBUG_ONLY(irq_check),
    .describe = irq_describe,
    .operations = &irq_operations,
};
