/* SPDX-License-Identifier: MIT */
/*
 * The global buddy allocator of free frames.
 *
 * Blocks of 2^0 to 2^10 frames, aligned to their size; a freed block merges with its buddy as long
 * as that is free and of the same size.  Free blocks of one size are doubly linked through their
 * first records.  Nothing says how much of the record array has been written, and nothing needs to:
 * a merge looks at the first record of a buddy only, within one 4 MiB block, and that record was
 * written when the two were split from each other (or by frame_boot_add, for a 4 MiB block that is
 * only partly RAM).  So a wholly free 4 MiB block costs one record at boot, however much RAM there
 * is.
 */
#include "kernel/object/frame.h"

#include "kernel/core/panic.h"
#include "kernel/core/ranges.h"
#include "lib/base/string.h"

#define BLOCK_ORDER  (FRAME_ORDERS - 1)
#define BLOCK_FRAMES (1ul << BLOCK_ORDER)
#define CLEAN_FRAMES 64 /* cleaned ahead at most: what is clean cannot be part of a larger block */

/* [buddy] Lists of free blocks by order, page numbers (0 = end: page 0 is never handed out). */
static struct {
    u32 free[FRAME_ORDERS];
    u64 nfree; /* frames, the clean ones included */
    u32 clean; /* list of clean frames, page numbers */
    u32 nclean;
    u64 boot_end; /* page number: frame_boot_add has seen what is below */
} frames;

/* What boot added, for frame_for_each_used. */
static struct {
    u64 first, end; /* page numbers */
} frame_ranges[CONFIG_DEBUG ? RANGES_MAX : 1];
static unsigned frame_nranges;

static struct frame *frame_at(u64 number)
{
    return &frame_array()[number];
}

static void list_push(u64 number, unsigned order)
{
    u32 next = frames.free[order];

    *frame_at(number) = (struct frame){.next = next, .state = FRAME_FREE, .order = order};
    if (next)
        frame_at(next)->prev = number;
    frames.free[order] = number;
}

static void list_remove(struct frame *f)
{
    if (f->prev)
        frame_at(f->prev)->next = f->next;
    else
        frames.free[f->order] = f->next;
    if (f->next)
        frame_at(f->next)->prev = f->prev;
    f->state = FRAME_NONE;
}

/* Give back a block whose own first record need not have been written. */
static void block_free(u64 number, unsigned order)
{
    frames.nfree += 1ul << order;
    while (order < BLOCK_ORDER) {
        u64 buddy = number ^ 1ul << order;
        struct frame *b = frame_at(buddy);

        if (b->state != FRAME_FREE || b->order != order)
            break;
        list_remove(b);
        frame_at(number)->state = FRAME_NONE;
        number &= ~(1ul << order);
        order++;
    }
    list_push(number, order);
}

/* Boot adds [first, end) of one 4 MiB block that it does not fill. */
static void add_part(u64 first, u64 end)
{
    u64 block = align_down(first, BLOCK_FRAMES);
    /* An earlier range may have ended in this block: its records are written already. */
    u64 unwritten = frames.boot_end > block ? block + BLOCK_FRAMES : block;

    /* The state is all that a merge reads of it; four a turn, since boot is measured. */
    for (u64 number = unwritten; number < block + BLOCK_FRAMES; number += 4) {
        struct frame *f = frame_at(number);
        f[0].state = f[1].state = f[2].state = f[3].state = FRAME_NONE;
    }
    while (first < end) {
        unsigned order = 0;

        while (is_aligned(first, 2ul << order) && first + (2ul << order) <= end)
            order++;
        block_free(first, order);
        first += 1ul << order;
    }
}

/* Free blocks merge across two ranges that touch, so those are one. */
static void note_range(u64 first, u64 end)
{
    if (frame_nranges == 0 || frame_ranges[frame_nranges - 1].end != first) {
        assert(frame_nranges < RANGES_MAX);
        frame_ranges[frame_nranges++].first = first;
    }
    frame_ranges[frame_nranges - 1].end = end;
}

/* Boot only. */
void frame_boot_add(paddr_t base, u64 npages)
{
    u64 first = base.addr >> PAGE_SHIFT;
    u64 end = first + npages;

    if (!is_aligned(base.addr, PAGE_SIZE) || first < frames.boot_end)
        panic("frame: boot adds %#lx after memory up to %#lx", base.addr,
              frames.boot_end << PAGE_SHIFT);
    if (first == 0)
        first++; /* 0 stands for "none" everywhere */
    if (CONFIG_DEBUG)
        note_range(first, end);
    while (first < end) {
        u64 next = MIN(align_down(first, BLOCK_FRAMES) + BLOCK_FRAMES, end);

        if (next - first == BLOCK_FRAMES)
            block_free(first, BLOCK_ORDER);
        else
            add_part(first, next);
        first = frames.boot_end = next;
    }
}

