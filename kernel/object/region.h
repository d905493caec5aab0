/* SPDX-License-Identifier: MIT */
/*
 * Region: one mapping of a range of a memory object in an address space; and the tree of an address
 * space's regions, by start address.
 *
 * A region is no capability object: programs name it by range or mapping id.  It is made from the
 * address space's bank.  What its object's server hears of it lies in an event record of its own
 * (event.h), which can outlive it.
 */
#ifndef KERNEL_OBJECT_REGION_H
#define KERNEL_OBJECT_REGION_H

#include "kernel/core/tree.h"
#include "kernel/object/slot.h"

struct aspace;
struct event;
struct memory;

/*
 * R1 start < end, page aligned, inside user addresses; regions of one space do not overlap.
 * R2 in the tree of its space (Y1), by start.
 * R3 the region is on its object's list (next, prev) while `object` is full.
 * R4 where something is unfinished, [work_from, work_at) is done and [work_at, work_to) is still to do:
 *    HIDING, nothing in [work_from, work_to) is mapped for anybody any more, PTEs before work_at are
 *    gone; CHANGING, PTEs before work_at have the permissions of `flags`.  Whoever changes the region
 *    finishes that first (cut.c).
 */
enum region_work {
    REGION_WHOLE, /* nothing is unfinished */
    REGION_HIDING,
    REGION_CHANGING,
};

struct region {
    struct slot object; /* the memory object; badge = that of the capability it was mapped with */
    union {
        struct tree_node node; /* in the space's tree; owned: see region_private */
        u64 start;             /* its key: user address */
    };
    u64 end;          /* first address after it */
    u64 first_page;   /* page index in the object of `start` */
    u64 mapping_id;   /* never reused; kept by the pieces of a split */
    u64 pte_template; /* permission and attribute bits of its leaf PTEs; no address, A=D=0 */
    struct aspace *aspace;
    struct event *event; /* record for its server; NULL if nothing is, or can be, told */
    u32 next, prev;      /* object's list of regions: slot numbers */
    u8 flags;            /* MAP_* now */
    u8 untold;           /* its server wants to hear of it, and there was no room for a record */
    u8 granted;          /* MAP_*: what it may have at most, as far as its owner was asked */
    u8 work;             /* REGION_* */
    u32 work_from, work_to, work_at; /* pages from `start` */
};
_Static_assert(sizeof(struct region) <= 128, "bytes_region");
_Static_assert(offsetof(struct region, start) == offsetof(struct region, node.key), "one word");

/* Pages of its own, of a private mapping that may write (private.h); NULL: none. */
static inline struct memory *region_private(const struct region *r)
{
    return slot_pointer(r->node.owned);
}

/* Do stores of a mapping with these flags go to pages of its own? */
static inline bool region_copies(u64 flags)
{
    return (flags & (MAP_PRIVATE | MAP_WRITE)) == (MAP_PRIVATE | MAP_WRITE);
}

/* Is a page of a region that is HIDING one of those that are going? */
static inline bool region_hides(const struct region *r, u64 address)
{
    u64 page = (address - r->start) >> PAGE_SHIFT;

    return page >= r->work_from && page < r->work_to;
}

/* The region of a node, by the node's number, which is not 0. */
static inline struct region *region_at(u32 number)
{
    return container_of((struct tree_node *)slot_pointer(number), struct region, node);
}

/* The region that holds `address`; or NULL. */
struct region *region_find(u32 root, u64 address);
/* The region with the least end above `address` (it holds the address, or is next after it). */
struct region *region_find_next(u32 root, u64 address);
/* Insert; the caller has made sure that it overlaps none.  Returns the new root. */
u32 region_insert(u32 root, struct region *r);
/* Remove this one; returns the new root. */
u32 region_remove(u32 root, struct region *r);
/* Debug: assert R1 and R2 of a whole tree; returns the number of regions. */
u64 region_tree_check(u32 root);

#endif
