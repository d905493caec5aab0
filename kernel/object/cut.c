/* SPDX-License-Identifier: MIT */
/*
 * Cut: unmapping any range of an address space, and giving any range other permissions.
 *
 * A range begins and ends where it likes.  A region that loses its head or its tail shrinks in
 * place, which needs no memory; one that goes on in two pieces needs a second region, which is made
 * before anything changes.  The pieces keep the mapping id, and their PTEs stay where they are, so a
 * thread that waits for a page only has to learn which piece it waits in.  Both work through what is
 * there: page-table nodes that exist, index entries that are in use.
 *
 * What a server hears of it needs a record, and whether there is room for one never decides whether a
 * client may unmap: without room the object's server is told to look for itself (served.c, RESYNC).
 * Refusing instead would let a server that takes few mappings keep its clients from shrinking them.
 */
#include "kernel/object/cut.h"

#include "arch/cpu.h"
#include "arch/mmu.h"
#include "arch/pte.h"
#include "kernel/core/panic.h"
#include "kernel/core/schedule.h"
#include "kernel/object/bank.h"
#include "kernel/object/served.h"
#include "lib/base/bits.h"

static u64 pages_of(const struct region *r)
{
    return (r->end - r->start) >> PAGE_SHIFT;
}

/* Page index in the object of an address inside the region. */
static u64 index_of(const struct region *r, u64 address)
{
    return r->first_page + ((address - r->start) >> PAGE_SHIFT);
}

/* --------------------------------------------------------------------------------- those who wait */

/* May a thread that waits with that access go on waiting? */
static bool still_allowed(const struct region *r, unsigned op)
{
    unsigned needed = op == ACCESS_STORE ? MAP_WRITE : op == ACCESS_LOAD ? MAP_READ : MAP_EXEC;

    return r->flags & needed;
}

struct waiters {
    struct region *region; /* of those concerned */
    struct region *to;     /* they wait in this one from now on */
    bool all;              /* wake all of them, not only those that may not have the page */
};

/* The first thread of a slot's waiters; NULL: nobody waits. */
static struct thread *waiters_of(u64 slot)
{
    return slot & SLOT_WAITING ? kva_from_paddr(paddr(slot & ~SLOT_WAITER_BITS)) : NULL;
}

/* Each thread that waits for this page through the region, and may not, faults again. */
static void wake_waiters(u64 *slot, u64 index, void *context)
{
    const struct waiters *w = context;
    struct thread *next;

    (void)index;
    for (struct thread *t = waiters_of(*slot); t; t = next) {
        next = slot_pointer(t->ticket.next_waiter);
        if (t->ticket.region != w->region ||
            (!w->all && still_allowed(w->region, t->ticket.access)))
            continue;
        served_cancel_wait(t);
        schedule_ready(t);
    }
}

static void move_waiters(u64 *slot, u64 index, void *context)
{
    const struct waiters *w = context;

    (void)index;
    for (struct thread *t = waiters_of(*slot); t; t = slot_pointer(t->ticket.next_waiter))
        if (t->ticket.region == w->region)
            t->ticket.region = w->to;
}

/* ------------------------------------------------------------------------------------ page tables */

struct changed {
    struct region *region;
    u64 count;
    u64 last; /* address */
};

static void clear_entry(u64 *pte, u64 page, void *context)
{
    struct changed *c = context;

    if (aspace_clear_pte(c->region, pte)) {
        c->count++;
        c->last = page << PAGE_SHIFT;
    }
}

/* One flush for all that changed. */
static void flush(const struct aspace *a, const struct changed *c, u64 pruned)
{
    if (pruned || c->count > 1)
        mmu_flush_asid(a->asid);
    else if (c->count == 1)
        mmu_flush_page(vaddr(c->last), a->asid);
}

/* Does any region overlap the page-table leaf that begins at `start`? */
static bool leaf_in_use(const struct aspace *a, u64 start)
{
    const struct region *r = region_find_next(a->region_root, start);

    return r && r->start < start + ASPACE_LEAF_SPAN;
}

/* Free the page-table nodes that only [start, end), where no region is any more, needed; how many
 * that were. */
static u64 prune_tables(struct aspace *a, u64 start, u64 end)
{
    u64 low = align_down(start, ASPACE_LEAF_SPAN), high = align_up(end, ASPACE_LEAF_SPAN);

    if (leaf_in_use(a, low))
        low += ASPACE_LEAF_SPAN;
    if (low < high && leaf_in_use(a, high - ASPACE_LEAF_SPAN))
        high -= ASPACE_LEAF_SPAN;
    if (low >= high)
        return 0;
    return radix_prune(&a->table, low >> PAGE_SHIFT, (high - low) >> PAGE_SHIFT);
}

