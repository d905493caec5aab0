/* SPDX-License-Identifier: MIT */
/*
 * The fault path: from a trapped access to a mapped page, a ticket, or an exception.
 *
 * What to do is decided from region and page state, never from the PTE's valid bit: hardware that
 * does not set A and D traps on valid entries, and a fault may find the page mapped by the time it
 * runs.  Everything that an answer will need (page-table and index nodes) is made here, before
 * anything waits, so that answering allocates nothing.
 */
#include "kernel/core/fault.h"

#include "arch/cpu.h"
#include "arch/mmu.h"
#include "arch/pte.h"
#include "kernel/core/counters.h"
#include "kernel/core/ipc.h"
#include "kernel/core/panic.h"
#include "kernel/core/schedule.h"
#include "kernel/core/trace.h"
#include "kernel/object/bank.h"
#include "kernel/object/link.h"
#include "kernel/object/private.h"
#include "lib/base/string.h"

static bool access_allowed(const struct region *r, unsigned op)
{
    static const u8 needs[] = {
        [ACCESS_LOAD] = MAP_READ, [ACCESS_STORE] = MAP_WRITE, [ACCESS_INSTRUCTION] = MAP_EXEC};
    return r->flags & needs[op];
}

/* Make a page of the region visible at its PTE.  `p` is the page; map_count is the caller's.  A load
 * may fault on a PTE that is there (hardware that does not set A; a stale entry of the TLB; a second
 * waiter of the space): it must not take back the D of a store before it. */
static void install_pte(const struct region *r, u64 *pte, paddr_t p, unsigned op, u64 vaddr_page)
{
    *pte = aspace_pte(r, p, true, op == ACCESS_STORE) | (*pte & PTE_D);
    if (r->flags & MAP_EXEC)
        fence_i(); /* the page may have been written as data by this hart */
    mmu_flush_page(vaddr(vaddr_page),
                   r->aspace->asid); /* the spec lets a hart cache invalid PTEs */
    trace(page_shown, vaddr_page, *pte, trace_object(slot_object(&r->object)));
}

/* Show the resident page of `slot` at `pte`, counting it if it was not shown there before. */
static void show_frame(const struct region *r, u64 *pte, u64 slot, unsigned op, u64 vaddr_page)
{
    paddr_t p = paddr(slot & ~SLOT_BITS);

    if (!(*pte & PTE_V))
        frame_of(p)->map_count++;
    install_pte(r, pte, p, op, vaddr_page);
}

/* The same for a page that is to be shown without write, whatever the region allows.  Lock: shared,
 * as for all that follows. */
static __attribute__((noinline, cold)) void show_read_only(const struct region *r, u64 *pte,
                                                           u64 slot, u64 vaddr_page)
{
    struct region less = *r;

    less.pte_template &= ~(u64)PTE_W;
    show_frame(&less, pte, slot, ACCESS_LOAD, vaddr_page);
}

/* The page is there, and asks before a write.  False: that is what this access is. */
static __attribute__((noinline, cold)) bool show_protected(const struct fault_place *place,
                                                           const struct access *access)
{
    const struct memory *m = region_memory(place->region);
    u32 may = m->ops->fault_page_permissions(m, access, *place->slot, place->region->flags);

    if (access->op == ACCESS_STORE && !(may & MAP_WRITE))
        return false;
    show_read_only(place->region, place->pte, *place->slot, access->vaddr & ~PAGE_MASK);
    return true;
}

/* Remember region, page table leaf and index leaf for the next fault nearby: the range where one
 * compare stands for all three lookups. */
static void hint_set(struct aspace *a, const struct fault_place *place, u64 vaddr_page)
{
    const u64 span = (u64)RADIX_ENTRIES << PAGE_SHIFT;
    struct region *r = place->region;
    struct memory *m = memory_of(slot_object(&r->object));
    u64 start = MAX(r->start, align_down(vaddr_page, span));
    u64 end = MIN(r->end, align_down(vaddr_page, span) + span);
    u64 before = (place->index & (RADIX_ENTRIES - 1)) << PAGE_SHIFT; /* to the index leaf's start */
    u64 first;

    if (vaddr_page - start > before)
        start = vaddr_page - before;
    end = MIN(end, vaddr_page - before + span);
    end = MIN(end, r->start + ((m->npages - r->first_page) << PAGE_SHIFT));
    first = (vaddr_page - start) >> PAGE_SHIFT;
    a->hint = (struct aspace_hint){
        .start = start,
        .length = end - start,
        .region = r,
        .pte = place->pte - first,
        .slot = place->slot - first,
        .index = place->index - first,
    };
}

/* The place of a page among those of a private mapping, where a store will put it. */
static __attribute__((noinline)) status_t find_private(struct aspace *a, struct fault_place *place,
                                                       u64 vaddr_page)
{
    struct memory *own = region_private(place->region);
    bool inside = place->index < region_memory(place->region)->npages;

    place->index = private_index(own, vaddr_page);
    place->slot = radix_make(&own->index, place->index, object_bank(&own->object));
    if (!place->slot)
        return ST_NO_SPACE;
    if (inside && place->region->work != REGION_HIDING)
        hint_set(a, place, vaddr_page);
    return ST_OK;
}

