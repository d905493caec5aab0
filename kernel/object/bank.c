/* SPDX-License-Identifier: MIT */
/*
 * Banks: who may use how many pages, and the slabs that small objects come from.
 *
 * A page of a slab is cut into pieces of one size; a free piece holds the place of the next one in
 * its first four bytes, and everything else about the page is in its frame record.  Pages with room
 * are listed by the bank, full ones are not listed, and a page whose last piece comes back returns
 * to the buddy at once: a bank that gave everything back owns nothing, which is what makes "every
 * page back" a plain comparison of counters.
 *
 * The first bank lies in a slab page of its own, so that, like every slot, it is reached by its
 * address in the direct map and there is no second way to name it.
 */
#include "kernel/object/bank.h"

#include "arch/cpu.h"
#include "kernel/core/hart.h"
#include "kernel/core/invoke.h"
#include "kernel/core/panic.h"
#include "lib/base/bits.h"
#include "lib/base/string.h"

#define OPERATIONS_OF   bank
#define OPERATIONS_FILE "lib/abi/bank.def"
#include "kernel/core/operations.h"

#define SLAB_MAX_SHIFT (SLAB_MIN_SHIFT + SLAB_CLASSES - 1)

static struct bank *bank_of(struct object *o)
{
    return container_of(o, struct bank, object);
}

/* ---- Counting ---------------------------------------------------------------------------------*/

static void charge(struct bank *b, u64 *kind, u64 npages)
{
    assert(bank_has(b, npages)); /* B1 */
    *kind += npages;
    b->used += npages;
    b->peak = MAX(b->peak, b->used);
}

static void uncharge(struct bank *b, u64 *kind, u64 npages)
{
    assert(*kind >= npages && b->used >= npages);
    *kind -= npages;
    b->used -= npages;
}

/* Lock: shared (bank). */
struct bank *frame_payer(const struct frame *f)
{
    return f->payer ? slot_object(slot_from_number(f->payer)) : NULL;
}

/* Lock: shared (bank, then buddy). */
struct frame *bank_frame_alloc(struct bank *b, unsigned order)
{
    struct frame *f;

    if (!bank_has(b, 1ul << order))
        return NULL;
    f = frame_alloc(order);
    if (f == NULL)
        return NULL;
    f->payer = slot_to_number(&b->object.origin);
    charge(b, &b->frame_pages, 1ul << order);
    return f;
}

/* Lock: shared (bank, then buddy).  Cost: zeroing a page, unless a frame was cleaned ahead. */
struct frame *bank_frame_alloc_zeroed(struct bank *b)
{
    struct frame *f = bank_has(b, 1) ? frame_alloc_clean() : NULL;

    if (f) {
        f->payer = slot_to_number(&b->object.origin);
        charge(b, &b->frame_pages, 1);
        return f;
    }
    f = bank_frame_alloc(b, 0);
    if (f)
        page_zero(frame_kva(f));
    return f;
}

/* Lock: shared (bank, then buddy). */
void bank_frame_free(struct frame *f, unsigned order)
{
    struct bank *b = frame_payer(f);

    assert(f->state != FRAME_SLAB && f->order == order);
    uncharge(b, &b->frame_pages, 1ul << order);
    frame_free(f, order);
}

/* Lock: shared (both banks). */
bool bank_frame_move(struct frame *f, struct bank *to)
{
    struct bank *from = frame_payer(f);

    assert(f->state != FRAME_SLAB && f->order == 0);
    if (from == to)
        return true;
    if (!bank_has(to, 1))
        return false;
    uncharge(from, &from->frame_pages, 1);
    charge(to, &to->frame_pages, 1);
    f->payer = slot_to_number(&to->object.origin);
    return true;
}

/* ---- Slabs ------------------------------------------------------------------------------------*/

/* log2 of the size, rounded up; at least that of the smallest piece. */
static unsigned size_shift(size_t size)
{
    return size <= 1ul << SLAB_MIN_SHIFT ? SLAB_MIN_SHIFT : 64 - clz64(size - 1);
}

static u32 *piece_at(const struct frame *f, u32 offset)
{
    return (u32 *)((char *)frame_kva(f) + offset);
}

