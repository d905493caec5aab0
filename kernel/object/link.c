/* SPDX-License-Identifier: MIT */
/*
 * Links: ranges of memory objects that stand for ranges of others; who sees a page through them; and
 * the hidden parents that copy-on-write makes and takes away again.
 *
 * A page has one frame in one slot, however many objects show it (I1), and an object that stands for
 * others has none of their frames.  The tempting other design, frames that several objects share with
 * a count, cannot say who else sees a page without a list for each page, and cannot say who pays.
 *
 * The file is long because links are followed in both directions, and what one direction may assume
 * the other has to keep.
 */
#include "kernel/object/link.h"

#include "arch/mmu.h"
#include "arch/pte.h"
#include "kernel/core/panic.h"
#include "kernel/object/answer.h"
#include "kernel/object/aspace.h"
#include "kernel/object/bank.h"
#include "kernel/object/private.h"
#include "lib/base/string.h"

static struct link *link_of(struct tree_node *n)
{
    return n ? container_of(n, struct link, node) : NULL;
}

static struct link *link_at(u32 number)
{
    return slot_pointer(number);
}

static bool link_covers(const struct link *l, u64 index)
{
    return index >= l->first && index - l->first < l->npages;
}

/* Lock: shared. */
struct link *link_find(const struct memory *m, u64 index)
{
    struct link *l = link_of(tree_at_or_before(m->links_out, index));

    return l && link_covers(l, index) ? l : NULL;
}

struct link *link_next(const struct memory *m, u64 index)
{
    struct link *l = link_find(m, index);

    return l ? l : link_of(tree_after(m->links_out, index));
}

/* ------------------------------------------------------------------------------ making and ending */

/* May the rank of `m` become `rank`?  Whoever stands for it has to stay above. */
static bool rank_fits(const struct memory *m, unsigned rank)
{
    if (rank <= m->rank)
        return true;
    if (rank > LINK_MAX_DEPTH)
        return false;
    for (const struct link *l = link_at(m->links_in); l; l = link_at(l->next))
        if (l->owner->rank <= rank)
            return false;
    return true;
}

/* Lock: alone. */
bool link_fits(const struct memory *m, const struct memory *target)
{
    return m != target && rank_fits(m, target->rank + 1u);
}

static void list_add(struct memory *target, struct link *l)
{
    l->prev = 0;
    l->next = target->links_in;
    if (l->next)
        link_at(l->next)->prev = slot_number(l);
    target->links_in = slot_number(l);
}

static void list_remove(struct memory *target, struct link *l)
{
    if (l->prev)
        link_at(l->prev)->next = l->next;
    else
        target->links_in = l->next;
    if (l->next)
        link_at(l->next)->prev = l->prev;
    l->next = l->prev = 0;
}

/* The link stands for another object from now on, by a capability made from `parent`. */
static void aim(struct link *l, struct slot *parent, u64 to)
{
    struct memory *target = memory_of(slot_object(parent));

    slot_derive(&l->target, parent, PLACE_LINK_TARGET, slot_rights(parent), parent->badge);
    l->to = to;
    list_add(target, l);
    l->owner->rank = MAX(l->owner->rank, target->rank + 1);
}

void link_attach(struct link *l, struct memory *m, u64 first, u64 npages, struct slot *target,
                 u64 to, enum link_mode mode)
{
    l->first = first;
    l->npages = npages;
    l->owner = m;
    l->mode = mode;
    m->links_out = tree_insert(m->links_out, &l->node);
    aim(l, target, to);
}

/* Lock: alone. */
void link_free(struct link *l)
{
    struct memory *m = l->owner, *target = link_target(l);

    m->links_out = tree_remove(m->links_out, &l->node);
    if (!m->links_out)
        m->rank = 0;
    if (target) {
        list_remove(target, l);
        slot_delete(&l->target);
    }
    bank_free(l, sizeof(*l));
}

/* ------------------------------------------------------------------------------------- following */

void link_follow(struct memory *m, u64 index, struct found *f)
{
    f->copier = NULL;
    f->writable = true;
    f->resident = f->lost = false;
    f->links = 0;
    for (;;) {
        struct link *l;

        assert(f->links <= LINK_MAX_DEPTH);
        f->owner = m;
        f->index = index;
        f->slot = memory_has_frames(m) && index < m->npages ? radix_find(&m->index, index) : NULL;
        if (f->slot && *f->slot) {
            f->resident = *f->slot & SLOT_RESIDENT;
            return;
        }
        l = m->links_out ? link_find(m, index) : NULL;
        if (!l)
            return;
        if (l->mode == LINK_COPY && !f->copier) {
            f->copier = m;
            f->copier_index = index;
        }
        if (l->mode == LINK_ALIAS && !(slot_rights(&l->target) & MEMORY_WRITE))
            f->writable = false;
        m = link_target(l);
        if (!m) {
            f->lost = true;
            return;
        }
        index = l->to + (index - l->first);
        f->links++;
    }
}

