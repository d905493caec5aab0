/* SPDX-License-Identifier: MIT */
/*
 * Fork: an address space gets every mapping of another one; and the snapshot of a memory object, which
 * is the same for one object.
 *
 * A shared mapping maps the same object.  A private one shows what the parent's shows now: the pages
 * that the parent's mapping has of its own go to a hidden parent of both (link.h).  Where an object's
 * server has declared so, it says which object the child maps instead (fork_clone); the caller waits for
 * that as in a call, and starts again.  So nothing waits half done, and how far a fork has come is what
 * the child has.
 */
#include "kernel/object/fork.h"

#include "arch/cpu.h"
#include "kernel/object/bank.h"
#include "kernel/object/cut.h"
#include "kernel/object/link.h"
#include "kernel/object/private.h"

/* ---------------------------------------------------------------------------------------- snapshot */

/* May a copy of the range be made by who may map it privately to read? */
static bool may_copy(const struct memory *m, u64 offset, u64 length)
{
    struct mapping_info info;

    return m->ops->supports_mmap(m) && m->ops->supports_private_mmap(m) &&
           m->ops->get_mapping_info_with(m, offset, length, false, &info) == ST_OK &&
           (info.permissions & MAP_READ);
}

/* memory.snapshot.  Rights: READ.  Lock: alone.  Cost: per page and PTE of the object, once for all
 * snapshots between which nothing is stored. */
status_t memory_snapshot(struct object *o, struct invocation *inv)
{
    struct memory *m = memory_of(o), *copy;
    struct slot *bank_slot = inv_capability(inv, inv_word(inv, 0), OBJ_bank, BANK_CREATE), *slot;
    word_t number = inv_word(inv, 1), offset = inv_word(inv, 2), length = inv_word(inv, 3);
    struct bank *bank;
    status_t status = memory_check_range(m, offset, length, 2, &inv->detail);

    if (!bank_slot || (((struct object *)slot_object(bank_slot))->flags & OBJECT_DYING))
        return inv_fail(inv, ST_BAD_CAP, 0);
    if (status != ST_OK)
        return status;
    if (!is_aligned(length, PAGE_SIZE))
        return inv_fail(inv, ST_BAD_ARG, 3);
    if (length > (m->npages << PAGE_SHIFT) - offset)
        return inv_fail(inv, ST_PAST_END, m->npages << PAGE_SHIFT);
    bank = slot_object(bank_slot);
    slot = inv_destination(inv, number, &status);
    if (!slot)
        return inv_fail(inv, status, status == ST_OCCUPIED ? number : 1);
    if ((o->flags & OBJECT_DYING) || !may_copy(m, offset, length))
        return inv_fail(inv, ST_NOT_SUPPORTED, 0);
    copy = anon_make(bank, length);
    if (!copy)
        return inv_fail(inv, ST_NO_SPACE, bank_left(bank));
    status = link_clone(inv->slot, offset >> PAGE_SHIFT, length >> PAGE_SHIFT, copy);
    if (status != ST_OK) {
        object_doom(&copy->object);
        return inv_fail(inv, status, bank_left(bank));
    }
    slot_derive(slot, &copy->object.origin, PLACE_CSPACE, RIGHTS_ALL, 0);
    return ST_OK;
}

/* -------------------------------------------------------------------------------------------- fork */

/* A region like `r` in another space, of the object of the capability `object`.  Errors leave nothing. */
static status_t fork_region(struct region *r, struct aspace *child, struct slot *object,
                            word_t *detail)
{
    struct memory *m = memory_of(slot_object(object));
    struct bank *bank = object_bank(&child->object);
    struct region *copy = bank_alloc(bank, sizeof(*copy));
    status_t status = ST_OK;

    *detail = r->start;
    if (!copy)
        return ST_NO_SPACE;
    copy->start = r->start;
    copy->end = r->end;
    copy->first_page = r->first_page;
    copy->pte_template = r->pte_template;
    copy->aspace = child;
    copy->flags = r->flags;
    copy->granted = r->granted;
    if (r->node.owned)
        status = private_clone(r, copy);
    if (status == ST_OK) {
        word_t ignored;

        status = m->ops->prepare_map(m, copy, &ignored);
        if (status != ST_OK && copy->node.owned)
            private_drop(copy);
    }
    if (status != ST_OK) {
        bank_free(copy, sizeof(*copy));
        return status;
    }
    aspace_add_region(copy, object, slot_rights(&r->object) & slot_rights(object), r->object.badge);
    return ST_OK;
}

/* Where the child's last region ends; 0: it has none. */
static u64 last_end(const struct aspace *child)
{
    u32 number = child->region_root;

    while (number && region_at(number)->node.right)
        number = region_at(number)->node.right;
    return number ? region_at(number)->end : 0;
}

/* The next region of the parent.  WOULD_BLOCK: the caller waits for its object's server. */
static status_t fork_next(struct region *r, struct aspace *child, struct slot *answer,
                          struct thread *t, word_t *detail)
{
    struct memory *m = region_memory(r);
    struct slot *object = slot_from_number(r->object.parent);
    bool other = false;
    status_t status = m->ops->fork_clone(m, t, r, answer, &other);

    *detail = r->start;
    if (status != ST_OK)
        return status;
    status = fork_region(r, child, other ? answer : object, detail);
    if (other)
        slot_delete(answer); /* the mapping keeps it, or it is the server's again */
    return status;
}

status_t fork_regions(struct aspace *a, struct aspace *child, struct slot *answer,
                      struct invocation *inv)
{
    struct region *r;
    u64 at;

    while ((r = region_find_next(a->region_root, at = last_end(child))) != NULL) {
        status_t status;

        if (!cut_finish(a, r->start, r->end) || !cut_finish(child, 0, at))
            return inv_restart(inv);
        r = region_find_next(a->region_root, at);
        if (!r)
            break;
        if (r->start < at)
            return inv_fail(inv, ST_OVERLAP, r->start);
        status = fork_next(r, child, answer, inv->thread, &inv->detail);
        if (status == ST_WOULD_BLOCK) {
            inv->no_reply = true;
            return ST_OK;
        }
        if (status != ST_OK)
            return status;
        if (cpu_interrupt_pending())
            return inv_restart(inv);
    }
    inv_result(inv, child->regions);
    return ST_OK;
}
