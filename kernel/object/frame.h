/* SPDX-License-Identifier: MIT */
/*
 * Page frames: one 32-byte record each, and the global buddy allocator of free ones.
 *
 * The records form an array at a constant kernel address, indexed by physical page number, with
 * memory behind it only where there is RAM.  A record is written when its frame is first used;
 * booting clears nothing.  Banks (bank.h) say who may take how many; nobody else calls
 * frame_alloc.
 */
#ifndef KERNEL_OBJECT_FRAME_H
#define KERNEL_OBJECT_FRAME_H

#include "arch/address.h"
#include "lib/base/types.h"

enum frame_state {
    FRAME_NONE,   /* not RAM that may be used, or inside a larger block */
    FRAME_FREE,   /* first of a free block of 2^order frames; `order` valid */
    FRAME_KERNEL, /* in use by the kernel: tables, cspaces, buffers (payer says for whom) */
    FRAME_SLAB,   /* cut into small objects of one size for one bank */
    FRAME_USER,   /* a page of a memory object: owner, index, map_count valid */
    FRAME_CLEAN,  /* one free frame, full of zeros, on the list of such */
};

/*
 * F1 a FREE frame is on the free list of its order; its buddy of that order is not FREE of the
 *    same order (they would have merged).   F2 a USER frame is in exactly one slot of one object's
 *    index: owner's slot `index`.   F3 map_count == valid leaf PTEs that show the frame.
 * F4 payer is the bank charged for it (0 for free frames and the kernel's own).
 * F5 a CLEAN frame holds zeros and is on the list of clean frames; it counts as free.
 */
struct frame {
    union {
        u64 owner; /* USER: kernel address of the memory object; SLAB: of the bank */
        struct {
            u32 next; /* FREE: free list, page numbers, 0 = end; SLAB: list of the bank's class */
            u32 prev;
        };
    };
    union {
        u64 index; /* USER: page index in the owner */
        struct {
            u32 slab_next, slab_prev; /* SLAB: bank's list of pages with room, page numbers */
        };
    };
    union {
        u32 map_count; /* USER */
        u32 used;      /* SLAB: objects in use; KERNEL radix node: entries in use */
    };
    u32 payer; /* slot number of the bank's origin, 0 = none */
    union {
        u32 free_at; /* SLAB: offset of the first free object in the page + 1; 0 = full */
        u32 waiter;  /* USER, if its slot is ASKED: first thread that waits to write, slot number */
    };
    u8 state;
    u8 order;      /* log2 of frames of the block: FREE, and as allocated */
    u8 size_class; /* SLAB */
    u8 spare;
};
_Static_assert(sizeof(struct frame) == 32, "bytes_per_page_frame");

#define FRAME_ORDERS 11 /* orders 0 to 10: 4 KiB to 4 MiB */

static inline u64 frame_number(const struct frame *f)
{
    return (u64)(f - frame_array());
}
static inline struct frame *frame_of(paddr_t p)
{
    return &frame_array()[p.addr >> PAGE_SHIFT];
}
static inline struct frame *frame_of_kva(const void *kva)
{
    return frame_of(paddr_from_kva(kva));
}
static inline paddr_t frame_paddr(const struct frame *f)
{
    return paddr(frame_number(f) << PAGE_SHIFT);
}
static inline void *frame_kva(const struct frame *f)
{
    return kva_from_paddr(frame_paddr(f));
}

/*
 * Boot: hand a range of usable RAM over, ranges in ascending order (panics otherwise).  The caller
 * has backed the records of every 4 MiB block that the range touches.  Cost: per 4 MiB block; records inside a wholly free block stay
 * untouched, those of a block only partly given are all set (NONE), so that no merge ever looks at
 * a record that was not written.
 */
void frame_boot_add(paddr_t base, u64 npages);

/* 2^order contiguous frames, aligned to their size, contents unknown, state KERNEL, payer 0; NULL
 * if there is none.  Constant time but for splitting. */
struct frame *frame_alloc(unsigned order);
void frame_free(struct frame *f, unsigned order);

/* A frame full of zeros, if one was cleaned ahead; else NULL.  State KERNEL, payer 0. */
struct frame *frame_alloc_clean(void);
/* With nothing else to do: clean one more frame.  False: enough are clean.  Cost: zeroing a page. */
bool frame_clean_one(void);
u64 frame_free_count(void); /* frames free now */
void frame_check(void);     /* debug: assert F1 on every free list */
/* Debug: each block that is not free, of all that boot handed over; nothing is in two or in none. */
void frame_for_each_used(void (*each)(struct frame *f, void *context), void *context);

#endif
