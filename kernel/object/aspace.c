/* SPDX-License-Identifier: MIT */
/*
 * Address space: making, mapping, unmapping, and the pages that every thread's buffer needs.
 *
 * Mapping writes no PTE: the first fault on each page does (kernel/core/fault.c).  Unmapping works
 * through what is there: page-table nodes that exist, index entries that are in use.  The file is
 * long because one object type is one file; its parts stand in the order of a space's life.
 */
#include "kernel/object/aspace.h"

#include "arch/mmu.h"
#include "arch/pte.h"
#include "kernel/core/invoke.h"
#include "kernel/core/panic.h"
#include "kernel/core/schedule.h"
#include "kernel/core/trace.h"
#include "kernel/object/bank.h"
#include "kernel/object/cut.h"
#include "kernel/object/fork.h"
#include "kernel/object/link.h"
#include "kernel/object/private.h"
#include "kernel/object/served.h"
#include "lib/base/bits.h"
#include "lib/base/string.h"

#define OPERATIONS_OF   aspace
#define OPERATIONS_FILE "lib/abi/aspace.def"
#include "kernel/core/operations.h"

_Static_assert((int)MEMORY_READ == MAP_READ && (int)MEMORY_WRITE == MAP_WRITE &&
                   (int)MEMORY_EXEC == MAP_EXEC,
               "a mapping's flags are compared with the capability's rights");
_Static_assert(USER_TOP - USER_REGION_TOP == ASPACE_BUFFERS << PAGE_SHIFT, "one leaf of buffers");
_Static_assert(USER_REGION_TOP % ASPACE_LEAF_SPAN == 0, "no region shares a leaf with the buffers");

static u64 last_mapping_id; /* [k] 64 bits are never used up */

/* ---------------------------------------------------------------------- address space identifiers */

#define ASIDS 65536

static u64 asid_used[ASIDS / 64]; /* [k] */

/* An identifier for one space alone, or 0 when the hardware has no more.  Lock: alone. */
static u32 asid_take(void)
{
    u32 limit = MIN(mmu_asid_limit(), (u32)ASIDS);

    asid_used[0] |= 1; /* 0 is everybody's */
    for (u32 first = 0; first < limit; first += 64) {
        u32 asid = first + ctz64(~asid_used[first / 64]);
        if (asid < MIN(first + 64, limit)) {
            asid_used[first / 64] |= 1ul << asid % 64;
            return asid;
        }
    }
    return 0;
}

/* The caller has flushed it. */
static void asid_give_back(u32 asid)
{
    if (asid)
        asid_used[asid / 64] &= ~(1ul << asid % 64);
}

/* -------------------------------------------------------------------------- making and destroying */

/* NULL: no room, nothing has changed.  Lock: alone. */
static struct aspace *aspace_make(struct bank *bank)
{
    struct aspace *a = bank_alloc(bank, sizeof(*a));
    u64 *root;

    if (!a)
        return NULL;
    a->table.depth = 3;
    root = radix_make_root(&a->table, bank);
    if (!root) {
        bank_free(a, sizeof(*a));
        return NULL;
    }
    object_init(&a->object, bank, OBJ_aspace, sizeof(*a));
    mmu_root_init(root);
    a->asid = asid_take();
    a->satp = mmu_satp(paddr(a->table.root), a->asid);
    return a;
}

struct aspace *aspace_boot(struct bank *bank)
{
    struct aspace *a = aspace_make(bank);

    if (!a)
        panic("no room for the first address space");
    return a;
}

/* bank.create(aspace).  Lock: alone. */
static status_t aspace_create(struct bank *bank, struct invocation *inv, const word_t args[3],
                              struct object **out)
{
    struct aspace *a = aspace_make(bank);

    (void)args;
    if (!a)
        return inv_fail(inv, ST_NO_SPACE, bank->limit - bank->used);
    *out = &a->object;
    return ST_OK;
}