/* Cut the page: each free piece holds the offset of the next + 1, the last one 0. */
static void slab_cut(struct frame *f, struct bank *b, unsigned size_class)
{
    u32 size = 1u << (size_class + SLAB_MIN_SHIFT);

    for (u32 offset = 0; offset < PAGE_SIZE; offset += size)
        *piece_at(f, offset) = offset + size < PAGE_SIZE ? offset + size + 1 : 0;
    f->state = FRAME_SLAB;
    f->owner = (u64)b;
    f->payer = slot_to_number(&b->object.origin);
    f->size_class = size_class;
    f->slab_next = f->slab_prev = 0;
    f->used = 0;
    f->free_at = 1;
}

static void slab_list(struct bank *b, struct frame *f)
{
    u32 *head = &b->slab[f->size_class];

    f->slab_prev = 0;
    f->slab_next = *head;
    if (*head)
        frame_array()[*head].slab_prev = frame_number(f);
    *head = frame_number(f);
}

static void slab_unlist(struct bank *b, struct frame *f)
{
    if (f->slab_prev)
        frame_array()[f->slab_prev].slab_next = f->slab_next;
    else
        b->slab[f->size_class] = f->slab_next;
    if (f->slab_next)
        frame_array()[f->slab_next].slab_prev = f->slab_prev;
    f->slab_next = f->slab_prev = 0;
}

/* A listed page of that class; NULL: no room for a new one. */
static struct frame *slab_with_room(struct bank *b, unsigned size_class)
{
    struct frame *f;

    if (b->slab[size_class])
        return &frame_array()[b->slab[size_class]];
    if (!bank_has(b, 1))
        return NULL;
    f = frame_alloc(0);
    if (f == NULL)
        return NULL;
    charge(b, &b->slab_pages, 1);
    slab_cut(f, b, size_class);
    slab_list(b, f);
    return f;
}

static void *slab_alloc(struct bank *b, unsigned size_class)
{
    struct frame *f = slab_with_room(b, size_class);
    u32 *piece;

    if (f == NULL)
        return NULL;
    piece = piece_at(f, f->free_at - 1);
    f->free_at = *piece;
    f->used++;
    if (f->free_at == 0)
        slab_unlist(b, f); /* B3 */
    return memset(piece, 0, 1ul << (size_class + SLAB_MIN_SHIFT));
}

static bool slab_has_free(const struct frame *f, u32 offset)
{
    u32 at = f->free_at;

    while (at && at - 1 != offset)
        at = *piece_at(f, at - 1);
    return at != 0;
}

static void slab_free(void *piece, struct frame *f)
{
    struct bank *b = (struct bank *)f->owner;
    u32 offset = (u64)piece & PAGE_MASK;

    assert(f->used > 0 && is_aligned(offset, 1ul << (f->size_class + SLAB_MIN_SHIFT)));
    assert(!slab_has_free(f, offset));
    if (f->free_at == 0)
        slab_list(b, f); /* B3 */
    *(u32 *)piece = f->free_at;
    f->free_at = offset + 1;
    if (--f->used == 0) {
        slab_unlist(b, f);
        uncharge(b, &b->slab_pages, 1);
        frame_free(f, 0);
    }
}

/* Lock: shared (bank, then buddy). */
void *bank_alloc(struct bank *b, size_t size)
{
    unsigned shift = size_shift(size);
    struct frame *f;

    if (shift <= SLAB_MAX_SHIFT)
        return slab_alloc(b, shift - SLAB_MIN_SHIFT);
    shift = MAX(shift, (unsigned)PAGE_SHIFT) - PAGE_SHIFT;
    assert(shift < FRAME_ORDERS);
    f = bank_frame_alloc(b, shift);
    return f ? memset(frame_kva(f), 0, PAGE_SIZE << shift) : NULL;
}

/* Lock: shared (bank, then buddy). */
void bank_free(void *piece, size_t size)
{
    unsigned shift = size_shift(size);
    struct frame *f = frame_of_kva(piece);

    if (shift <= SLAB_MAX_SHIFT) {
        assert(f->state == FRAME_SLAB && f->size_class == shift - SLAB_MIN_SHIFT);
        slab_free(piece, f);
    } else {
        bank_frame_free(f, MAX(shift, (unsigned)PAGE_SHIFT) - PAGE_SHIFT);
    }
}

/* Give back what a caller that never came back left half cleared. */
static void drop_clearing(struct bank *b)
{
    if (b->clearing)
        bank_frame_free(&frame_array()[b->clearing], frame_array()[b->clearing].order);
    b->clearing = b->cleared = 0;
}