void link_follow_region(const struct region *r, u64 address, struct found *f)
{
    struct memory *own = region_private(r);
    u64 page = (address - r->start) >> PAGE_SHIFT, index = 0;

    if (own) {
        index = private_index(own, address);
        link_follow(own, index, f);
        if (f->resident || f->lost)
            return;
    }
    link_follow(region_memory(r), r->first_page + page, f);
    if (own) {
        f->copier = own;
        f->copier_index = index;
        f->links++;
    }
}

/* Recursion is bounded by LINK_MAX_DEPTH. */
void link_for_each_slot(const struct memory *m, u64 first, u64 count, radix_visit *visit,
                        void *context)
{
    if (memory_has_frames(m))
        radix_for_each(&m->index, first, count, visit, context);
    if (!m->links_out)
        return;
    for (struct link *l = link_next(m, first); l && l->first < first + count;
         l = link_next(m, l->first + l->npages)) {
        u64 from = MAX(first, l->first), end = MIN(first + count, l->first + l->npages);

        if (link_target(l))
            link_for_each_slot(link_target(l), l->to + (from - l->first), end - from, visit,
                               context);
    }
}

/* ----------------------------------------------------------------------------------------- views */

static void view_in(struct region *r, u64 address, paddr_t p, view_visit *visit, void *context)
{
    u64 *pte = radix_find(&r->aspace->table, address >> PAGE_SHIFT);

    if (pte && pte_is_valid(*pte) && pte_paddr(*pte).addr == p.addr)
        visit(r, pte, address, context);
}

/* Recursion is bounded by LINK_MAX_DEPTH. */
void view_each(const struct memory *m, u64 index, paddr_t p, view_visit *visit, void *context)
{
    if (m->private_of) {
        u64 address = private_address(m, index);
        struct region *r = region_find(m->private_of->region_root, address);

        if (r && region_private(r) == m)
            view_in(r, address, p, visit, context);
        return;
    }
    for (struct region *r = slot_pointer(m->region_list); r; r = slot_pointer(r->next)) {
        u64 page = index - r->first_page;

        if (index >= r->first_page && page < (r->end - r->start) >> PAGE_SHIFT)
            view_in(r, r->start + (page << PAGE_SHIFT), p, visit, context);
    }
    for (struct link *l = link_at(m->links_in); l; l = link_at(l->next))
        if (index >= l->to && index - l->to < l->npages)
            view_each(l->owner, l->first + (index - l->to), p, visit, context);
}

static void clear_view(struct region *r, u64 *pte, u64 address, void *context)
{
    (void)context;
    aspace_clear_pte(pte);
    mmu_flush_page(vaddr(address), r->aspace->asid);
}

void view_clear(const struct memory *m, u64 index, paddr_t p)
{
    view_each(m, index, p, clear_view, NULL);
}

static void clear_entry(u64 *pte, u64 page, void *context)
{
    (void)page;
    (void)context;
    aspace_clear_pte(pte);
}

/* No PTE shows anything as one of these pages of `m`: what is there is shown again when it is
 * touched.  Recursion is bounded by LINK_MAX_DEPTH. */
static void clear_range(const struct memory *m, u64 first, u64 count)
{
    if (m->private_of) {
        radix_for_each(&m->private_of->table, private_address(m, first) >> PAGE_SHIFT, count,
                       clear_entry, NULL);
        mmu_flush_asid(m->private_of->asid);
        return;
    }
    for (struct region *r = slot_pointer(m->region_list); r; r = slot_pointer(r->next)) {
        u64 npages = (r->end - r->start) >> PAGE_SHIFT;
        u64 from = MAX(first, r->first_page), end = MIN(first + count, r->first_page + npages);

        if (from >= end)
            continue;
        radix_for_each(&r->aspace->table, (r->start >> PAGE_SHIFT) + (from - r->first_page),
                       end - from, clear_entry, NULL);
        mmu_flush_asid(r->aspace->asid);
    }
    for (struct link *l = link_at(m->links_in); l; l = link_at(l->next)) {
        u64 from = MAX(first, l->to), end = MIN(first + count, l->to + l->npages);

        if (from < end)
            clear_range(l->owner, l->first + (from - l->to), end - from);
    }
}