/* Find or make everything the access needs.  OK: `place` is full. */
static status_t find_place(struct aspace *a, u64 address, unsigned op, struct fault_place *place)
{
    u64 vaddr_page = address & ~PAGE_MASK;
    u64 within = vaddr_page - a->hint.start;
    struct memory *m;

    if (within < a->hint.length) {
        place->region = a->hint.region;
        place->pte = a->hint.pte + (within >> PAGE_SHIFT);
        place->slot = a->hint.slot + (within >> PAGE_SHIFT);
        place->index = a->hint.index + (within >> PAGE_SHIFT);
        return access_allowed(place->region, op) ? ST_OK : ST_FORBIDDEN;
    }

    place->region = region_find(a->region_root, address);
    if (!place->region)
        return ST_NO_REGION;
    if (!access_allowed(place->region, op))
        return ST_FORBIDDEN;
    if (place->region->work == REGION_HIDING && region_hides(place->region, vaddr_page))
        return ST_NO_REGION;
    m = memory_of(slot_object(&place->region->object));
    place->index = place->region->first_page + ((vaddr_page - place->region->start) >> PAGE_SHIFT);
    if (place->index >= m->npages) {
        if (!m->ops->can_extend_on_fault(m))
            return ST_TRUNCATED;
        if (!radix_grow(&m->index, place->index + 1, object_bank(&m->object)))
            return ST_NO_SPACE;
    }
    place->pte = radix_make(&a->table, vaddr_page >> PAGE_SHIFT, object_bank(&a->object));
    if (!place->pte)
        return ST_NO_SPACE;
    if (place->region->node.owned)
        return find_private(a, place, vaddr_page);
    if (m->index.depth == 0) { /* pages without frames: nothing to index */
        place->slot = NULL;
        return ST_OK;
    }
    place->slot = radix_make(&m->index, place->index, object_bank(&m->object));
    if (!place->slot)
        return ST_NO_SPACE;
    if (place->index < m->npages && place->region->work != REGION_HIDING)
        hint_set(a, place, vaddr_page);
    return ST_OK;
}

/* ------------------------------------------------------------------- private pages, and links */

/* Show the resident page at `slot`, or the physical page `p` that has no frame; `writable` as far as
 * anybody but the region has a say. */
static void show_found(const struct fault_place *place, const struct access *access,
                       const u64 *slot, paddr_t p, bool writable)
{
    u64 vaddr_page = access->vaddr & ~PAGE_MASK;
    struct region as = *place->region;

    if (!writable)
        as.pte_template &= ~(u64)PTE_W;
    if (slot) {
        show_frame(&as, place->pte, *slot, access->op, vaddr_page);
    } else {
        as.pte_template &= ~(u64)PTE_FRAME;
        install_pte(&as, place->pte, p, access->op, vaddr_page);
    }
}

/* The page is nowhere and begins as zeros: so does it for whoever would copy it. */
static status_t show_zeros(const struct fault_place *place, const struct access *access,
                           const struct found *f)
{
    struct memory *m = f->copier ? f->copier : f->owner;
    u64 index = f->copier ? f->copier_index : f->index;
    struct bank *bank = object_bank(&m->object);
    u64 *slot = radix_make(&m->index, index, bank);
    struct frame *frame = slot ? bank_frame_alloc(bank, 0) : NULL;

    if (!frame)
        return ST_NO_SPACE;
    page_zero(frame_kva(frame));
    memory_install(m, slot, index, frame);
    show_found(place, access, slot, paddr(0), f->copier || f->writable);
    return ST_OK;
}

/* The owner of what the links lead to has the page, or is asked for it: missing, or protected.  Whoever
 * waits faults again, since what he may see of the page then depends on the links. */
static status_t ask_owner(const struct fault_place *place, const struct access *access,
                          const struct found *f)
{
    struct memory *m = f->owner;
    struct thread *t = place->thread;
    struct access asked = *access;
    struct fault_place there = {
        .thread = t, .region = place->region, .index = f->index, .pte = place->pte};
    status_t status = ST_OK;
    u64 physical = 0;

    if (memory_has_frames(m)) {
        there.slot = radix_make(&m->index, f->index, object_bank(&m->object));
        if (!there.slot)
            return ST_NO_SPACE;
    }
    if (f->copier && access->op == ACCESS_STORE)
        asked.op = ACCESS_LOAD; /* it will be copied */
    if (f->copier || f->links)
        asked.op |= TICKET_LINKED;
    if (m != region_memory(place->region))
        asked.op |= TICKET_FAR;
    switch (m->ops->resolve_fault(m, &asked, &there, &status, &physical)) {
    case RESOLVE_FRAME:
        show_found(place, access, there.slot, paddr(physical), !f->copier && f->writable);
        return ST_OK;
    case RESOLVE_PENDING:
        t->ticket.tried = access->op;
        return ST_OK;
    default:
        return status;
    }
}

