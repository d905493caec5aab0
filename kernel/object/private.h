/* SPDX-License-Identifier: MIT */
/*
 * Private: the pages that a private mapping has of its own.
 *
 * A private mapping that may be written, now or after aspace.protect, has an anon object that nobody
 * can name, from the bank of its address space: a page that is stored to goes there first, by copy.
 * The region stays a region of the object that was mapped, whose server hears of it as of any other;
 * only a fault looks into the private object before.  The pieces of a split share it, at the
 * addresses where they are; after a fork it stands for a hidden parent (link.h).
 */
#ifndef KERNEL_OBJECT_PRIVATE_H
#define KERNEL_OBJECT_PRIVATE_H

#include "kernel/object/aspace.h"

/* Page of the private object at an address of its mapping; the address of a page. */
static inline u64 private_index(const struct memory *own, u64 address)
{
    return (address - own->private_base) >> PAGE_SHIFT;
}
static inline u64 private_address(const struct memory *own, u64 index)
{
    return own->private_base + (index << PAGE_SHIFT);
}

/* Would a new one do as well for the only region that has it? */
static inline bool private_is_empty(const struct memory *own)
{
    return own->private_regions == 1 && own->resident == 0 && own->links_out == 0;
}

/* The private region gets an object of its own; false: no room, nothing has changed. */
MUST_CHECK bool private_make(struct region *r);
/* `upper`, cut off `r`, shares it. */
void private_share(struct region *r, struct region *upper);
/* The pages of [start, end) of the region, which no PTE shows any more, are given back. */
void private_release(struct region *r, u64 start, u64 end);
/* The region lets go of it; with the last one it dies. */
void private_drop(struct region *r);
/* It dies first, with its bank: so do its regions, in steps.  True: none is left. */
MUST_CHECK bool private_lost(struct memory *own);

/* `child`, a region of another space like `r` but without a private object, gets what `r` has now:
 * neither sees later stores of the other.  NO_SPACE: in either bank; the child has none then. */
status_t private_clone(struct region *r, struct region *child);

#endif