/* Whoever waits here through a link faults again, and goes another way. */
static void retry_far(u64 *slot, u64 index, void *context)
{
    struct thread *next;

    (void)index;
    (void)context;
    if (!(*slot & (SLOT_WAITING | SLOT_ASKED)))
        return;
    for (struct thread *t = served_first_waiter(*slot); t; t = next) {
        next = slot_pointer(t->ticket.next_waiter);
        if (t->ticket.access & TICKET_FAR)
            served_retry_one(t);
    }
}

/* Lock: alone.  Cost: per slot in use and PTE of the range. */
void link_hide(struct link *l)
{
    if (link_target(l))
        link_for_each_slot(link_target(l), l->to, l->npages, retry_far, NULL);
    clear_range(l->owner, l->first, l->npages);
}

/* ------------------------------------------------------------------------------- pages of one's own */

/* A frame leaves the slot of one object for that of another one, paid by the bank of the latter; PTEs
 * stay as they are.  False: no room there, nothing has changed. */
static bool move_page(struct memory *from, u64 *slot, struct memory *to, u64 *to_slot, u64 index)
{
    struct frame *f = frame_of(paddr(*slot & ~SLOT_BITS));

    if (!bank_frame_move(f, object_bank(&to->object)))
        return false;
    f->owner = (u64)to;
    f->index = index;
    *to_slot = *slot;
    *slot = 0;
    from->resident--;
    to->resident++;
    return true;
}

/* Would anybody but the copier miss page `index` of `m`?  Recursion is bounded by LINK_MAX_DEPTH. */
static bool is_missed(const struct memory *m, u64 index, const struct found *f)
{
    for (const struct link *l = link_at(m->links_in); l; l = link_at(l->next)) {
        u64 at = l->first + (index - l->to);
        const u64 *slot;

        if (index < l->to || index - l->to >= l->npages)
            continue;
        if (l->owner == f->copier && at == f->copier_index)
            continue;
        slot = radix_find(&l->owner->index, at);
        if (slot && *slot)
            continue; /* it has its own */
        if (!l->owner->hidden || is_missed(l->owner, at, f))
            return true;
    }
    return false;
}

u64 *link_copy_page(const struct found *f, u64 *pte, status_t *status)
{
    struct memory *m = f->copier;
    struct bank *bank = object_bank(&m->object);
    u64 *to = radix_make(&m->index, f->copier_index, bank);
    const void *page;
    struct frame *copy;

    *status = ST_NO_SPACE;
    if (!to)
        return NULL;
    if (f->resident && f->owner->hidden && !is_missed(f->owner, f->index, f))
        return move_page(f->owner, f->slot, m, to, f->copier_index) ? to : NULL;
    copy = bank_frame_alloc(bank, 0);
    if (!copy)
        return NULL;
    page = f->resident ? kva_from_paddr(paddr(*f->slot & ~SLOT_BITS))
                       : f->owner->ops->resident_page(f->owner, f->index);
    if (!page) {
        bank_frame_free(copy, 0);
        *status = ST_DENIED;
        return NULL;
    }
    page_copy(frame_kva(copy), page);
    if (m->private_of)
        aspace_clear_pte(pte);
    else
        view_clear(m, f->copier_index, paddr_from_kva(page));
    memory_install(m, to, f->copier_index, copy);
    return to;
}

/* --------------------------------------------------------------------------------- hidden parents */

static void adopt_page(u64 *slot, u64 index, void *context)
{
    struct memory *hidden = context;
    struct frame *f = frame_of(paddr(*slot & ~SLOT_BITS));

    (void)index;
    if (!(*slot & SLOT_RESIDENT))
        return;
    f->owner = (u64)hidden;
    if (f->map_count)
        memory_protect_frame(hidden, f);
}

static void forget_hints(const struct memory *m)
{
    if (m->private_of)
        aspace_forget_hint(m->private_of);
    for (struct region *r = slot_pointer(m->region_list); r; r = slot_pointer(r->next))
        aspace_forget_hint(r->aspace);
}

struct memory *link_split(struct memory *m, bool *too_deep)
{
    struct bank *bank = object_bank(&m->object);
    struct memory *hidden;
    struct link *l;

