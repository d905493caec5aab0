/* SPDX-License-Identifier: MIT */
/*
 * Cspaces: the tables in which programs hold their capabilities.
 *
 * A table is plain memory of its bank; all that is in it is known to the capability tree, so
 * nothing points at a cspace that would have to be told when it goes.  Taking away the cspace or
 * the thread that one runs on is allowed: objects die after the operation (object_reap).
 */
#include "kernel/object/cspace.h"

#include "arch/cpu.h"
#include "kernel/core/invoke.h"
#include "kernel/core/panic.h"
#include "kernel/object/bank.h"

#define OPERATIONS_OF   cspace
#define OPERATIONS_FILE "lib/abi/cspace.def"
#include "kernel/core/operations.h"

#define CSPACE_BYTES 128

#define SLOTS_PER_STEP 64 /* of a table that is looked through */

static struct cspace *cspace_of(struct object *o)
{
    return container_of(o, struct cspace, object);
}

static size_t table_bytes(u64 nslots)
{
    return nslots * sizeof(struct slot);
}

/* ---- Birth and death --------------------------------------------------------------------------*/

/* A cspace with that zeroed table, which is given back if there is no room: NULL. */
static struct cspace *cspace_make(struct bank *bank, unsigned bits, struct slot *slots)
{
    struct cspace *c = slots ? bank_alloc(bank, CSPACE_BYTES) : NULL;

    if (c == NULL) {
        if (slots)
            bank_free(slots, table_bytes(1ul << bits));
        return NULL;
    }
    object_init(&c->object, bank, OBJ_cspace, CSPACE_BYTES);
    c->nslots = 1ul << bits;
    c->slots = slots;
    return c;
}

struct cspace *cspace_boot(struct bank *bank, unsigned bits)
{
    struct cspace *c = cspace_make(bank, bits, bank_alloc(bank, table_bytes(1ul << bits)));

    if (c == NULL)
        panic("cspace: no room for 2^%u slots", bits);
    return c;
}

/* bank.create(cspace, slot, bits).  Lock: alone.  Errors: see bank.def.  restartable: what has been
 * cleared of a large table waits in the bank. */
static status_t cspace_create(struct bank *bank, struct invocation *inv, const word_t args[3],
                              struct object **out)
{
    struct cspace *c;
    void *slots;

    if (args[0] < CSPACE_MIN_BITS || args[0] > CSPACE_MAX_BITS)
        return inv_fail(inv, ST_BAD_ARG, 2);
    if (!bank_alloc_slowly(bank, table_bytes(1ul << args[0]), &slots))
        return inv_restart(inv);
    c = cspace_make(bank, args[0], slots);
    if (c == NULL)
        return inv_fail(inv, ST_NO_SPACE, bank_left(bank));
    *out = &c->object;
    return ST_OK;
}

/* What was made from its capabilities stays, as children of what these were made from. */
static bool cspace_destroy(struct object *o)
{
    struct cspace *c = cspace_of(o);
    u64 end = MIN(c->emptied + SLOTS_PER_STEP, c->nslots);

    for (; c->emptied < end; c->emptied++) {
        struct slot *s = &c->slots[c->emptied];

        if (!slot_is_empty(s) && !slot_delete_step(s))
            return false;
    }
    if (c->emptied < c->nslots)
        return false;
    bank_free(c->slots, table_bytes(c->nslots));
    return true;
}

/* ---- Operations -------------------------------------------------------------------------------*/

/* A slot that a program named: not slot 0, which stands for "none", and inside; else NULL. */
static struct slot *named_slot(struct object *o, word_t number)
{
    return number ? cspace_slot(cspace_of(o), number) : NULL;
}

/* The argument (slot): a full one. */
static status_t full_slot(struct object *o, struct invocation *inv, struct slot **s)
{
    word_t number = inv_word(inv, 0);

    *s = named_slot(o, number);
    if (*s == NULL)
        return inv_fail(inv, ST_BAD_ARG, 0);
    return slot_is_empty(*s) ? inv_fail(inv, ST_NOT_FOUND, number) : ST_OK;
}

/* The arguments (slot, from, from_slot): an empty slot of this cspace and a full one of that. */
static status_t transfer_slots(struct object *o, struct invocation *inv, struct slot **to,
                               struct slot **from)
{
    const word_t args[3] = {inv_word(inv, 0), inv_word(inv, 1), inv_word(inv, 2)};
    struct slot *source;

    *to = named_slot(o, args[0]);
    if (*to == NULL)
        return inv_fail(inv, ST_BAD_ARG, 0);
    source = inv_capability(inv, args[1], OBJ_cspace, CSPACE_EDIT);
    if (source == NULL)
        return inv_fail(inv, ST_BAD_CAP, 1);
    *from = named_slot(slot_object(source), args[2]);
    if (*from == NULL)
        return inv_fail(inv, ST_BAD_ARG, 2);
    if (!slot_is_empty(*to))
        return inv_fail(inv, ST_OCCUPIED, args[0]);
    if (slot_is_empty(*from))
        return inv_fail(inv, ST_NOT_FOUND, args[2]);
    return ST_OK;
}