/* Lock: alone.  Whoever asks for a block of that size next goes on with it. */
bool bank_alloc_slowly(struct bank *b, size_t size, void **piece)
{
    unsigned order = MAX(size_shift(size), (unsigned)PAGE_SHIFT) - PAGE_SHIFT;
    struct frame *f;

    if (size_shift(size) <= SLAB_MAX_SHIFT) {
        *piece = bank_alloc(b, size);
        return true;
    }
    if (b->clearing && frame_array()[b->clearing].order != order)
        drop_clearing(b);
    f = b->clearing ? &frame_array()[b->clearing] : bank_frame_alloc(b, order);
    *piece = NULL;
    if (f == NULL)
        return true;
    b->clearing = (u32)frame_number(f);
    while (b->cleared < 1u << order) {
        page_zero((u8 *)frame_kva(f) + ((u64)b->cleared++ << PAGE_SHIFT));
        if (cpu_interrupt_pending())
            return false;
    }
    b->clearing = b->cleared = 0;
    *piece = frame_kva(f);
    return true;
}

/* Lock: shared (bank). */
u64 bank_cost(const struct bank *b, size_t size)
{
    unsigned shift = size_shift(size);

    if (shift <= SLAB_MAX_SHIFT)
        return b->slab[shift - SLAB_MIN_SHIFT] == 0;
    return 1ul << (MAX(shift, (unsigned)PAGE_SHIFT) - PAGE_SHIFT);
}

/* ---- Birth and death --------------------------------------------------------------------------*/

struct bank *first_bank; /* [I] */

/* Boot only.  The page it lies in is its own first slab page; the rest of it serves as usual. */
struct bank *bank_boot(void)
{
    unsigned size_class = size_shift(sizeof(struct bank)) - SLAB_MIN_SHIFT;
    u64 limit = frame_free_count();
    struct frame *f = frame_alloc(0);
    struct bank *b;

    if (f == NULL)
        panic("bank: no memory at all");
    b = frame_kva(f);
    slab_cut(f, b, size_class);
    f->free_at = *piece_at(f, 0); /* the first piece is taken */
    f->used = 1;
    memset(b, 0, sizeof(*b));
    object_init(&b->object, NULL, OBJ_bank, 1u << (size_class + SLAB_MIN_SHIFT));
    b->limit = limit;
    charge(b, &b->slab_pages, 1);
    slab_list(b, f);
    first_bank = b;
    return b;
}

/*
 * bank.create(bank, slot, limit): carve a child bank.  Lock: alone.
 * Errors: see bank.def.  On error nothing has changed.
 */
static status_t child_create(struct bank *parent, struct invocation *inv, const word_t args[3],
                             struct object **out)
{
    u64 limit = args[0];
    u64 left = bank_left(parent);
    struct bank *b;

    if (limit == 0)
        return inv_fail(inv, ST_BAD_ARG, 2);
    if (parent->depth + 1 == BANK_NESTING)
        return inv_fail(inv, ST_LIMIT, BANK_NESTING);
    if (limit > left || left - limit < bank_cost(parent, sizeof(struct bank)))
        return inv_fail(inv, ST_NO_SPACE, left);
    b = bank_alloc(parent, sizeof(struct bank));
    if (b == NULL)
        return inv_fail(inv, ST_NO_SPACE, left);

    object_init(&b->object, parent, OBJ_bank, 1u << size_shift(sizeof(struct bank)));
    b->limit = limit;
    b->depth = parent->depth + 1;
    charge(parent, &parent->child_pages, limit);
    *out = &b->object;
    return ST_OK;
}

/* All that was made from it went before it and gave its pages back. */
static bool child_destroy(struct object *o)
{
    struct bank *b = bank_of(o);
    struct bank *parent = object_bank(o);

    drop_clearing(b);

    if (b->used != 0) /* I4 */
        panic("bank %p dies with %lu pages in use: %lu of slabs, %lu frames, %lu of banks",
              (void *)b, b->used, b->slab_pages, b->frame_pages, b->child_pages);
    uncharge(parent, &parent->child_pages, b->limit);
    return true;
}

/* ---- Operations -------------------------------------------------------------------------------*/

/* Message word i, or 0 where the message is shorter: `create` takes as many as its type needs. */
static word_t optional_word(const struct invocation *inv, unsigned i)
{
    return i < inv->nwords ? inv_word(inv, i) : 0;
}