    *too_deep = !rank_fits(m, m->rank + 1u);
    if (*too_deep)
        return NULL;
    l = bank_alloc(bank, sizeof(*l));
    hidden = l ? anon_make(bank, m->npages << PAGE_SHIFT) : NULL;
    if (!hidden) {
        if (l)
            bank_free(l, sizeof(*l));
        return NULL;
    }

    /* commit: nothing below can fail */
    hidden->hidden = true;
    hidden->index = m->index;
    hidden->resident = m->resident;
    hidden->links_out = m->links_out;
    hidden->rank = m->rank;
    for (struct link *k = link_next(m, 0); k; k = link_next(m, k->first + k->npages))
        k->owner = hidden;
    m->index.root = 0;
    m->resident = 0;
    m->links_out = 0;
    m->punched = false;
    link_attach(l, m, 0, m->npages, &hidden->object.origin, 0, LINK_COPY);
    forget_hints(m);
    radix_for_each(&hidden->index, 0, hidden->npages, adopt_page, hidden);
    return hidden;
}

/* A copy of the page at `slot`, or a hole for a hole, where `to` has nothing yet. */
struct copying {
    struct memory *to;
    u64 first; /* page of the object copied from that is page 0 of `to` */
    bool full; /* no room */
};

static void copy_page(u64 *slot, u64 index, void *context)
{
    struct copying *c = context;
    struct bank *bank = object_bank(&c->to->object);
    u64 *own;
    struct frame *f;

    if (c->full)
        return;
    own = radix_make(&c->to->index, index - c->first, bank);
    if (own && *own)
        return;
    if (own && !(*slot & SLOT_RESIDENT)) {
        *own = SLOT_HOLE;
        c->to->punched = true;
        return;
    }
    f = own ? bank_frame_alloc(bank, 0) : NULL;
    if (!f) {
        c->full = true;
        return;
    }
    page_copy(frame_kva(f), kva_from_paddr(paddr(*slot & ~SLOT_BITS)));
    memory_install(c->to, own, index - c->first, f);
}

/* A link of the whole object that is cut off from the start. */
static void attach_lost(struct link *l, struct memory *m)
{
    l->first = 0;
    l->npages = m->npages;
    l->owner = m;
    l->mode = LINK_COPY;
    m->links_out = tree_insert(m->links_out, &l->node);
}

/* Where a chain of copies is too long, a new one gets pages of its own: all that `m` and its hidden
 * parents have.  What lies below them is not theirs, and a link does for it. */
static status_t copy_all(struct memory *m, u64 first, u64 count, struct memory *to)
{
    struct copying c = {.to = to, .first = first};
    struct link *l, *below;

    for (;; m = link_target(l), c.first += l->to) {
        radix_for_each(&m->index, c.first, count, copy_page, &c);
        if (c.full)
            return ST_NO_SPACE;
        l = link_find(m, c.first);
        if (!l)
            return ST_OK;
        if (!link_target(l) || !link_target(l)->hidden)
            break;
    }
    below = bank_alloc(object_bank(&to->object), sizeof(*below));
    if (!below)
        return ST_NO_SPACE;
    if (link_target(l)) {
        link_attach(below, to, 0, count, slot_from_number(l->target.parent), l->to + c.first,
                    LINK_COPY);
    } else {
        attach_lost(below, to);
    }
    return ST_OK;
}

/* What `to` is to stand for: an object, by one of its capabilities, and the page of it that is page 0
 * of `to`. */
struct base {
    struct slot *slot;
    u64 first;
};

/* The object whose pages `m` shares with its copies from now on.  True clones need that nothing but a
 * store changes a page, which holds where pages begin as zeros; others are copied as they are stored
 * to.  OK with slot NULL: there is nothing to share. */
static status_t find_base(struct slot *from, u64 first, struct base *base, bool *too_deep)
{
    struct memory *m = memory_of(slot_object(from)), *hidden;
    struct link *l;

    *base = (struct base){from, first};
    *too_deep = false;
    if (!m->ops->zero_fill)
        return ST_OK;
    l = link_find(m, first);
    if (m->resident || m->punched) {
        hidden = link_split(m, too_deep);
        if (!hidden)
            return *too_deep ? ST_OK : ST_NO_SPACE;
        base->slot = &hidden->object.origin;
    } else if (l && link_target(l)) {
        *base = (struct base){slot_from_number(l->target.parent), l->to + (first - l->first)};
    } else {
        base->slot = NULL;
    }
    return ST_OK;
}

