/* SPDX-License-Identifier: MIT */
/*
 * Address space: a page table, the regions mapped in it, and the hint that makes the next fault
 * near the last one cheap.
 *
 * The page table is a radix tree of depth 3 whose root shares the kernel's upper half.  Page-table
 * nodes are paid by the address space's bank.  A node is freed at unmap when no region overlaps the
 * range it covers, so the address of a PTE kept by a waiting thread stays valid as long as its
 * region does.
 */
#ifndef KERNEL_OBJECT_ASPACE_H
#define KERNEL_OBJECT_ASPACE_H

#include "kernel/object/memory.h"
#include "kernel/object/region.h"

/* Region, 2 MiB table and index leaf of the last fault, in one compare.  length 0 = empty. */
struct aspace_hint {
    u64 start;  /* first address for which the rest holds */
    u64 length; /* bytes; within one region, one page-table leaf and one index leaf */
    struct region *region;
    u64 *pte;  /* of `start` */
    u64 *slot; /* of `start`'s page */
    u64 index; /* page index of `start` */
};

#define ASPACE_LEAF_SPAN ((u64)RADIX_ENTRIES << PAGE_SHIFT) /* addresses under a page-table leaf */

#define ASPACE_BUFFERS 512 /* thread buffer pages: one page-table leaf node */

/*
 * A1 every leaf PTE below USER_REGION_TOP lies in a region and shows the page that following its
 *    links finds, with no more permissions than the region has, and without write if a store is to
 *    make a copy first or to ask.
 * A2 the hint is empty or true.   A3 regions == nodes in the tree.
 */
struct aspace {
    struct object object;
    struct radix table; /* root made at creation */
    u64 satp;           /* [I] register value that switches to it */
    u32 asid;           /* [I] 0: shared by all that have none; flushed at every switch */
    u32 region_root;
    u64 regions;
    struct aspace_hint hint;
    u64 buffers[ASPACE_BUFFERS / 64]; /* buffer windows in use */
    u64 emptied;                      /* DYING: page tables of pages below are gone */
};
_Static_assert(sizeof(struct aspace) <= 256, "size class");

#define MAP_ACCESS (MAP_READ | MAP_WRITE | MAP_EXEC)

static inline struct memory *region_memory(const struct region *r)
{
    return memory_of(slot_object(&r->object));
}

/* R3: put a region on its object's list; take it off. */
static inline void region_list_add(struct memory *m, struct region *r)
{
    r->prev = 0;
    r->next = m->region_list;
    if (r->next)
        ((struct region *)slot_pointer(r->next))->prev = slot_number(r);
    m->region_list = slot_number(r);
    m->regions++;
}
static inline void region_list_remove(struct memory *m, struct region *r)
{
    struct region *next = slot_pointer(r->next), *prev = slot_pointer(r->prev);

    if (next)
        next->prev = r->prev;
    if (prev)
        prev->next = r->next;
    else
        m->region_list = r->next;
    m->regions--;
}

/* What a mapping through a capability with these rights may at most ask for: who may read may write to
 * pages of his own. */
static inline u64 aspace_flags_of(u64 rights, bool is_shared)
{
    rights &= MAP_ACCESS;
    if (is_shared)
        return rights;
    return (rights & ~(u64)MAP_WRITE) | (rights & MAP_READ ? MAP_WRITE : 0) | MAP_PRIVATE;
}

/* Boot: an address space for the first program; panics without room. */
struct aspace *aspace_boot(struct bank *bank);

/* aspace.map without the capability work: the object slot to derive from, and flags as in the ABI.
 * Lock: alone.  Errors as aspace.def says.  On success *id is the mapping id. */
status_t aspace_map_slot(struct aspace *a, struct slot *object, u64 vaddr, u64 length, u64 offset,
                         u64 flags, word_t *detail, u64 *id);

/* The last step of mapping: `r`, filled in but for its id, is one of its space from now on, by a
 * capability to its object made from `object` with those rights.  Its owner hears. */
void aspace_add_region(struct region *r, struct slot *object, unsigned rights, u64 badge);

/* Remove a region: its waiters are woken (they fault again), PTEs go, the owner hears, the region
 * is freed.  False: an interrupt waits, and the region is still there, without being of use to anybody;
 * call it again.  In cut.c. */
MUST_CHECK bool aspace_remove_region(struct aspace *a, struct region *r);

/* Embedded-slot hook: the object is taken away, so the region goes.  In cut.c. */
bool region_lost_object(struct region *r);

/* Forget the hint: any change to regions, tables or index nodes calls this. */
static inline void aspace_forget_hint(struct aspace *a)
{
    a->hint.length = 0;
}

/* Leaf PTE for a page of a region that shows `p`: `accessed` presets A; `dirty` presets D (a store
 * waits), but only where the region may be written. */
u64 aspace_pte(const struct region *r, paddr_t p, bool accessed, bool dirty);

/* Fold accessed and dirty of a valid PTE, which is about to change or has, into its page's slot;
 * the page's frame, or NULL where it shows none. */
struct frame *aspace_fold_pte(u64 old);

/* Clear one PTE if it is valid: map_count goes down; accessed and dirty fold into the page's slot.
 * Does not flush.  True if something was there. */
bool aspace_clear_pte(u64 *pte);

/* A buffer page of a new thread: claim a window slot and map `f` there; NO_SPACE or LIMIT. */
status_t aspace_add_buffer(struct aspace *a, struct frame *f, u64 *vaddr, word_t *detail);
void aspace_remove_buffer(struct aspace *a, u64 vaddr);

#endif