/*
 * bank.create(type, slot, a, b, c): make an object and put its first capability into a slot.
 * Rights: CREATE.  Lock: alone.  Errors: see bank.def.  On error nothing has changed.
 *
 * The first capability to a child bank lacks DEVICE: what the device tree gave is made into objects
 * from the first bank only, by whoever was trusted with it at boot.
 */
static status_t bank_create(struct object *o, struct invocation *inv)
{
    word_t type = inv_word(inv, 0);
    word_t number = inv_word(inv, 1);
    const word_t args[3] = {optional_word(inv, 2), optional_word(inv, 3), optional_word(inv, 4)};
    const struct object_ops *ops = type < OBJ_LIMIT ? object_ops_of(type) : NULL;
    unsigned rights = type == OBJ_bank ? RIGHTS_ALL & ~BANK_DEVICE : RIGHTS_ALL;
    struct object *made;
    struct slot *slot;
    status_t status = ST_OK;

    if (ops == NULL || ops->create == NULL)
        return inv_fail(inv, ST_BAD_TYPE, type);
    if (o->flags & OBJECT_DYING)
        return inv_fail(inv, ST_DYING, 0);
    slot = inv_destination(inv, number, &status);
    if (slot == NULL)
        return inv_fail(inv, status, status == ST_OCCUPIED ? number : 1);
    status = ops->create(bank_of(o), inv, args, &made);
    if (status != ST_OK || inv->restart)
        return status;

    slot_derive(slot, &made->origin, PLACE_CSPACE, rights, 0);
    return ST_OK;
}

/* Can the thread come back to go on with what it does? */
static bool can_come_back(const struct thread *t)
{
    return this_hart()->thread == t && t->state == THREAD_READY;
}

/*
 * bank.destroy(): the end of all that was made from it.  Rights: DESTROY.  Lock: alone.
 * Errors: see bank.def.
 *
 * restartable: what is left of the bank is what is still to go; the capability that it was called with
 * goes last.  If the caller is among what goes, nobody is left to hear a reply or to go on, and the
 * rest is queued.
 */
static status_t bank_destroy(struct object *o, struct invocation *inv)
{
    if (object_bank(o) == NULL)
        return inv_fail(inv, ST_DENIED, 0);

    if (object_destroy(o, inv->slot)) {
        inv->no_reply = !can_come_back(inv->thread);
        return ST_OK;
    }
    if (can_come_back(inv->thread))
        return inv_restart(inv);
    object_doom(o);
    inv->no_reply = true;
    return ST_OK;
}

/* bank.query(): the counters.  Rights: none.  Lock: alone.  No errors. */
static status_t bank_query(struct object *o, struct invocation *inv)
{
    const struct bank *b = bank_of(o);

    inv_result(inv, b->limit);
    inv_result(inv, b->used);
    inv_result(inv, b->peak);
    inv_result(inv, b->slab_pages);
    inv_result(inv, b->frame_pages);
    inv_result(inv, b->child_pages);
    return ST_OK;
}

/* ---- The table --------------------------------------------------------------------------------*/

/* B1 and B3.  B2 takes a walk over all frames: debug.c. */
static void bank_check(const struct object *o)
{
    const struct bank *b = container_of(o, struct bank, object);

    assert(b->used == b->slab_pages + b->frame_pages + b->child_pages);
    assert(b->used <= b->peak && b->peak <= b->limit);
    for (unsigned size_class = 0; size_class < SLAB_CLASSES; size_class++) {
        u32 prev = 0;

        for (u32 number = b->slab[size_class]; number; number = frame_array()[number].slab_next) {
            const struct frame *f = &frame_array()[number];

            assert(f->state == FRAME_SLAB && f->size_class == size_class && f->owner == (u64)b);
            assert(f->slab_prev == prev && f->used > 0 && f->free_at != 0);
            prev = number;
        }
    }
}

static void bank_describe(const struct object *o, struct text *t)
{
    const struct bank *b = container_of(o, struct bank, object);

    text_printf(t, "bank: %lu of %lu pages (%lu slabs, %lu frames, %lu child banks), peak %lu",
                b->used, b->limit, b->slab_pages, b->frame_pages, b->child_pages, b->peak);
}

const struct object_ops bank_ops = {
    .create = child_create,
    .destroy = child_destroy,
    .check = DEBUG_ONLY(bank_check),
    .describe = bank_describe,
    .operations = &bank_operations,
};