status_t link_clone(struct slot *from, u64 first, u64 count, struct memory *to)
{
    struct memory *m = memory_of(slot_object(from));
    struct bank *bank = object_bank(&to->object);
    struct link *l = bank_alloc(bank, sizeof(*l)), *lost = link_find(m, first);
    struct base base;
    bool too_deep;
    status_t status;

    if (!l)
        return ST_NO_SPACE;
    status = find_base(from, first, &base, &too_deep);
    if (status == ST_OK && base.slot && !too_deep)
        too_deep = !link_fits(to, memory_of(slot_object(base.slot)));
    if (status == ST_OK && !too_deep && base.slot) {
        link_attach(l, to, 0, count, base.slot, base.first, LINK_COPY);
        return ST_OK;
    }
    if (status == ST_OK && !too_deep && lost && lost->mode == LINK_COPY) {
        attach_lost(l, to);
        return ST_OK;
    }
    bank_free(l, sizeof(*l));
    if (status == ST_OK && too_deep)
        status = copy_all(m, first, count, to);
    return status;
}

/* ------------------------------------------------------------------ hidden parents that end */

#define MOVES_PER_STEP  64u /* pages */
#define COPIES_PER_STEP 8u

/* Pages that the owner of a link takes over from the hidden parent that it stands for. */
struct taking {
    struct link *link;
    struct memory *hidden;
    bool alone; /* nobody else needs them: pages move */
    bool full;  /* no room for one of them */
};

/* Is it, or a bank that it is made from, being destroyed? */
static bool is_ending(const struct object *o)
{
    for (const struct bank *bank; !(o->flags & OBJECT_DYING); o = &bank->object) {
        bank = object_bank(o);
        if (!bank)
            return false;
    }
    return true;
}

static void drop_page(struct memory *m, u64 *slot)
{
    struct frame *f = frame_of(paddr(*slot & ~SLOT_BITS));

    if (*slot & SLOT_RESIDENT) {
        assert(f->map_count == 0); /* whoever sees it would stand for it */
        m->resident--;
        bank_frame_free(f, 0);
    }
    *slot = 0;
}

static void take_page(u64 *slot, u64 index, void *context)
{
    struct taking *t = context;
    struct memory *m = t->link->owner;
    struct bank *bank = object_bank(&m->object);
    u64 at = t->link->first + (index - t->link->to);
    bool inside = index >= t->link->to && index - t->link->to < t->link->npages;
    u64 *own = inside ? radix_make(&m->index, at, bank) : NULL;
    struct frame *copy;

    if (!inside || (own && *own)) {
        if (t->alone)
            drop_page(t->hidden, slot);
    } else if (!own) {
        t->full = true;
    } else if (!(*slot & SLOT_RESIDENT)) {
        *own = SLOT_HOLE;
        m->punched = true;
        if (t->alone)
            *slot = 0;
    } else if (t->alone) {
        t->full |= !move_page(t->hidden, slot, m, own, at);
    } else if ((copy = bank_frame_alloc(bank, 0)) != NULL) {
        page_copy(frame_kva(copy), kva_from_paddr(paddr(*slot & ~SLOT_BITS)));
        view_clear(m, at, paddr(*slot & ~SLOT_BITS));
        memory_install(m, own, at, copy);
    } else {
        t->full = true;
    }
}

/* The hidden parent has nothing more for the owner of `l`, which stands for what that stood for. */
static void skip_parent(struct link *l)
{
    struct memory *hidden = link_target(l);
    struct link *below = link_find(hidden, l->to);
    u64 to = below ? below->to + (l->to - below->first) : 0;

    if (!below) {
        link_free(l);
        return;
    }
    list_remove(hidden, l);
    slot_delete(&l->target);
    l->taken = 0;
    l->owner->rank = 0; /* it has this link alone */
    if (link_target(below))
        aim(l, slot_from_number(below->target.parent), to);
}

enum take_result {
    TAKE_MORE, /* call it again */
    TAKE_DONE, /* the link stands for what its target stood for, or is gone */
    TAKE_FULL, /* no room in the owner's bank: what it has by now it keeps, the link stays */
};

/* A step: the owner of `l` takes over what its hidden target has.  `leaving`: a link of somebody who
 * needs nothing of it any more; NULL: none. */
static enum take_result take_step(struct link *l, const struct link *leaving)
{
    struct memory *hidden = link_target(l);
    struct taking t = {.link = l, .hidden = hidden, .alone = true};
    u64 at = radix_skip_gap(&hidden->index, l->taken), step;

