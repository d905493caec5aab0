/* SPDX-License-Identifier: MIT */
/*
 * The regions of an address space, found by address.
 *
 * They do not overlap, so the tree is ordered by start address alone (kernel/core/tree.c), and the
 * searches here look at the ends.
 *
 * Lock: readers hold the kernel shared and the address space; writers hold the kernel alone.
 */
#include "kernel/object/region.h"

#include "kernel/core/panic.h"

/* Lock: shared. */
struct region *region_find(u32 root, u64 address)
{
    while (root) {
        struct region *r = region_at(root);
        if (address < r->start)
            root = r->node.left;
        else if (address >= r->end)
            root = r->node.right;
        else
            return r;
    }
    return NULL;
}

/* Lock: shared. */
struct region *region_find_next(u32 root, u64 address)
{
    struct region *best = NULL;

    while (root) {
        struct region *r = region_at(root);
        if (address < r->end) {
            best = r;
            root = r->node.left;
        } else {
            root = r->node.right;
        }
    }
    return best;
}

/* Lock: alone. */
u32 region_insert(u32 root, struct region *r)
{
    return tree_insert(root, &r->node);
}

/* Lock: alone. */
u32 region_remove(u32 root, struct region *r)
{
    return tree_remove(root, &r->node);
}

/* R1 of the regions of a subtree, in order; the end of the last.  Recursion is bounded by the height
 * of a tree. */
static u64 check_ranges(u32 number, u64 low)
{
    struct region *r = number ? region_at(number) : NULL;

    if (!r)
        return low;
    low = check_ranges(r->node.left, low);
    assert(r->start < r->end && r->start >= low && r->end <= USER_REGION_TOP);
    assert(is_aligned(r->start | r->end, PAGE_SIZE));
    return check_ranges(r->node.right, r->end);
}

/* Lock: shared. */
u64 region_tree_check(u32 root)
{
    u64 regions = tree_check(root);

    check_ranges(root, PAGE_SIZE);
    return regions;
}