/* --------------------------------------------------------------------------------------- removing */

/* Nobody waits for the pages of [start, end) through the region, and no PTE shows them, any more;
 * the caller flushes. */
static void hide_pages(struct region *r, u64 start, u64 end, struct changed *c)
{
    struct waiters w = {.region = r, .all = true};
    u64 npages = (end - start) >> PAGE_SHIFT;

    aspace_forget_hint(r->aspace);
    radix_for_each(&region_memory(r)->index, index_of(r, start), npages, wake_waiters, &w);
    radix_for_each(&r->aspace->table, start >> PAGE_SHIFT, npages, clear_entry, c);
}

/*
 * Lock: alone.  Frames stay where they are, in the object.  Freed page-table nodes are flushed after
 * they are free: that is in time because one hart runs and nothing here takes a frame in between;
 * with more harts they have to wait for the others' acknowledgement.
 */
void aspace_remove_region(struct aspace *a, struct region *r)
{
    struct changed changed = {.region = r};
    struct memory *m = region_memory(r);

    hide_pages(r, r->start, r->end, &changed);
    a->region_root = region_remove(a->region_root, r);
    a->regions--;
    flush(a, &changed, prune_tables(a, r->start, r->end));

    m->ops->on_unmapped(m, r, r->start, r->end);
    region_list_remove(m, r);
    slot_delete(&r->object);
    bank_free(r, sizeof(*r));
}

/* Slot hook (PLACE_REGION_OBJECT): the object dies, or its capability was revoked.  Lock: alone. */
void region_lost_object(struct region *r)
{
    aspace_remove_region(r->aspace, r);
}

/* The region goes on without its head or its tail [start, end).  Its place in the tree stays: it
 * only shrinks. */
static void remove_end(struct aspace *a, struct region *r, u64 start, u64 end)
{
    struct changed changed = {.region = r};
    struct memory *m = region_memory(r);

    hide_pages(r, start, end, &changed);
    if (start == r->start) {
        r->first_page = index_of(r, end);
        r->start = end;
    } else {
        r->end = start;
    }
    flush(a, &changed, prune_tables(a, start, end));
    m->ops->on_unmapped(m, r, start, end);
}

/* ---------------------------------------------------------------------------------------- cutting */

/* The region goes on in two: `upper`, fresh memory, becomes the part from `at` on. */
static struct region *cut(struct aspace *a, struct region *r, u64 at, struct region *upper)
{
    struct waiters w = {.region = r, .to = upper};
    struct memory *m = region_memory(r);

    assert(at > r->start && at < r->end);
    upper->start = at;
    upper->end = r->end;
    upper->first_page = index_of(r, at);
    upper->mapping_id = r->mapping_id;
    upper->pte_template = r->pte_template;
    upper->aspace = a;
    upper->flags = r->flags;
    upper->granted = r->granted;
    slot_derive(&upper->object, slot_from_number(r->object.parent), PLACE_REGION_OBJECT,
                slot_rights(&r->object), r->object.badge);
    r->end = at;
    region_list_add(m, upper);
    a->region_root = region_insert(a->region_root, upper);
    a->regions++;
    aspace_forget_hint(a);
    radix_for_each(&m->index, upper->first_page, pages_of(upper), move_waiters, &w);
    m->ops->on_split(m, r, upper);
    return upper;
}

/* Memory for `n` (at most two) regions; false: no room, nothing has changed. */
static bool make_regions(struct aspace *a, struct region *made[2], unsigned n)
{
    struct bank *bank = object_bank(&a->object);

    for (unsigned i = 0; i < n; i++) {
        made[i] = bank_alloc(bank, sizeof(struct region));
        if (!made[i]) {
            if (i)
                bank_free(made[0], sizeof(struct region));
            return false;
        }
    }
    return true;
}