    for (struct link *k = link_at(hidden->links_in); k; k = link_at(k->next))
        t.alone &= k == l || k == leaving;
    step = t.alone ? MOVES_PER_STEP : COPIES_PER_STEP;
    if (at < hidden->npages) {
        l->taken = align_down(at, step) + step;
        radix_for_each(&hidden->index, at, l->taken - at, take_page, &t);
        if (t.full)
            l->taken = 0;
        return t.full ? TAKE_FULL : TAKE_MORE;
    }
    skip_parent(l);
    return TAKE_DONE;
}

/* The only link to that hidden parent besides `l`, whose owner is no more; NULL: none, or several. */
static struct link *last_child(const struct memory *hidden, const struct link *l)
{
    struct link *first = link_at(hidden->links_in), *second = link_at(first->next);

    if (!second || second->next)
        return NULL;
    return first == l ? second : first;
}

/* A hidden parent with one child left is not needed any more: the child takes its pages over.  Without
 * room in its bank it stays a child. */
bool link_end_step(struct memory *m)
{
    struct link *l = link_of(tree_first(m->links_out)), *other = NULL;
    struct memory *target;

    if (!l)
        return true;
    target = link_target(l);
    if (target && target->hidden && !is_ending(&target->object))
        other = last_child(target, l);
    if (other && !is_ending(&other->owner->object) && take_step(other, l) == TAKE_MORE)
        return false;
    link_free(l);
    return m->links_out == 0;
}

bool link_lost_target(struct link *l)
{
    struct memory *target = link_target(l);

    if (l->mode == LINK_ALIAS) {
        link_hide(l);
        link_free(l);
        return true;
    }
    if (target->hidden && !is_ending(&l->owner->object)) {
        enum take_result result = take_step(l, NULL);

        if (result != TAKE_FULL)
            return result == TAKE_DONE;
    }
    link_hide(l);
    list_remove(target, l);
    slot_delete(&l->target);
    return true;
}

/* ------------------------------------------------------------------------------------ punching */

struct punching {
    struct memory *memory;
    u64 first; /* page of the memory that is page `to` of what is being walked */
    u64 to;
    bool full;
};

static void punch_page(u64 *slot, u64 index, void *context)
{
    struct punching *p = context;
    struct memory *m = p->memory;
    u64 *own = radix_make(&m->index, p->first + (index - p->to), object_bank(&m->object));

    (void)slot;
    if (!own)
        p->full = true;
    else if (*own == 0)
        *own = SLOT_HOLE;
}

bool link_punch(struct memory *m, u64 first, u64 count)
{
    struct punching p = {.memory = m, .first = first};
    const struct memory *at = m;
    u64 to = first;
    struct link *alias;

    while ((alias = link_next(m, first)) != NULL && alias->mode == LINK_ALIAS &&
           alias->first < first + count) {
        link_hide(alias);
        link_free(alias);
    }
    for (struct link *l; (l = link_find(at, to)) != NULL && link_target(l);) {
        to = l->to + (to - l->first);
        at = link_target(l);
        if (!at->hidden)
            break;
        m->punched = true;
        p.to = to;
        radix_for_each(&at->index, to, count, punch_page, &p);
    }
    clear_range(m, first, count);
    return !p.full;
}

/* ---------------------------------------------------------------------------------------- checks */

void link_check(const struct memory *m)
{
    u32 prev = 0;
    u64 end = 0;

    tree_check(m->links_out);
    for (struct link *l = link_next(m, 0); l; l = link_next(m, l->first + l->npages)) { /* L1 */
        assert(l->owner == m && l->first >= end && l->npages > 0);
        end = l->first + l->npages;
        assert(end <= m->npages);
        assert(link_target(l) || l->mode == LINK_COPY);            /* L2 */
        assert(!link_target(l) || m->rank > link_target(l)->rank); /* L3 */
    }
    assert(m->rank <= LINK_MAX_DEPTH && (m->links_out || m->rank == 0));
    for (const struct link *l = link_at(m->links_in); l; l = link_at(l->next)) { /* L2 */
        assert(link_target(l) == m && l->prev == prev);
        assert(l->to < m->npages && l->npages <= m->npages - l->to);
        prev = slot_number(l);
    }
    assert(!m->hidden || (m->regions == 0 && (m->links_in || is_ending(&m->object))));
}
