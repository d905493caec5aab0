/* SPDX-License-Identifier: MIT */
/*
 * The tree of an address space's regions: AVL, by start address, links as slot numbers.
 *
 * A region has no parent link.  Inserting and removing remember the way down in an array, so there
 * is no recursion; the array is short because regions are 128 bytes of a 128 GiB physical space,
 * which bounds the height (see REGION_MAX_HEIGHT).
 *
 * Lock: readers hold the kernel shared and the address space; writers hold the kernel alone.
 */
#include "kernel/object/region.h"

#include "kernel/core/panic.h"

/* At most 2^30 regions fit in physical memory, and an AVL tree of n nodes is at most
 * 1.4405 log2(n + 2) high. */
#define REGION_MAX_HEIGHT 44

static inline struct region *region_at(u32 number)
{
    return slot_pointer(number);
}

static inline unsigned height_of(u32 number)
{
    return number ? region_at(number)->height : 0;
}

static void height_update(struct region *r)
{
    r->height = (u8)(1 + MAX(height_of(r->left), height_of(r->right)));
}

/* Lock: shared. */
struct region *region_find(u32 root, u64 address)
{
    while (root) {
        struct region *r = region_at(root);
        if (address < r->start)
            root = r->left;
        else if (address >= r->end)
            root = r->right;
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
            root = r->left;
        } else {
            root = r->right;
        }
    }
    return best;
}

/* The left child takes the place of `r`, which becomes its right child. */
static u32 rotate_right(struct region *r)
{
    u32 top = r->left;

    r->left = region_at(top)->right;
    region_at(top)->right = slot_number(r);
    height_update(r);
    height_update(region_at(top));
    return top;
}

static u32 rotate_left(struct region *r)
{
    u32 top = r->right;

    r->right = region_at(top)->left;
    region_at(top)->left = slot_number(r);
    height_update(r);
    height_update(region_at(top));
    return top;
}

/* Restore R2 at one node whose subtrees are balanced and differ by at most 2; the new top. */
static u32 balance(u32 number)
{
    struct region *r = region_at(number);
    unsigned left = height_of(r->left), right = height_of(r->right);

    if (left > right + 1) {
        struct region *l = region_at(r->left);
        if (height_of(l->right) > height_of(l->left))
            r->left = rotate_left(l);
        return rotate_right(r);
    }
    if (right > left + 1) {
        struct region *l = region_at(r->right);
        if (height_of(l->left) > height_of(l->right))
            r->right = rotate_right(l);
        return rotate_left(r);
    }
    height_update(r);
    return number;
}

/* The way from the root to a place in the tree: the links followed. */
struct way {
    u32 *link[REGION_MAX_HEIGHT + 1];
    unsigned length;
};

static void way_push(struct way *w, u32 *link)
{
    assert(w->length <= REGION_MAX_HEIGHT);
    w->link[w->length++] = link;
}

/* The subtree at the last link has changed its height by one: balance the nodes above, from the
 * bottom up, and stop where a subtree's height is as before. */
static void way_balance(struct way *w)
{
    for (w->length--; w->length > 0; w->length--) {
        u32 *link = w->link[w->length - 1];
        unsigned before = height_of(*link);

        *link = balance(*link);
        if (height_of(*link) == before)
            return;
    }
}

/* Follow links to the place of `start`; the last link names a region with that start or nothing. */
static void way_to(struct way *w, u32 *root, u64 start)
{
    u32 *link = root;

    w->length = 0;
    way_push(w, link);
    while (*link && region_at(*link)->start != start) {
        struct region *r = region_at(*link);
        link = start < r->start ? &r->left : &r->right;
        way_push(w, link);
    }
}

/* Lock: alone. */
u32 region_insert(u32 root, struct region *r)
{
    struct way w;

    way_to(&w, &root, r->start);
    assert(*w.link[w.length - 1] == 0);
    r->left = r->right = 0;
    r->height = 1;
    *w.link[w.length - 1] = slot_number(r);
    way_balance(&w);
    return root;
}

/* Lock: alone. */
u32 region_remove(u32 root, struct region *r)
{
    struct region *next;
    unsigned place;
    struct way w;

    way_to(&w, &root, r->start);
    place = w.length - 1;
    assert(*w.link[place] == slot_number(r));
    if (!r->left || !r->right) {
        *w.link[place] = r->left ? r->left : r->right;
        way_balance(&w);
        r->left = r->right = 0;
        return root;
    }

    /* Two children: the next region in order leaves its own place and takes this one's. */
    way_push(&w, &r->right);
    while (region_at(*w.link[w.length - 1])->left)
        way_push(&w, &region_at(*w.link[w.length - 1])->left);
    next = region_at(*w.link[w.length - 1]);
    *w.link[w.length - 1] = next->right;
    next->left = r->left;
    next->right = r->right;
    next->height = r->height;
    *w.link[place] = slot_number(next);
    w.link[place + 1] = &next->right; /* was r->right */
    way_balance(&w);
    r->left = r->right = 0;
    return root;
}

/* R1 and R2 of a subtree whose regions must lie in [low, high).  Recursion is bounded by
 * REGION_MAX_HEIGHT. */
static u64 subtree_check(u32 number, u64 low, u64 high)
{
    const struct region *r = region_at(number);
    unsigned left, right;

    if (number == 0)
        return 0;
    assert(r->start < r->end && r->start >= low && r->end <= high);
    assert(is_aligned(r->start | r->end, PAGE_SIZE));
    left = height_of(r->left);
    right = height_of(r->right);
    assert(r->height == 1 + MAX(left, right) && r->height <= REGION_MAX_HEIGHT);
    assert(left <= right + 1 && right <= left + 1);
    return 1 + subtree_check(r->left, low, r->start) + subtree_check(r->right, r->end, high);
}

/* Lock: shared. */
u64 region_tree_check(u32 root)
{
    return subtree_check(root, PAGE_SIZE, USER_REGION_TOP);
}