static void drop_pte(u64 *pte, u64 page, void *context)
{
    (void)page;
    (void)context;
    *pte = 0; /* a thread's buffer page, which that thread has given back */
}

/* No thread has it any more (thread_lost_aspace), but this hart may still be on its table: the last
 * thread to run may have been one of its own.  Lock: alone. */
static bool aspace_destroy(struct object *o)
{
    struct aspace *a = container_of(o, struct aspace, object);

    if (a->region_root) {
        (void)!aspace_remove_region(a, region_at(a->region_root));
        return false;
    }
    if (a->emptied == 0) {
        schedule_leave_space(a->satp);
        mmu_flush_asid(a->asid);
    }
    if (!radix_empty_step(&a->table, &a->emptied, USER_TOP >> PAGE_SHIFT, drop_pte, NULL))
        return false;
    radix_free_root(&a->table);
    asid_give_back(a->asid);
    return true;
}

/* ------------------------------------------------------------------------------------------- PTEs */

/* Lock: any. */
u64 aspace_pte(const struct region *r, paddr_t p, bool accessed, bool dirty)
{
    u64 bits = r->pte_template;

    if (accessed)
        bits |= PTE_A;
    if (dirty && (bits & PTE_W))
        bits |= PTE_D;
    return pte_make(p, bits);
}

/* Lock: that of memory_unmap_frame, or alone. */
static inline struct frame *fold_pte(u64 old)
{
    struct memory *m;
    struct frame *f;
    u64 *slot;

    if (!(old & PTE_FRAME))
        return NULL;
    f = frame_of(pte_paddr(old));
    m = (struct memory *)f->owner;
    slot = radix_find(&m->index, f->index);
    assert(f->map_count > 0 && slot && (*slot & SLOT_RESIDENT));
    if (old & PTE_A)
        *slot |= SLOT_ACCESSED;
    if (old & PTE_D)
        *slot |= SLOT_DIRTY;
    return f;
}

struct frame *aspace_fold_pte(u64 old)
{
    return fold_pte(old);
}

/* Lock: as before.  The exchange is atomic because hardware may set A or D between a load and a
 * store. */
bool aspace_clear_pte(u64 *pte)
{
    struct frame *f;

    if (!pte_is_valid(*pte))
        return false;
    f = fold_pte(__atomic_exchange_n(pte, 0, __ATOMIC_RELAXED));
    if (f)
        f->map_count--;
    return true;
}

/* ---------------------------------------------------------------------------------------- mapping */

/* vaddr and length are arguments 0 and 1 of both map and unmap. */
static status_t check_range(u64 vaddr, u64 length, word_t *detail)
{
    if (!is_aligned(vaddr, PAGE_SIZE) || vaddr < PAGE_SIZE || vaddr >= USER_REGION_TOP) {
        *detail = 0;
        return ST_BAD_ARG;
    }
    if (!is_aligned(length, PAGE_SIZE) || length == 0 || length > USER_REGION_TOP - vaddr) {
        *detail = 1;
        return ST_BAD_ARG;
    }
    return ST_OK;
}

static status_t check_arguments(const struct map_request *q, word_t *detail)
{
    status_t status = check_range(q->vaddr, q->length, detail);
    u64 end;

    if (status != ST_OK)
        return status;
    *detail = 3;
    if (!is_aligned(q->offset, PAGE_SIZE) || add_overflows(q->offset, q->length, &end))
        return ST_BAD_ARG;
    *detail = 4;
    if (q->flags & ~(u64)(MAP_ACCESS | MAP_PRIVATE) || !(q->flags & MAP_ACCESS))
        return ST_BAD_ARG;
    if ((q->flags & MAP_WRITE) && (q->flags & MAP_EXEC))
        return ST_BAD_ARG;
    return ST_OK;
}