/*
 * cspace.copy(slot, from, from_slot, rights): a child with the rights both have.  Rights: EDIT, and
 * EDIT on `from`.  Lock: alone.  Errors: see cspace.def.  On error nothing has changed.
 */
static status_t cspace_copy(struct object *o, struct invocation *inv)
{
    word_t rights = inv_word(inv, 3);
    struct slot *to, *from;
    status_t status = transfer_slots(o, inv, &to, &from);

    if (status != ST_OK)
        return status;

    slot_derive(to, from, PLACE_CSPACE, rights & slot_rights(from), from->badge);
    return ST_OK;
}

/*
 * cspace.mint(slot, from, from_slot, rights, badge): as copy, with a badge.  A badge is what a
 * server knows its client by, so one that is set stays.  Rights, lock, errors: as copy.
 */
static status_t cspace_mint(struct object *o, struct invocation *inv)
{
    word_t rights = inv_word(inv, 3);
    word_t badge = inv_word(inv, 4);
    struct slot *to, *from;
    status_t status = transfer_slots(o, inv, &to, &from);

    if (status != ST_OK)
        return status;
    if (from->badge != 0)
        return inv_fail(inv, ST_DENIED, 0);

    slot_derive(to, from, PLACE_CSPACE, rights & slot_rights(from), badge);
    return ST_OK;
}

/* Empty a slot whose children find a new place; or be called again. */
static status_t empty_slot(struct invocation *inv, struct slot *s)
{
    while (!slot_delete_step(s)) {
        if (cpu_interrupt_pending())
            return inv_restart(inv);
    }
    return ST_OK;
}

/*
 * cspace.move(slot, from, from_slot).  Rights, lock, errors: as copy.
 * restartable: after the first step the capability is at its new place, and what it left behind, with
 * children still to come after it, is its own child and marked.
 */
static status_t cspace_move(struct object *o, struct invocation *inv)
{
    struct slot *to, *from;
    status_t status = transfer_slots(o, inv, &to, &from);
    bool begun = status == ST_OCCUPIED && slot_place(from) == PLACE_LEAVING &&
                 from->parent == slot_to_number(to);

    if (status != ST_OK && !begun)
        return status;

    if (!begun)
        slot_move_begin(to, from, PLACE_CSPACE);
    return empty_slot(inv, from);
}

/* cspace.delete(slot).  Rights: EDIT.  Lock: alone.  Errors: see cspace.def.  restartable: a slot that
 * is not empty yet has fewer children. */
static status_t cspace_delete(struct object *o, struct invocation *inv)
{
    struct slot *s;
    status_t status = full_slot(o, inv, &s);

    return status == ST_OK ? empty_slot(inv, s) : status;
}

/*
 * cspace.revoke(slot): take away all that was made from the capability there, wherever it is.  Rights:
 * EDIT.  Lock: alone.  Errors: see cspace.def.  restartable: the slot stays, with less below it.
 *
 * If the caller's own cspace or thread is among it, nobody is left to go on.
 */
static status_t cspace_revoke(struct object *o, struct invocation *inv)
{
    struct slot *s;
    status_t status = full_slot(o, inv, &s);

    if (status != ST_OK)
        return status;

    while (!slot_revoke_step(s)) {
        if (cpu_interrupt_pending())
            return inv_restart(inv);
    }
    return ST_OK;
}

/* cspace.query(slot): type (0 = empty), rights, badge.  Rights: none.  Lock: alone. */
static status_t cspace_query(struct object *o, struct invocation *inv)
{
    const struct slot *s = named_slot(o, inv_word(inv, 0));

    if (s == NULL)
        return inv_fail(inv, ST_BAD_ARG, 0);
    inv_result(inv, slot_type(s));
    inv_result(inv, slot_rights(s));
    inv_result(inv, s->badge);
    return ST_OK;
}

/* ---- The table --------------------------------------------------------------------------------*/

static void cspace_check(const struct object *o)
{
    const struct cspace *c = container_of(o, struct cspace, object);

    assert(is_power_of_two(c->nslots) && slot_is_empty(&c->slots[0]));
    for (u64 i = 0; i < c->nslots; i++) {
        slot_check(&c->slots[i]);
        assert(slot_is_empty(&c->slots[i]) || slot_place(&c->slots[i]) == PLACE_CSPACE ||
               slot_place(&c->slots[i]) == PLACE_LEAVING);
    }
}

static void cspace_describe(const struct object *o, struct text *t)
{
    const struct cspace *c = container_of(o, struct cspace, object);
    u64 full = 0;

    for (u64 i = 0; i < c->nslots; i++)
        full += !slot_is_empty(&c->slots[i]);
    text_printf(t, "cspace: %lu of %lu slots full", full, c->nslots);
}

const struct object_ops cspace_ops = {
    .create = cspace_create,
    .destroy = cspace_destroy,
    .check = DEBUG_ONLY(cspace_check),
    .describe = cspace_describe,
    .operations = &cspace_operations,
};