/* A store to what is somebody else's by copy, and can be read: the copier gets its own. */
static status_t store_copy(const struct fault_place *place, const struct access *access,
                           const struct found *f)
{
    status_t status;
    u64 *slot = link_copy_page(f, place->pte, &status);

    if (!slot)
        return status;
    show_found(place, access, slot, paddr(0), true);
    return ST_OK;
}

static status_t resolve_linked(const struct fault_place *place, const struct access *access)
{
    bool store = access->op == ACCESS_STORE, asks;
    struct found f;

    link_follow_region(place->region, access->vaddr & ~PAGE_MASK, &f);
    if (f.lost)
        return ST_OWNER_DEAD;
    if (store && !f.copier && !f.writable)
        return ST_DENIED;
    if (!f.resident && f.owner->ops->zero_fill)
        return show_zeros(place, access, &f);
    if (store && f.copier && (f.resident || !memory_has_frames(f.owner)))
        return store_copy(place, access, &f);
    if (!f.resident)
        return ask_owner(place, access, &f);
    asks = *f.slot & SLOT_ASK;
    if (store && asks)
        return ask_owner(place, access, &f);
    show_found(place, access, f.slot, paddr(0), !f.copier && f.writable && !asks);
    return ST_OK;
}

/* A page that is not in the front object itself.  Apart, since the common faults must not pay. */
static __attribute__((noinline)) void fault_linked(const struct fault_place *place,
                                                   const struct access *access)
{
    status_t status = resolve_linked(place, access);

    if (status != ST_OK)
        exception_raise(place->thread, status, access->op, access->vaddr);
}

void fault_user(struct thread *t, unsigned op, u64 address)
{
    struct aspace *a = slot_object(&t->aspace);
    struct fault_place place = {.thread = t};
    struct access access = {.op = op, .vaddr = address, .pc = t->regs[0]};
    u64 vaddr_page = address & ~PAGE_MASK;
    status_t status;
    u64 physical = 0, slot;
    struct memory *m;

    kernel_counters.faults++;
    status = find_place(a, address, op, &place);
    if (status != ST_OK) {
        exception_raise(t, status, op, address);
        return;
    }
    trace(fault, address, place.index << PAGE_SHIFT,
          trace_object(slot_object(&place.region->object)));
    if (place.slot && ((slot = *place.slot) & SLOT_RESIDENT)) {
        if (!(slot & SLOT_ASK)) {
            show_frame(place.region, place.pte, slot, op, vaddr_page);
            return;
        }
        if (show_protected(&place, &access))
            return;
    }

    m = memory_of(slot_object(&place.region->object));
    if (m->links_out || place.region->node.owned) {
        fault_linked(&place, &access);
        return;
    }
    switch (m->ops->resolve_fault(m, &access, &place, &status, &physical)) {
    case RESOLVE_FRAME:
        if (place.slot)
            show_frame(place.region, place.pte, *place.slot, op, vaddr_page);
        else
            install_pte(place.region, place.pte, paddr(physical), op, vaddr_page);
        break;
    case RESOLVE_ERROR:
        exception_raise(t, status, op, address);
        break;
    case RESOLVE_PENDING:
        break;
    }
}

void fault_wake_resident(struct thread *first, u64 slot)
{
    struct thread *next;

    for (struct thread *t = first; t; t = next) {
        struct ticket *k = &t->ticket;

        next = slot_pointer(k->next_waiter);
        k->next_waiter = 0;
        if (!(k->access & TICKET_LINKED))
            show_frame(k->region, k->pte, slot, k->access & FAULT_ACCESS_MASK,
                       k->vaddr & ~PAGE_MASK);
        schedule_ready(t);
    }
}

__attribute__((cold)) void fault_wake_protected(struct thread *first, u64 slot)
{
    struct thread *next;

    for (struct thread *t = first; t; t = next) {
        struct ticket *k = &t->ticket;

        next = slot_pointer(k->next_waiter);
        k->next_waiter = 0;
        if (!(k->access & TICKET_LINKED))
            show_read_only(k->region, k->pte, slot, k->vaddr & ~PAGE_MASK);
        schedule_ready(t);
    }
}

void fault_wake_retry(struct thread *first)
{
    struct thread *next;

    for (struct thread *t = first; t; t = next) {
        next = slot_pointer(t->ticket.next_waiter);
        t->ticket.next_waiter = 0;
        schedule_ready(t);
    }
}

void fault_wake_error(struct thread *first, status_t status)
{
    struct thread *next;

    for (struct thread *t = first; t; t = next) {
        unsigned op = t->ticket.access & TICKET_LINKED ? t->ticket.tried
                                                       : t->ticket.access & FAULT_ACCESS_MASK;

        next = slot_pointer(t->ticket.next_waiter);
        t->ticket.next_waiter = 0;
        schedule_ready(t);
        exception_raise(t, status, op, t->ticket.vaddr);
    }
}