/* May it be mapped in that way at all, and then with what?  *may = 0 where the answer is no. */
static bool ask_owner(const struct memory *m, const struct slot *object,
                      const struct map_request *q, bool is_shared, struct mapping_info *info,
                      u64 *may)
{
    *may = 0;
    if (!is_shared && !m->ops->supports_private_mmap(m))
        return false;
    if (m->ops->get_mapping_info_with(m, q->offset, q->length, is_shared, info) != ST_OK)
        return false;
    *may = (info->permissions | MAP_PRIVATE) & aspace_flags_of(slot_rights(object), is_shared);
    return true;
}

/* Everything about the object and the place, after the arguments; *info is the owner's word. */
static status_t check_map(const struct aspace *a, const struct slot *object,
                          const struct map_request *q, struct mapping_info *info, word_t *detail)
{
    const struct memory *m = memory_of(slot_object(object));
    bool is_shared = !(q->flags & MAP_PRIVATE);
    u64 rights = aspace_flags_of(slot_rights(object), is_shared);
    u64 wanted = q->flags;
    struct mapping_info other;
    struct region *next;

    *detail = rights;
    if (wanted & ~rights)
        return ST_DENIED;
    *detail = m->npages << PAGE_SHIFT;
    if (q->offset >= m->npages << PAGE_SHIFT)
        return ST_PAST_END;
    *detail = 0;
    if (!m->ops->supports_mmap(m))
        return ST_NOT_MAPPABLE;

    if (!ask_owner(m, object, q, is_shared, info, detail)) {
        (void)ask_owner(m, object, q, !is_shared, &other, detail);
        return ST_NOT_SUPPORTED;
    }
    if (wanted & ~*detail)
        return ST_DENIED;

    next = region_find_next(a->region_root, q->vaddr);
    if (next && next->start < q->vaddr + q->length) {
        *detail = next->start;
        return ST_OVERLAP;
    }
    return ST_OK;
}

/* Where the mapping's first page is now; 0: nowhere. */
static paddr_t first_paddr(const struct memory *m, const struct region *r)
{
    const u64 *slot = radix_find(&m->index, r->first_page);
    struct mapping_info info = {.paddr = 0};

    if (slot && (*slot & SLOT_RESIDENT))
        return paddr(*slot & ~SLOT_BITS);
    if (!memory_has_frames(m))
        (void)!m->ops->get_mapping_info(m, r->first_page << PAGE_SHIFT, PAGE_SIZE, &info);
    return paddr(info.paddr);
}

/* Lock: alone. */
void aspace_add_region(struct region *r, struct slot *object, unsigned rights, u64 badge)
{
    struct memory *m = memory_of(slot_object(object));
    struct aspace *a = r->aspace;

    r->mapping_id = ++last_mapping_id;
    trace(map, r->start, r->end - r->start, trace_object(&m->object));
    slot_derive(&r->object, object, PLACE_REGION_OBJECT, rights, badge);
    region_list_add(m, r);
    a->region_root = region_insert(a->region_root, r);
    a->regions++;
    aspace_forget_hint(a);
    m->ops->on_mapped(m, r, first_paddr(m, r));
}

/* The arguments have been checked.  `t`: who asks, NULL at boot.  WOULD_BLOCK: it waits, and then
 * asks again.  Lock: alone. */
