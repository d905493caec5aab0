/* SPDX-License-Identifier: MIT */
/*
 * Bank: the only source of kernel memory and frames.
 *
 * A bank may use `limit` pages.  A child's limit is carved out of its parent's at creation, so a
 * charge is one compare and one add in one bank, never a walk up the tree.  Objects smaller than a
 * page come from slabs: pages of the bank cut into pieces of one power-of-two size.
 */
#ifndef KERNEL_OBJECT_BANK_H
#define KERNEL_OBJECT_BANK_H

#include "kernel/object/frame.h"
#include "kernel/object/object.h"

#define SLAB_MIN_SHIFT 5 /* 32 bytes */
#define SLAB_CLASSES   7 /* 32, 64, ... 2048 */

/*
 * B1 used == slab_pages + frame_pages + child_pages <= limit  (I4).
 * B2 frame_pages == frames whose payer is this bank and whose state is not SLAB.
 * B3 slab[c] lists exactly this bank's slab pages of class c with a free piece.
 */
struct bank {
    struct object object;
    u64 limit; /* pages [I] */
    u64 used;
    u64 peak;
    u64 slab_pages;
    u64 frame_pages;
    u64 child_pages;
    u32 slab[SLAB_CLASSES]; /* first page with room, page number */
    u32 depth;              /* [I] banks above it */
    u32 clearing;           /* page number of a block that is being cleared for a table, or 0 */
    u32 cleared;            /* pages of it that are clear */
    u64 counted_slabs;      /* debug.check: pages found that name this bank */
    u64 counted_frames;
};
_Static_assert(sizeof(struct bank) <= 256, "size class");

#define BANK_NESTING 32 /* banks in banks, the first one included */

/*
 * Make the first bank, which owns every free frame.  It lies in its own first slab page, is the one
 * object whose origin has no parent, and never dies.  Boot only, after frame_boot_add.
 */
struct bank *bank_boot(void);
/* What bank_boot made, the root of all capabilities: where a debugger begins. [I] */
extern struct bank *first_bank;

/* Pages left: the detail word of NO_SPACE. */
static inline u64 bank_left(const struct bank *b)
{
    return b->limit - b->used;
}

/* Room for n more pages? */
static inline bool bank_has(const struct bank *b, u64 npages)
{
    return bank_left(b) >= npages;
}

/* 2^order frames charged to the bank (payer set, state KERNEL, contents unknown); NULL: no room. */
struct frame *bank_frame_alloc(struct bank *b, unsigned order);
/* One frame full of zeros, likewise. */
struct frame *bank_frame_alloc_zeroed(struct bank *b);
/* Give them back; the bank is the frame's payer. */
void bank_frame_free(struct frame *f, unsigned order);
/* The bank that pays for a frame. */
struct bank *frame_payer(const struct frame *f);
/* Let `to` pay for one frame instead of its payer now.  False, and nothing changed, without room. */
bool bank_frame_move(struct frame *f, struct bank *to);

/* A zeroed piece of `size` bytes (rounded up to a power of two, 32 to 2,048; above that up to 2^22:
 * whole frames), aligned to its size; NULL: no room. */
void *bank_alloc(struct bank *b, size_t size);
void bank_free(void *piece, size_t size);

/*
 * A zeroed block as bank_alloc gives it, which may take long to clear.  False: an interrupt waits, and
 * how far it has come stands in the bank; ask again.  *piece NULL: no room.
 */
MUST_CHECK bool bank_alloc_slowly(struct bank *b, size_t size, void **piece);

/* Pages that bank_alloc(size) would charge now: 0 if a slab has room. */
u64 bank_cost(const struct bank *b, size_t size);

#endif