status_t cut_unmap(struct aspace *a, u64 start, u64 end, u64 *removed, word_t *detail)
{
    struct region *r = region_find_next(a->region_root, start), *made[2];
    bool inside;

    if (!r || r->start >= end) {
        *detail = start;
        return ST_NOT_FOUND;
    }
    inside = r->start < start && r->end > end;
    if (inside && !make_regions(a, made, 1)) {
        *detail = 0;
        return ST_NO_SPACE;
    }

    /* commit: nothing below can fail */
    *removed = 0;
    if (inside)
        cut(a, r, end, made[0]);
    do {
        u64 from = MAX(r->start, start), to = MIN(r->end, end);

        *removed += to - from;
        if (from == r->start && to == r->end)
            aspace_remove_region(a, r);
        else
            remove_end(a, r, from, to);
        r = region_find_next(a->region_root, start);
    } while (r && r->start < end);
    return ST_OK;
}

/* ------------------------------------------------------------------------------------- protecting */

static u8 flags_after(const struct region *r, u8 flags)
{
    return flags | (r->flags & MAP_PRIVATE);
}

/* May the part [from, to) of the region have these permissions?  What it has it may keep. */
static bool may_have(const struct region *r, u64 from, u64 to, u8 flags, word_t *detail)
{
    const struct memory *m = region_memory(r);
    bool is_shared = !(r->flags & MAP_PRIVATE);
    u64 may = aspace_flags_of(slot_rights(&r->object), is_shared) & r->granted;
    struct mapping_info info;

    if (!(flags & ~r->flags))
        return true;
    if (m->ops->get_mapping_info_with(m, index_of(r, from) << PAGE_SHIFT, to - from, is_shared,
                                      &info) == ST_OK)
        may &= info.permissions;
    else
        may = 0;
    *detail = may;
    return !(flags & ~r->flags & ~may);
}

/* Check a protection; *cuts = how often a region will have to go on in two. */
static status_t check_protect(const struct aspace *a, u64 start, u64 end, u8 flags, unsigned *cuts,
                              word_t *detail)
{
    *cuts = 0;
    for (u64 at = start; at < end;) {
        const struct region *r = region_find(a->region_root, at);
        u64 to;

        if (!r) {
            *detail = at;
            return ST_NOT_FOUND;
        }
        to = MIN(r->end, end);
        if (!may_have(r, at, to, flags, detail))
            return ST_DENIED;
        if (flags_after(r, flags) != r->flags)
            *cuts += (at > r->start) + (to < r->end);
        at = to;
    }
    return ST_OK;
}

static void change_entry(u64 *pte, u64 page, void *context)
{
    struct changed *c = context;
    u64 template = c->region->pte_template, old = *pte;

    if (!pte_is_valid(template)) {
        clear_entry(pte, page, context);
        return;
    }
    if (!pte_is_valid(old))
        return;
    old = __atomic_exchange_n(pte, pte_make(pte_paddr(old), template), __ATOMIC_RELAXED);
    aspace_fold_pte(c->region, old);
    c->count++;
    c->last = page << PAGE_SHIFT;
}

/* The whole region has other permissions from now on. */
static void set_flags(struct region *r, u8 flags)
{
    struct waiters w = {.region = r};
    struct changed changed = {.region = r};
    struct memory *m = region_memory(r);
    u64 npages = pages_of(r);

    r->flags = flags;
    r->pte_template = pte_with_permissions(r->pte_template, flags);
    radix_for_each(&r->aspace->table, r->start >> PAGE_SHIFT, npages, change_entry, &changed);
    if (flags & MAP_EXEC)
        fence_i(); /* pages may have been written as data by this hart */
    flush(r->aspace, &changed, 0);
    radix_for_each(&m->index, r->first_page, npages, wake_waiters, &w);
    m->ops->on_protect(m, r);
}

status_t cut_protect(struct aspace *a, u64 start, u64 end, u8 flags, word_t *detail)
{
    struct region *made[2] = {NULL, NULL}, *r;
    unsigned cuts, used = 0;
    status_t status = check_protect(a, start, end, flags, &cuts, detail);

    if (status != ST_OK)
        return status;
    if (!make_regions(a, made, cuts)) {
        *detail = 0;
        return ST_NO_SPACE;
    }

    /* commit: nothing below can fail.  The upper cut comes first, so that what a server hears of the
     * lower one is the same whenever it hears. */
    for (u64 at = start; at < end; at = r->end) {
        r = region_find(a->region_root, at);
        if (flags_after(r, flags) == r->flags)
            continue;
        if (r->end > end)
            cut(a, r, end, made[used++]);
        if (r->start < at)
            r = cut(a, r, at, made[used++]);
        set_flags(r, flags_after(r, flags));
    }
    assert(used == cuts);
    return ST_OK;
}