static status_t map_checked(struct aspace *a, struct thread *t, struct slot *object,
                            const struct map_request *q, word_t *detail, u64 *id)
{
    struct memory *m = memory_of(slot_object(object));
    u32 granted = MAP_ACCESS;
    struct bank *bank = object_bank(&a->object);
    struct mapping_info info;
    struct region *r;
    status_t status = check_map(a, object, q, &info, detail);

    if (status == ST_OK && m->ops->permit_map && t) {
        status = m->ops->permit_map(m, t, q, object->badge, &granted);
        *detail = granted;
    }
    if (status != ST_OK)
        return status;
    r = bank_alloc(bank, sizeof(*r));
    if (!r) {
        *detail = 0;
        return ST_NO_SPACE;
    }
    r->start = q->vaddr;
    r->end = q->vaddr + q->length;
    r->first_page = q->offset >> PAGE_SHIFT;
    r->pte_template = pte_user_template((unsigned)q->flags, info.attribute) |
                      (memory_has_frames(m) ? PTE_FRAME : 0);
    r->aspace = a;
    r->flags = (u8)q->flags;
    r->granted = (u8)granted;
    if (region_copies(q->flags) && !private_make(r)) {
        bank_free(r, sizeof(*r));
        *detail = 0;
        return ST_NO_SPACE;
    }
    status = m->ops->prepare_map(m, r, detail);
    if (status != ST_OK) {
        if (r->node.owned)
            private_drop(r);
        bank_free(r, sizeof(*r));
        return status;
    }

    /* commit: nothing below can fail */
    aspace_add_region(r, object, slot_rights(object) & MAP_ACCESS, object->badge);
    *id = r->mapping_id;
    return ST_OK;
}

/* Write gives read: Sv39 has no page that can be written and not read. */
static u64 with_implied(u64 flags)
{
    return flags & MAP_WRITE ? flags | MAP_READ : flags;
}

status_t aspace_map_slot(struct aspace *a, struct slot *object, u64 vaddr, u64 length, u64 offset,
                         u64 flags, word_t *detail, u64 *id)
{
    struct map_request q = {vaddr, length, offset, with_implied(flags)};
    status_t status = check_arguments(&q, detail);

    return status == ST_OK ? map_checked(a, NULL, object, &q, detail, id) : status;
}

/* aspace.map.  Rights: MAP.  Lock: alone. */
static status_t aspace_map(struct object *o, struct invocation *inv)
{
    struct aspace *a = container_of(o, struct aspace, object);
    struct map_request q = {
        .vaddr = inv_word(inv, 0),
        .length = inv_word(inv, 1),
        .offset = inv_word(inv, 3),
        .flags = with_implied(inv_word(inv, 4)),
    };
    status_t status = check_arguments(&q, &inv->detail);
    struct slot *object;
    u64 id = 0;

    if (status != ST_OK)
        return status;
    object = inv_lookup(inv, inv_word(inv, 2));
    if (!object || !slot_holds_memory(object, 0))
        return inv_fail(inv, ST_BAD_CAP, 2);
    status = map_checked(a, inv->thread, object, &q, &inv->detail, &id);
    if (status == ST_OVERLAP && region_find_next(a->region_root, q.vaddr)->work == REGION_HIDING) {
        if (!cut_finish(a, q.vaddr, q.vaddr + q.length))
            return inv_restart(inv);
        status = map_checked(a, inv->thread, object, &q, &inv->detail, &id);
    }
    if (status == ST_WOULD_BLOCK) {
        inv->no_reply = true;
        return ST_OK;
    }
    if (status == ST_OK)
        inv_result(inv, id);
    return status;
}

/* ------------------------------------------------------------------ unmapping, other permissions */

/* aspace.unmap.  Rights: MAP.  Lock: alone.  restartable: how far it has come stands in the region (R4). */
static status_t aspace_unmap(struct object *o, struct invocation *inv)
{
    struct aspace *a = container_of(o, struct aspace, object);
    u64 start = inv_word(inv, 0), length = inv_word(inv, 1), removed = inv_carried(inv);
    status_t status = check_range(start, length, &inv->detail);

    if (status == ST_OK)
        status = cut_unmap(a, start, start + length, &removed, &inv->detail);
    if (status == ST_WOULD_BLOCK)
        return inv_restart_with(inv, removed);
    if (status == ST_OK)
        inv_result(inv, removed);
    return status;
}

