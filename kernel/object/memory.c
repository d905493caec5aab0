/* SPDX-License-Identifier: MIT */
/*
 * What all memory objects share: the index of resident pages, the list of mappings, the defaults of
 * the table, and the operations of memory.def.
 *
 * The kinds (anon.c, phys.c, served.c) put a struct memory first and fill in a struct mapping_ops.
 * Nothing here asks which kind it has; an object without frames of its own is known by its index of
 * depth 0 (memory_has_frames).
 */
#include "kernel/object/memory.h"

#include "arch/cpu.h"
#include "arch/mmu.h"
#include "arch/pte.h"
#include "kernel/core/invoke.h"
#include "kernel/core/panic.h"
#include "kernel/object/aspace.h"
#include "kernel/object/bank.h"
#include "kernel/object/link.h"
#include "kernel/object/served.h"
#include "lib/base/string.h"

/* The table has each member of mapping_ops.def, and besides only prepare_map, permit_map,
 * zero_fill and resident_page. */
#define MAPPING_OP(number, name, text) \
    _Static_assert(offsetof(struct mapping_ops, name) < sizeof(struct mapping_ops), #name);
#include "lib/abi/mapping_ops.def"
#undef MAPPING_OP
enum {
    MEMBERS = 4
#define MAPPING_OP(number, name, text) +1
#include "lib/abi/mapping_ops.def"
#undef MAPPING_OP
};
_Static_assert(sizeof(struct mapping_ops) == MEMBERS * sizeof(void *),
               "a member of struct mapping_ops is not in lib/abi/mapping_ops.def");

static u64 rounded_size(const struct memory *m)
{
    return m->npages << PAGE_SHIFT;
}

/* Lock: alone. */
void memory_init(struct memory *m, const struct mapping_ops *ops, u64 size)
{
    assert(size > 0 && size <= MEMORY_MAX_SIZE);
    m->ops = ops;
    m->size = size;
    m->npages = align_up(size, PAGE_SIZE) >> PAGE_SHIFT;
    m->index = (struct radix){.root = 0, .depth = radix_depth(m->npages)};
    m->resident = 0;
    m->epoch = 0;
    m->region_list = 0;
    m->regions = 0;
    m->emptied = 0;
    m->links_out = m->links_in = 0;
    m->private_of = NULL;
    m->private_regions = 0;
    m->rank = 0;
    m->hidden = m->punched = false;
}

static void release_page(u64 *slot, u64 index, void *context)
{
    struct memory *m = context;
    struct frame *f = frame_of(paddr(*slot & ~SLOT_BITS));

    if (*slot == SLOT_HOLE) {
        *slot = 0;
        return;
    }
    assert(*slot & SLOT_RESIDENT); /* a waiting thread would need a region, and none is left */
    assert(f->index == index && f->map_count == 0);
    *slot = 0;
    m->resident--;
    bank_frame_free(f, 0);
}

/* Lock: alone. */
bool memory_empty(struct memory *m)
{
    assert(m->regions == 0);
    if (!radix_empty_step(&m->index, &m->emptied, ~0ul, release_page, m))
        return false;
    assert(m->resident == 0 && m->index.root == 0);
    return m->links_out == 0 || link_end_step(m);
}

/* Lock: alone.  Cost: per page. */
void memory_drop_pages(struct memory *m, u64 first, u64 count)
{
    radix_for_each(&m->index, first, count, release_page, m);
}

/* Lock: shared. */
void memory_install(struct memory *m, u64 *slot, u64 index, struct frame *f)
{
    u64 in_last_page = m->size & PAGE_MASK;
    u64 bits = SLOT_RESIDENT;

    assert(index < m->npages && !(*slot & SLOT_RESIDENT));
    if (in_last_page && index == m->npages - 1) {
        memset((u8 *)frame_kva(f) + in_last_page, 0, PAGE_SIZE - in_last_page);
        bits |= SLOT_TAIL;
    }
    f->owner = (u64)m;
    f->index = index;
    f->map_count = 0;
    f->state = FRAME_USER;
    *slot = frame_paddr(f).addr | bits;
    m->resident++;
}

/* Views through links, and those of private pages. */
static __attribute__((noinline, cold)) void unmap_views(struct memory *m, struct frame *f)
{
    view_clear(m, f->index, frame_paddr(f));
}

/* Lock: alone, or shared where every region of the object is in the caller's space.  Cost: per
 * region of the object until the frame's last PTE is found. */
void memory_unmap_frame(struct memory *m, struct frame *f)
{
    u64 index = f->index;

    for (struct region *r = slot_pointer(m->region_list); r && f->map_count > 0;
         r = slot_pointer(r->next)) {
        u64 npages = (r->end - r->start) >> PAGE_SHIFT;
        u64 address = r->start + ((index - r->first_page) << PAGE_SHIFT);
        u64 *pte;

        if (index < r->first_page || index - r->first_page >= npages || r->node.owned)
            continue;
        pte = radix_find(&r->aspace->table, address >> PAGE_SHIFT);
        if (pte && aspace_clear_pte(pte))
            mmu_flush_page(vaddr(address), r->aspace->asid);
    }
    if (f->map_count > 0)
        unmap_views(m, f);
    assert(f->map_count == 0); /* I3 */
}

static void protect_view(struct region *r, u64 *pte, u64 address, void *context)
{
    (void)context;
    if (!(*pte & PTE_W))
        return;
    aspace_fold_pte(__atomic_fetch_and(pte, ~(u64)(PTE_W | PTE_D), __ATOMIC_RELAXED));
    mmu_flush_page(vaddr(address), r->aspace->asid);
}

/* Lock: as memory_unmap_frame.  Cost: per region that covers the page. */
void memory_protect_frame(struct memory *m, struct frame *f)
{
    view_each(m, f->index, frame_paddr(f), protect_view, NULL);
}

status_t memory_check_range(const struct memory *m, u64 offset, u64 length, unsigned first,
                            word_t *detail)
{
    u64 end;

    if (!is_aligned(offset, PAGE_SIZE)) {
        *detail = first;
        return ST_BAD_ARG;
    }
    if (length == 0 || add_overflows(offset, length, &end)) {
        *detail = first + 1;
        return ST_BAD_ARG;
    }
    if (offset >= rounded_size(m)) {
        *detail = rounded_size(m);
        return ST_PAST_END;
    }
    return ST_OK;
}

/* ------------------------------------------------------------------------ defaults of the table */

status_t memory_default_prepare_map(struct memory *m, struct region *r, word_t *detail)
{
    (void)m;
    (void)detail;
    r->event = NULL;
    return ST_OK;
}

void memory_default_on_mapped(struct memory *m, struct region *r, paddr_t first)
{
    (void)m;
    (void)r;
    (void)first;
}

void memory_default_on_unmapped(struct memory *m, struct region *r, u64 start, u64 end)
{
    (void)m;
    (void)r;
    (void)start;
    (void)end;
}

void memory_default_on_split(struct memory *m, struct region *r, struct region *upper)
{
    (void)m;
    (void)r;
    upper->event = NULL;
}

void memory_default_on_protect(struct memory *m, struct region *r)
{
    (void)m;
    (void)r;
}

/* One page of a range that is given up; those that wait for a missing page go on waiting. */
static void give_up_page(u64 *slot, u64 index, void *context)
{
    struct memory *m = context;
    struct frame *f = frame_of(paddr(*slot & ~SLOT_BITS));

    if (!(*slot & SLOT_RESIDENT) || (*slot & (SLOT_PINNED | SLOT_WRITEBACK)))
        return;
    if (*slot & SLOT_ASKED)
        served_retry(slot); /* they find the page missing, and wait for that */
    if (f->map_count)
        memory_unmap_frame(m, f);
    release_page(slot, index, m);
}

status_t memory_default_release_pages(struct memory *m, unsigned rights, u64 first, u64 count)
{
    (void)rights;
    radix_for_each(&m->index, first, count, give_up_page, m);
    /* The index nodes of those are there, so what cannot be punched has not changed either. */
    return m->links_out && !link_punch(m, first, count) ? ST_NO_SPACE : ST_OK;
}

void memory_default_on_resync(struct memory *m)
{
    (void)m;
}

bool memory_default_can_extend_on_fault(const struct memory *m)
{
    (void)m;
    return false;
}

u32 memory_default_fault_page_permissions(const struct memory *m, const struct access *access,
                                          u64 slot, u32 permissions)
{
    (void)m;
    (void)access;
    (void)slot;
    return permissions;
}

bool memory_default_supports_mmap(const struct memory *m)
{
    (void)m;
    return true;
}

bool memory_default_supports_private_mmap(const struct memory *m)
{
    (void)m;
    return true;
}

void memory_default_mmap_owner_name(const struct memory *m, char name[OWNER_NAME_BYTES])
{
    (void)m;
    memset(name, 0, OWNER_NAME_BYTES);
    memcpy(name, "object", sizeof("object"));
}

/* The same through links. */
static __attribute__((noinline, cold)) const void *linked_page(struct memory *m, u64 index)
{
    struct found f;

    link_follow(m, index, &f);
    if (f.lost || f.owner == m)
        return NULL;
    return f.resident ? kva_from_paddr(paddr(*f.slot & ~SLOT_BITS))
                      : f.owner->ops->resident_page(f.owner, f.index);
}

status_t memory_default_fork_clone(struct memory *m, struct thread *t, const struct region *r,
                                   struct slot *answer, bool *other)
{
    (void)m;
    (void)t;
    (void)r;
    (void)answer;
    *other = false;
    return ST_OK;
}

const void *memory_default_resident_page(struct memory *m, u64 index)
{
    const u64 *slot = index < m->npages ? radix_find(&m->index, index) : NULL;

    if (slot && (*slot & SLOT_RESIDENT))
        return kva_from_paddr(paddr(*slot & ~SLOT_BITS));
    return m->links_out && index < m->npages ? linked_page(m, index) : NULL;
}

/* --------------------------------------------------------------------------------- operations */

/* memory.info: never tells info.paddr, which is the kernel's alone.  Lock: alone. */
status_t memory_info(struct object *o, struct invocation *inv)
{
    struct memory *m = memory_of(o);
    word_t offset = inv_word(inv, 0), length = inv_word(inv, 1);
    bool is_private = inv->nwords > 2 && inv_word(inv, 2) != 0;
    struct mapping_info info;
    word_t detail;
    status_t status = memory_check_range(m, offset, length, 0, &detail);

    if (status != ST_OK)
        return inv_fail(inv, status, detail);
    if (m->ops->get_mapping_info_with(m, offset, length, !is_private, &info) != ST_OK)
        return inv_fail(inv, ST_NOT_SUPPORTED, 0);

    inv_result(inv, info.permissions);
    inv_result(inv, info.is_shared);
    inv_result(inv, info.attribute);
    return ST_OK;
}

#define RELEASE_PER_STEP 64u

/* Pages from `at` on that have no index node and stand for nothing; or 0. */
static u64 nothing_there(const struct memory *m, u64 at)
{
    const struct link *l = m->links_out ? link_next(m, at) : NULL;
    u64 gap = memory_has_frames(m) ? radix_skip_gap(&m->index, at) - at : 0;

    return l && l->first < at + gap ? MAX(l->first, at) - at : gap;
}

/*
 * memory.release.  Rights: WRITE.  Lock: alone.  Cost: per resident page, as memory_unmap_frame.
 * restartable: what has been given up is given up, and the caller's words name the rest.
 */
status_t memory_release(struct object *o, struct invocation *inv)
{
    struct memory *m = memory_of(o);
    word_t offset = inv_word(inv, 0), length = inv_word(inv, 1);
    u64 at = offset >> PAGE_SHIFT, count = inv_carried(inv), before = m->resident, end;
    status_t status = memory_check_range(m, offset, length, 0, &inv->detail);

    if (status != ST_OK)
        return status;
    if (!is_aligned(length, PAGE_SIZE))
        return inv_fail(inv, ST_BAD_ARG, 1);
    end = at + MIN(length >> PAGE_SHIFT, m->npages - at);
    do {
        u64 gap = nothing_there(m, at);
        u64 n = gap ? MIN(gap, end - at) : MIN(RELEASE_PER_STEP, end - at);

        status = m->ops->release_pages(m, slot_rights(inv->slot), at, n);
        at += n;
        if (status == ST_OK && at < end && cpu_interrupt_pending()) {
            inv->thread->regs[10] = at << PAGE_SHIFT;
            inv->thread->regs[11] = (end - at) << PAGE_SHIFT;
            return inv_restart_with(inv, count + before - m->resident);
        }
    } while (status == ST_OK && at < end);
    if (status != ST_OK)
        return inv_fail(inv, status,
                        status == ST_DENIED     ? MEMORY_OWN
                        : status == ST_NO_SPACE ? bank_left(object_bank(o))
                                                : 0);
    inv_result(inv, count + before - m->resident);
    return ST_OK;
}

/* memory.query.  Lock: alone. */
status_t memory_query(struct object *o, struct invocation *inv)
{
    struct memory *m = memory_of(o);
    word_t name[OWNER_NAME_BYTES / sizeof(word_t)];

    m->ops->mmap_owner_name(m, (char *)name);
    inv_result(inv, m->size);
    inv_result(inv, m->resident);
    inv_result(inv, m->regions);
    inv_result(inv, m->epoch);
    inv_result(inv, name[0]);
    inv_result(inv, name[1]);
    return ST_OK;
}

/* -------------------------------------------------------------------------------------- checks */

static void count_view(struct region *r, u64 *pte, u64 address, void *context)
{
    (void)r;
    (void)pte;
    (void)address;
    ++*(u64 *)context;
}

struct page_check {
    const struct memory *memory;
    u64 resident;
};

static void check_page(u64 *slot, u64 index, void *context)
{
    struct page_check *check = context;
    const struct frame *f = frame_of(paddr(*slot & ~SLOT_BITS));
    u64 views = 0;

    assert(index < check->memory->npages);
    if (!(*slot & SLOT_RESIDENT))
        return;
    check->resident++;
    assert(f->state == FRAME_USER); /* M1 */
    assert(f->owner == (u64)check->memory && f->index == index);
    assert(!(*slot & SLOT_ASKED) || (*slot & SLOT_ASK));
    view_each(check->memory, index, frame_paddr(f), count_view, &views);
    assert(f->map_count == views); /* I3 */
}

/* Debug.  Lock: alone. */
void memory_check_frame(const struct frame *f)
{
    const struct memory *m = (const struct memory *)f->owner;
    const u64 *slot = radix_find(&m->index, f->index);

    assert(slot && (*slot & SLOT_RESIDENT) && (*slot & ~SLOT_BITS) == frame_paddr(f).addr);
}

/* Debug.  Lock: alone.  Cost: resident pages times regions. */
void memory_check(const struct memory *m)
{
    struct page_check check = {.memory = m};
    u64 regions = 0;
    u32 prev = 0;

    for (const struct region *r = slot_pointer(m->region_list); r; r = slot_pointer(r->next)) {
        assert(slot_object(&r->object) == m && r->prev == prev); /* R3 */
        assert(slot_place(&r->object) == PLACE_REGION_OBJECT);
        slot_check(&r->object); /* I6 */
        prev = slot_number(r);
        regions++;
    }
    assert(regions == m->regions);                      /* M2 */
    assert(memory_has_frames(m) || m->index.root == 0); /* M3 */
    radix_for_each(&m->index, 0, m->npages, check_page, &check);
    assert(check.resident == m->resident);                     /* M2 */
    assert(m->regions == 0 || (!m->hidden && !m->private_of)); /* M4 */
    link_check(m);
}
