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
 * A range may hold many pages, so the work goes in steps.  From the first one on the range is unmapped,
 * or has its new permissions, as far as anybody can tell who touches it; which entries are still to be
 * changed stands in the region (R4), and whoever comes next finishes it.  The tempting other way,
 * cutting the range into short ones, would tell its server of many small events where there was one.
 *
 * What a server hears of it needs a record, and whether there is room for one never decides whether a
 * client may unmap: without room the object's server is told to look for itself (served.c, RESYNC).
 * Refusing instead would let a server that takes few mappings keep its clients from shrinking them.
 *
 * The file is long because removing and protecting share the steps, and finish each other's.
 */
#include "kernel/object/cut.h"

#include "arch/cpu.h"
#include "arch/mmu.h"
#include "arch/pte.h"
#include "kernel/core/panic.h"
#include "kernel/core/schedule.h"
#include "kernel/core/trace.h"
#include "kernel/object/answer.h"
#include "kernel/object/bank.h"
#include "kernel/object/link.h"
#include "kernel/object/private.h"
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
    return slot & (SLOT_WAITING | SLOT_ASKED) ? served_first_waiter(slot) : NULL;
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
            (!w->all && still_allowed(w->region, t->ticket.access & FAULT_ACCESS_MASK)))
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

/* The slots where somebody who touches the range may wait. */
static void for_each_slot(const struct memory *m, u64 first, u64 count, radix_visit *visit,
                          void *context)
{
    if (m->links_out)
        link_for_each_slot(m, first, count, visit, context);
    else
        radix_for_each(&m->index, first, count, visit, context);
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

    if (aspace_clear_pte(pte)) {
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

/* Free the page-table leaf of that address, and what this leaves empty above it, if no region needs it
 * any more; how many nodes that were. */
static u64 prune_leaf(struct aspace *a, u64 address)
{
    u64 start = align_down(address, ASPACE_LEAF_SPAN);

    return leaf_in_use(a, start) ? 0 : radix_prune(&a->table, start >> PAGE_SHIFT, RADIX_ENTRIES);
}

/* -------------------------------------------------------------------------- work in several steps */

#define PAGES_PER_STEP 64u

/* Pages from the next to do on that have neither page table nor index, or 0. */
static u64 gap(const struct region *r, u64 page, u64 index)
{
    u64 no_table = radix_skip_gap(&r->aspace->table, page) - page;
    u64 no_index = radix_skip_gap(&region_memory(r)->index, index) - index;

    if (r->node.owned) {
        u64 own = private_index(region_private(r), page << PAGE_SHIFT);

        no_table = MIN(no_table, radix_skip_gap(&region_private(r)->index, own) - own);
    }
    return region_memory(r)->links_out ? 0 : MIN(no_table, no_index);
}

/* The next pages of unfinished work: `entry` for each PTE that is there, and `w` says who of those who
 * wait faults again. */
static void work_step(struct region *r, radix_visit *entry, struct changed *c, struct waiters *w)
{
    u64 page = (r->start >> PAGE_SHIFT) + r->work_at, index = r->first_page + r->work_at;
    u64 left = r->work_to - r->work_at;
    u64 n = left > PAGES_PER_STEP ? gap(r, page, index) : 0;

    if (n == 0) {
        n = MIN(left,
                PAGES_PER_STEP - page % PAGES_PER_STEP); /* so a step ends where a table does */
        for_each_slot(region_memory(r), index, n, wake_waiters, w);
        radix_for_each(&r->aspace->table, page, n, entry, c);
        if (w->all && r->node.owned)
            private_release(r, page << PAGE_SHIFT, (page + n) << PAGE_SHIFT);
    }
    r->work_at += (u32)MIN(left, n);
}

static void work_begin(struct region *r, enum region_work work, u64 from, u64 to)
{
    r->work = work;
    r->work_from = r->work_at = (u32)((from - r->start) >> PAGE_SHIFT);
    r->work_to = (u32)((to - r->start) >> PAGE_SHIFT);
    aspace_forget_hint(r->aspace);
}

/* --------------------------------------------------------------------------------------- removing */

/* The page table of the pages before work_at, where all of it has been hidden: freed if that is so. */
static u64 prune_behind(struct region *r)
{
    u64 page = (r->start >> PAGE_SHIFT) + r->work_at;
    u64 first = (r->start >> PAGE_SHIFT) + r->work_from;

    if (page % RADIX_ENTRIES != 0 || page - first < RADIX_ENTRIES)
        return 0;
    return radix_prune(&r->aspace->table, page - RADIX_ENTRIES, RADIX_ENTRIES);
}

/* Nobody waits for the next pages through the region, and no PTE shows them, any more; until all is done,
 * or an interrupt waits.  What has been hidden is flushed in either case. */
static __attribute__((noinline)) bool hide_in_steps(struct region *r, u64 from, u64 to)
{
    struct changed changed = {.region = r};
    struct waiters w = {.region = r, .all = true};
    u64 pruned = 0;

    if (r->work != REGION_HIDING)
        work_begin(r, REGION_HIDING, from, to);
    while (r->work_at < r->work_to) {
        work_step(r, clear_entry, &changed, &w);
        pruned += prune_behind(r);
        if (cpu_interrupt_pending())
            break;
    }
    flush(r->aspace, &changed, pruned);
    return r->work_at == r->work_to;
}

/* The same for [from, to), which is mostly short: then at once.  False: an interrupt waits. */
static inline bool hide(struct region *r, u64 from, u64 to)
{
    struct changed changed = {.region = r};
    struct waiters w = {.region = r, .all = true};
    u64 npages = (to - from) >> PAGE_SHIFT;

    if (npages > PAGES_PER_STEP || r->work == REGION_HIDING)
        return hide_in_steps(r, from, to);
    aspace_forget_hint(r->aspace);
    for_each_slot(region_memory(r), index_of(r, from), npages, wake_waiters, &w);
    radix_for_each(&r->aspace->table, from >> PAGE_SHIFT, npages, clear_entry, &changed);
    flush(r->aspace, &changed, 0);
    if (r->node.owned)
        private_release(r, from, to);
    return true;
}

/* The page tables at both ends of [start, end), where no region is any more. */
static void prune_ends(struct aspace *a, u64 start, u64 end)
{
    u64 pruned = prune_leaf(a, start);

    if (align_down(end - 1, ASPACE_LEAF_SPAN) > start)
        pruned += prune_leaf(a, end - 1);
    if (pruned)
        mmu_flush_asid(a->asid);
}

/*
 * Lock: alone.  Frames stay where they are, in the object.  Freed page-table nodes are flushed after
 * they are free: that is in time because one hart runs and nothing here takes a frame in between;
 * with more harts they have to wait for the others' acknowledgement.
 */
bool aspace_remove_region(struct aspace *a, struct region *r)
{
    struct memory *m = region_memory(r);

    if (r->work == REGION_HIDING && r->work_to - r->work_from != pages_of(r))
        r->work = REGION_WHOLE; /* only a part was to go: now all of it */
    if (!hide(r, r->start, r->end))
        return false;

    trace(unmap, r->start, r->end - r->start, trace_object(&m->object));
    a->region_root = region_remove(a->region_root, r);
    a->regions--;
    prune_ends(a, r->start, r->end);
    m->ops->on_unmapped(m, r, r->start, r->end);
    if (r->node.owned)
        private_drop(r);
    region_list_remove(m, r);
    slot_delete(&r->object);
    bank_free(r, sizeof(*r));
    return true;
}

/* Slot hook (PLACE_REGION_OBJECT): the object dies, or its capability was revoked.  Lock: alone. */
bool region_lost_object(struct region *r)
{
    return aspace_remove_region(r->aspace, r);
}

/* The region goes on without its head or its tail [start, end).  Its place in the tree stays: it
 * only shrinks. */
static bool remove_end(struct aspace *a, struct region *r, u64 start, u64 end)
{
    struct memory *m = region_memory(r);

    if (!hide(r, start, end))
        return false;
    trace(unmap, start, end - start, trace_object(&m->object));
    r->work = REGION_WHOLE;
    if (start == r->start) {
        r->first_page = index_of(r, end);
        r->start = end;
    } else {
        r->end = start;
    }
    prune_ends(a, start, end);
    m->ops->on_unmapped(m, r, start, end);
    return true;
}

/* Remove the part [from, to) of a region, which is not its middle. */
static bool remove_part(struct aspace *a, struct region *r, u64 from, u64 to)
{
    return from == r->start && to == r->end ? aspace_remove_region(a, r)
                                            : remove_end(a, r, from, to);
}

/* --------------------------------------------------------------------------- changing permissions */

/* An entry loses what it may not have any more, and gets read or exec at once.  Write it does not get
 * here: whether this page may be written now is the fault path's to say. */
static void change_entry(u64 *pte, u64 page, void *context)
{
    struct changed *c = context;
    u64 template = c->region->pte_template & ~(u64)PTE_W, old = *pte;

    if (!pte_is_valid(template)) {
        clear_entry(pte, page, context);
        return;
    }
    if (!pte_is_valid(old))
        return;
    old = __atomic_exchange_n(pte, pte_make(pte_paddr(old), template), __ATOMIC_RELAXED);
    aspace_fold_pte(old);
    c->count++;
    c->last = page << PAGE_SHIFT;
}

/* Go on giving the region's PTEs its permissions.  False: an interrupt waits; call it again. */
static bool change(struct region *r)
{
    struct changed changed = {.region = r};
    struct waiters w = {.region = r};
    struct memory *m = region_memory(r);

    while (r->work_at < r->work_to) {
        work_step(r, change_entry, &changed, &w);
        if (cpu_interrupt_pending())
            break;
    }
    flush(r->aspace, &changed, 0);
    if (r->work_at < r->work_to)
        return false;
    r->work = REGION_WHOLE;
    if (r->flags & MAP_EXEC)
        fence_i(); /* pages may have been written as data by this hart */
    m->ops->on_protect(m, r);
    return true;
}

/* ---------------------------------------------------------------------------------------- cutting */

/* The region goes on in two: `upper`, fresh memory, becomes the part from `at` on. */
static struct region *cut(struct aspace *a, struct region *r, u64 at, struct region *upper)
{
    struct waiters w = {.region = r, .to = upper};
    struct memory *m = region_memory(r);

    assert(at > r->start && at < r->end && r->work == REGION_WHOLE);
    upper->start = at;
    upper->end = r->end;
    upper->first_page = index_of(r, at);
    upper->mapping_id = r->mapping_id;
    upper->pte_template = r->pte_template;
    upper->aspace = a;
    upper->flags = r->flags;
    upper->granted = r->granted;
    private_share(r, upper);
    slot_derive(&upper->object, slot_from_number(r->object.parent), PLACE_REGION_OBJECT,
                slot_rights(&r->object), r->object.badge);
    r->end = at;
    region_list_add(m, upper);
    a->region_root = region_insert(a->region_root, upper);
    a->regions++;
    aspace_forget_hint(a);
    for_each_slot(m, upper->first_page, pages_of(upper), move_waiters, &w);
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

/* Addresses of the range that is worked on. */
static u64 work_start(const struct region *r)
{
    return r->start + ((u64)r->work_from << PAGE_SHIFT);
}
static u64 work_end(const struct region *r)
{
    return r->start + ((u64)r->work_to << PAGE_SHIFT);
}

/* Finish what somebody began on this region, which may be gone then.  False: an interrupt waits. */
static __attribute__((noinline)) bool finish(struct aspace *a, struct region *r)
{
    return r->work == REGION_CHANGING ? change(r) : remove_part(a, r, work_start(r), work_end(r));
}

/* The first region in [start, end); NULL: none. */
static inline struct region *first_in(const struct aspace *a, u64 start, u64 end)
{
    struct region *r = region_find_next(a->region_root, start);

    return r && r->start < end ? r : NULL;
}

/* Is the unfinished work of a region just what unmapping [start, end) wants? */
static bool is_such_work(const struct region *r, u64 start, u64 end)
{
    return r->work == REGION_HIDING && work_start(r) == MAX(r->start, start) &&
           work_end(r) == MIN(r->end, end);
}

/* *r, the first region in [start, end), is unfinished: finish what others began there, and what then
 * comes first.  False: an interrupt waits. */
static __attribute__((noinline)) bool clear_the_way(struct aspace *a, u64 start, u64 end,
                                                    struct region **r)
{
    while (*r && (*r)->work != REGION_WHOLE && !is_such_work(*r, start, end)) {
        if (!finish(a, *r))
            return false;
        *r = first_in(a, start, end);
    }
    return true;
}

bool cut_finish(struct aspace *a, u64 start, u64 end)
{
    u64 at = start, next;
    struct region *r;

    for (; (r = region_find_next(a->region_root, at)) != NULL && r->start < end; at = next) {
        next = r->end;
        if (r->work != REGION_WHOLE && !finish(a, r))
            return false;
    }
    return true;
}

status_t cut_unmap(struct aspace *a, u64 start, u64 end, u64 *removed, word_t *detail)
{
    struct region *r = first_in(a, start, end), *made[2];
    bool inside;

    if (r && r->work != REGION_WHOLE && !clear_the_way(a, start, end, &r))
        return ST_WOULD_BLOCK;
    if (!r) {
        *detail = start;
        return *removed ? ST_OK : ST_NOT_FOUND;
    }
    inside = r->start < start && r->end > end;
    if (inside && !make_regions(a, made, 1)) {
        *detail = 0;
        return ST_NO_SPACE;
    }

    /* commit: nothing below can fail */
    if (inside)
        cut(a, r, end, made[0]);
    do {
        u64 from = MAX(r->start, start), to = MIN(r->end, end);

        if (!remove_part(a, r, from, to))
            return ST_WOULD_BLOCK;
        *removed += to - from;
        r = first_in(a, start, end);
        if (r && r->work != REGION_WHOLE && !clear_the_way(a, start, end, &r))
            return ST_WOULD_BLOCK;
    } while (r);
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
        may &= info.permissions | MAP_PRIVATE;
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

/* The whole region has other permissions from now on.  False: an interrupt waits; call change. */
static bool set_flags(struct region *r, u8 flags)
{
    trace(protect, r->start, r->end - r->start, flags);
    r->flags = flags;
    r->pte_template = pte_with_permissions(r->pte_template, flags);
    work_begin(r, REGION_CHANGING, r->start, r->end);
    return change(r);
}

/* A region that was not to write gets pages of its own if it is to, or loses them again. */
static bool gets_private(const struct region *r, u8 flags)
{
    return region_copies(flags_after(r, flags)) && !r->node.owned;
}
static void take_private_back(struct region *r)
{
    private_drop(r);
    if (!memory_has_frames(region_memory(r)))
        r->pte_template &= ~(u64)PTE_FRAME;
}

/* Private regions that may write from now on get pages of their own; false: no room for all of them,
 * and nothing has changed.  What is made for the whole of a region serves its pieces. */
static bool make_private(struct aspace *a, u64 start, u64 end, u8 flags)
{
    struct region *r;
    u64 failed = end;

    for (u64 at = start; at < failed; at = r->end) {
        r = region_find(a->region_root, at);
        if (gets_private(r, flags) && !private_make(r))
            failed = at;
    }
    if (failed == end)
        return true;
    for (u64 at = start; at < failed; at = r->end) {
        r = region_find(a->region_root, at);
        if (!(r->flags & MAP_WRITE) && r->node.owned && private_is_empty(region_private(r)))
            take_private_back(r); /* an older one does no harm: it is made anew when it is needed */
    }
    return false;
}

status_t cut_protect(struct aspace *a, u64 start, u64 end, u8 flags, word_t *detail)
{
    struct region *made[2] = {NULL, NULL}, *r;
    unsigned cuts, used = 0;
    status_t status;

    if (!cut_finish(a, start, end))
        return ST_WOULD_BLOCK;
    status = check_protect(a, start, end, flags, &cuts, detail);
    if (status != ST_OK)
        return status;
    if (!make_regions(a, made, cuts)) {
        *detail = 0;
        return ST_NO_SPACE;
    }
    if (!make_private(a, start, end, flags)) {
        for (unsigned i = 0; i < cuts; i++)
            bank_free(made[i], sizeof(struct region));
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
        if (!set_flags(r, flags_after(r, flags))) {
            while (used < cuts)
                bank_free(made[used++], sizeof(struct region));
            return ST_WOULD_BLOCK;
        }
    }
    assert(used == cuts);
    return ST_OK;
}