/* aspace.protect.  Rights: MAP.  Lock: alone.  restartable: as unmap. */
static status_t aspace_protect(struct object *o, struct invocation *inv)
{
    struct aspace *a = container_of(o, struct aspace, object);
    u64 start = inv_word(inv, 0), length = inv_word(inv, 1);
    u64 flags = with_implied(inv_word(inv, 2));
    status_t status = check_range(start, length, &inv->detail);

    if (status != ST_OK)
        return status;
    if ((flags & ~(u64)MAP_ACCESS) || ((flags & MAP_WRITE) && (flags & MAP_EXEC)))
        return inv_fail(inv, ST_BAD_ARG, 2);
    status = cut_protect(a, start, start + length, (u8)flags, &inv->detail);
    return status == ST_WOULD_BLOCK ? inv_restart(inv) : status;
}

/* aspace.fork.  Rights: MAP.  Lock: alone.  restartable: how far it has come is what the child has. */
static status_t aspace_fork(struct object *o, struct invocation *inv)
{
    struct aspace *a = container_of(o, struct aspace, object);
    struct slot *child = inv_capability(inv, inv_word(inv, 0), OBJ_aspace, ASPACE_MAP);
    word_t number = inv_word(inv, 1);
    struct slot *answer = NULL;
    status_t status = ST_OK;

    if (!child)
        return inv_fail(inv, ST_BAD_CAP, 0);
    if (slot_object(child) == a)
        return inv_fail(inv, ST_BAD_ARG, 0);
    if (number && inv->thread->ticket.delivered == TICKET_CLONE)
        answer = inv_lookup(inv, number);
    if (number && !answer) {
        answer = inv_destination(inv, number, &status);
        if (!answer)
            return inv_fail(inv, status, status == ST_OCCUPIED ? number : 1);
    }
    status = fork_regions(a, slot_object(child), answer, inv);
    if (!inv->restart && !inv->no_reply && inv->thread->ticket.delivered == TICKET_CLONE) {
        inv->thread->ticket.delivered = 0; /* the mapping that it was about is gone */
        if (!slot_is_empty(answer))
            slot_delete(answer);
    }
    return status;
}

/* aspace.query.  Rights: none.  Lock: alone. */
static status_t aspace_query(struct object *o, struct invocation *inv)
{
    const struct aspace *a = container_of(o, struct aspace, object);
    word_t address = inv_word(inv, 0), name[OWNER_NAME_BYTES / sizeof(word_t)];
    const struct region *r = region_find_next(a->region_root, address);

    if (!r)
        return inv_fail(inv, ST_NOT_FOUND, address);
    region_memory(r)->ops->mmap_owner_name(region_memory(r), (char *)name);
    inv_result(inv, r->start);
    inv_result(inv, r->end - r->start);
    inv_result(inv, r->first_page << PAGE_SHIFT);
    inv_result(inv, r->flags);
    inv_result(inv, r->mapping_id);
    for (unsigned i = 0; i < ARRAY_SIZE(name); i++)
        inv_result(inv, name[i]);
    return ST_OK;
}

/* --------------------------------------------------------------------------- buffers of threads */

/* Lock: alone.  The leaf node of the window stays until the space dies. */
status_t aspace_add_buffer(struct aspace *a, struct frame *f, u64 *address, word_t *detail)
{
    struct bank *bank = object_bank(&a->object);
    u64 *pte;

    for (unsigned first = 0; first < ASPACE_BUFFERS; first += 64) {
        unsigned bit = ctz64(~a->buffers[first / 64]);
        u64 at = USER_REGION_TOP + ((u64)(first + bit) << PAGE_SHIFT);

        if (bit == 64)
            continue;
        pte = radix_make(&a->table, at >> PAGE_SHIFT, bank);
        if (!pte) {
            *detail = bank->limit - bank->used;
            return ST_NO_SPACE;
        }
        a->buffers[first / 64] |= 1ul << bit;
        *pte = pte_make(frame_paddr(f),
                        pte_user_template(MAP_READ | MAP_WRITE, MEMORY_NORMAL) | PTE_A | PTE_D);
        mmu_flush_page(vaddr(at), a->asid);
        *address = at;
        return ST_OK;
    }
    *detail = ASPACE_BUFFERS;
    return ST_LIMIT;
}