/* Clean frames are free: where nothing else is left, or nothing large enough, they go back.  False:
 * there are none.  Cost: CLEAN_FRAMES frees. */
static __attribute__((noinline)) bool give_clean_back(void)
{
    if (frames.clean == 0)
        return false;
    while (frames.clean) {
        u64 number = frames.clean;

        frames.clean = frame_at(number)->next;
        frames.nfree--; /* which block_free counts again */
        block_free(number, 0);
    }
    frames.nclean = 0;
    return true;
}

struct frame *frame_alloc_clean(void)
{
    u32 number = frames.clean;
    struct frame *f = frame_at(number);

    if (number == 0)
        return NULL;
    frames.clean = f->next;
    frames.nclean--;
    frames.nfree--;
    *f = (struct frame){.state = FRAME_KERNEL};
    return f;
}

/* Lock: alone. */
bool frame_clean_one(void)
{
    struct frame *f;

    if (frames.nclean == CLEAN_FRAMES || frames.nfree - frames.nclean <= CLEAN_FRAMES)
        return false;
    f = frame_alloc(0);
    if (f == NULL)
        return false;
    page_zero(frame_kva(f));
    *f = (struct frame){.next = frames.clean, .state = FRAME_CLEAN};
    frames.clean = (u32)frame_number(f);
    frames.nclean++;
    frames.nfree++;
    return true;
}

/* Lock: shared (buddy). */
struct frame *frame_alloc(unsigned order)
{
    unsigned have = order;
    struct frame *f;
    u64 number;

    assert(order < FRAME_ORDERS);
    while (frames.free[have] == 0) {
        if (++have < FRAME_ORDERS)
            continue;
        if (!give_clean_back())
            return NULL;
        have = order;
    }
    number = frames.free[have];
    f = frame_at(number);
    list_remove(f);
    frames.nfree -= 1ul << order;
    while (have > order) {
        have--;
        list_push(number + (1ul << have), have);
    }
    *f = (struct frame){.state = FRAME_KERNEL, .order = order};
    return f;
}

/* Lock: shared (buddy).  Every mapping of the frame is gone, and so are its TLB entries. */
void frame_free(struct frame *f, unsigned order)
{
    u64 number = frame_number(f);

    assert(order < FRAME_ORDERS && is_aligned(number, 1ul << order));
    assert(f->state != FRAME_FREE && f->state != FRAME_NONE && f->state != FRAME_CLEAN);
    assert(f->state != FRAME_USER || f->map_count == 0); /* F3 */
    block_free(number, order);
}

/* Lock: any; exact under the lock alone. */
u64 frame_free_count(void)
{
    return frames.nfree;
}

/* Lock: alone.  Cost: one step a free block. */
void frame_check(void)
{
    u64 total = 0, clean = 0;

    for (unsigned order = 0; order < FRAME_ORDERS; order++) {
        u32 prev = 0;

        for (u32 number = frames.free[order]; number; number = frame_at(number)->next) {
            const struct frame *f = frame_at(number);

            assert(f->state == FRAME_FREE && f->order == order && f->prev == prev);
            assert(is_aligned(number, 1ul << order));
            if (order < BLOCK_ORDER) {
                const struct frame *buddy = frame_at(number ^ 1ul << order);

                assert(buddy->state != FRAME_FREE || buddy->order != order); /* F1 */
            }
            assert(f->payer == 0); /* F4 */
            total += 1ul << order;
            prev = number;
        }
    }
    for (u32 number = frames.clean; number; number = frame_at(number)->next) {
        const u64 *page = frame_kva(frame_at(number));

        assert(frame_at(number)->state == FRAME_CLEAN && frame_at(number)->payer == 0);
        for (unsigned i = 0; i < PAGE_SIZE / sizeof(*page); i++)
            assert(page[i] == 0); /* F5 */
        total++;
        clean++;
    }
    assert(total == frames.nfree && clean == frames.nclean);
}

/* Lock: alone.  Every block begins where the one before it ends, and its first record is written. */
void frame_for_each_used(void (*each)(struct frame *f, void *context), void *context)
{
    u64 nfree = 0;

    for (unsigned i = 0; CONFIG_DEBUG && i < frame_nranges; i++) {
        u64 number = frame_ranges[i].first;

        while (number < frame_ranges[i].end) {
            struct frame *f = frame_at(number);

            assert(f->state != FRAME_NONE && f->order < FRAME_ORDERS);
            if (f->state == FRAME_FREE || f->state == FRAME_CLEAN)
                nfree += 1ul << f->order;
            else
                each(f, context);
            number += 1ul << f->order;
        }
        assert(number == frame_ranges[i].end);
    }
    assert(nfree == frames.nfree);
}