/* Lock: alone. */
void aspace_remove_buffer(struct aspace *a, u64 address)
{
    u64 *pte = radix_find(&a->table, address >> PAGE_SHIFT);
    u64 number = (address - USER_REGION_TOP) >> PAGE_SHIFT;

    assert(address >= USER_REGION_TOP && number < ASPACE_BUFFERS && pte && pte_is_valid(*pte));
    *pte = 0;
    a->buffers[number / 64] &= ~(1ul << number % 64);
    mmu_flush_page(vaddr(address), a->asid);
}

/* ----------------------------------------------------------------------------- the object table */

/* A1 of one leaf entry. */
static void check_leaf(u64 *pte, u64 page, void *context)
{
    const struct aspace *a = context;
    const struct region *r = region_find(a->region_root, page << PAGE_SHIFT);
    u64 permissions = PTE_LEAF | PTE_U | PTE_V;
    struct found f;

    assert(r && pte_is_valid(*pte));
    if (r->work != REGION_CHANGING)
        assert((*pte & permissions & ~r->pte_template) == 0);
    assert(r->first_page + (page - (r->start >> PAGE_SHIFT)) < region_memory(r)->npages);
    link_follow_region(r, page << PAGE_SHIFT, &f);
    assert(!f.lost && f.resident == !!(*pte & PTE_FRAME));
    if (!f.resident) {
        assert(!memory_has_frames(f.owner));
        return;
    }
    assert(pte_paddr(*pte).addr == (*f.slot & ~SLOT_BITS));
    assert(!(*pte & PTE_W) || !(f.copier || !f.writable || (*f.slot & SLOT_ASK)));
}

/* A2.  The hint holds addresses of entries, so it is true as long as they are where it says. */
static void check_hint(const struct aspace *a)
{
    const struct aspace_hint *h = &a->hint;
    const struct region *r = h->region;
    u64 last = h->length - PAGE_SIZE, page = h->start >> PAGE_SHIFT;
    const struct memory *m;

    if (h->length == 0)
        return;
    assert(r == region_find(a->region_root, h->start));
    assert(h->start + h->length <= r->end);
    assert(h->index == (r->node.owned ? private_index(region_private(r), h->start)
                                      : r->first_page + (page - (r->start >> PAGE_SHIFT))));
    m = r->node.owned ? region_private(r) : region_memory(r);
    assert(h->index + (last >> PAGE_SHIFT) < m->npages);
    assert(h->pte == radix_find(&a->table, page));
    assert(h->pte + (last >> PAGE_SHIFT) == radix_find(&a->table, page + (last >> PAGE_SHIFT)));
    assert(h->slot == radix_find(&m->index, h->index));
    assert(h->slot + (last >> PAGE_SHIFT) ==
           radix_find(&m->index, h->index + (last >> PAGE_SHIFT)));
}

static void aspace_check(const struct object *o)
{
    const struct aspace *a = container_of(o, const struct aspace, object);

    assert(region_tree_check(a->region_root) == a->regions); /* A3 */
    check_hint(a);
    radix_for_each(&a->table, 0, USER_REGION_TOP >> PAGE_SHIFT, check_leaf, (void *)a);
}

static void aspace_describe(const struct object *o, struct text *t)
{
    const struct aspace *a = container_of(o, const struct aspace, object);

    text_printf(t, "aspace %lu regions, identifier %u", a->regions, a->asid);
}

const struct object_ops aspace_ops = {
    .create = aspace_create,
    .destroy = aspace_destroy,
    .check = DEBUG_ONLY(aspace_check),
    .describe = aspace_describe,
    .operations = &aspace_operations,
};
