/* SPDX-License-Identifier: MIT */
/*
 * Radix trees of pages: page tables and page indexes.
 *
 * One walker, one allocator and one free routine serve both, because an inner entry has the
 * page-table format in both and the leaf entries belong to the callers.  A node is a frame of state
 * KERNEL, zeroed, paid by the bank that radix_make is given.  The frame record of an inner node
 * counts the entries in use, so that pruning never scans one; leaf entries are written without this
 * file hearing of it, so a leaf is scanned.
 *
 * The tempting wrong design is to free a node as soon as its last entry is cleared: a thread that
 * waits keeps the address of an entry.  Callers say when a range may be pruned.
 */
#include "kernel/object/radix.h"

#include "kernel/core/panic.h"
#include "kernel/object/bank.h"
#include "lib/base/string.h"

#define INDEX_MASK (RADIX_ENTRIES - 1)

/* An inner entry is page number << 10 | RADIX_INNER and nothing else, so shifting it by two gives
 * the node's physical address plus 4; no mask is needed, and the 4 ends up in the offset of a load. */
static inline u64 *node_of(u64 inner)
{
    return (u64 *)((u8 *)kva_from_paddr(paddr(inner << 2)) - (RADIX_INNER << 2));
}

static inline u64 inner_entry(const u64 *node)
{
    return paddr_from_kva(node).addr >> 2 | RADIX_INNER;
}

static inline u64 *root_node(const struct radix *r)
{
    return kva_from_paddr(paddr(r->root));
}

/* Pages under one entry of a node of that level (0 = leaf), as a shift. */
static inline unsigned level_shift(unsigned level)
{
    return level * RADIX_BITS;
}

/* Pages that a tree of r's depth can hold. */
static u64 reach(const struct radix *r)
{
    return 1ul << level_shift(r->depth);
}

u8 radix_depth(u64 npages)
{
    u8 depth = 1;

    while (depth < RADIX_MAX_DEPTH && npages > 1ul << level_shift(depth))
        depth++;
    return depth;
}

/* Root present, depth known to the compiler where it matters: eight instructions a level. */
static inline __attribute__((always_inline)) u64 *walk(u64 root, u64 index, unsigned depth)
{
    u64 *node = kva_from_paddr(paddr(root));

    for (unsigned level = depth - 1; level > 0; level--) {
        u64 inner = node[index >> level_shift(level) & INDEX_MASK];
        if (inner == 0)
            return NULL;
        node = node_of(inner);
    }
    return &node[index & INDEX_MASK];
}

u64 *radix_find(const struct radix *r, u64 index)
{
    if (r->root == 0)
        return NULL;
    if (r->depth == 3)
        return walk(r->root, index, 3);
    return walk(r->root, index, r->depth);
}

static u64 *node_alloc(struct bank *bank)
{
    struct frame *f = bank_frame_alloc_zeroed(bank);

    if (!f)
        return NULL;
    f->used = 0;
    return frame_kva(f);
}

static void node_free(u64 *node)
{
    bank_frame_free(frame_of_kva(node), 0);
}

/* Free a chain of nodes, each the only child of the one above; `level` is the level of `top`,
 * `bottom` that of the lowest node made. */
static void chain_free(u64 *top, u64 index, unsigned level, unsigned bottom)
{
    while (level > bottom) {
        u64 *below = node_of(top[index >> level_shift(level) & INDEX_MASK]);
        node_free(top);
        top = below;
        level--;
    }
    node_free(top);
}

/* Make the nodes for `index` from `level` down to the leaf, linked to each other and to nothing
 * else.  NULL: no room, all is freed again.  *leaf = the lowest. */
static u64 *chain_make(u64 index, unsigned level, struct bank *bank, u64 **leaf)
{
    u64 *top = node_alloc(bank);
    u64 *node = top;

    if (!top)
        return NULL;
    for (unsigned l = level; l > 0; l--) {
        u64 *below = node_alloc(bank);
        if (!below) {
            chain_free(top, index, level, l);
            return NULL;
        }
        node[index >> level_shift(l) & INDEX_MASK] = inner_entry(below);
        frame_of_kva(node)->used = 1;
        node = below;
    }
    *leaf = node;
    return top;
}

/* Lock: that of the tree's holder.  One store makes the new nodes part of the tree. */
u64 *radix_make(struct radix *r, u64 index, struct bank *bank)
{
    unsigned level = r->depth - 1u;
    u64 *leaf, *node, *chain;

    assert(r->depth >= 1 && r->depth <= RADIX_MAX_DEPTH && index < reach(r));
    if (r->root == 0) {
        chain = chain_make(index, level, bank, &leaf);
        if (!chain)
            return NULL;
        r->root = paddr_from_kva(chain).addr;
        return &leaf[index & INDEX_MASK];
    }
    node = root_node(r);
    for (; level > 0; level--) {
        u64 *entry = &node[index >> level_shift(level) & INDEX_MASK];
        if (*entry == 0) {
            chain = chain_make(index, level - 1, bank, &leaf);
            if (!chain)
                return NULL;
            *entry = inner_entry(chain);
            frame_of_kva(node)->used++;
            return &leaf[index & INDEX_MASK];
        }
        node = node_of(*entry);
    }
    return &node[index & INDEX_MASK];
}

bool radix_grow(struct radix *r, u64 npages, struct bank *bank)
{
    while (r->depth < radix_depth(npages)) {
        if (r->root) { /* it hangs at the first place of the new root */
            u64 *top = node_alloc(bank);
            if (!top)
                return false;
            top[0] = inner_entry(root_node(r));
            frame_of_kva(top)->used = 1;
            r->root = paddr_from_kva(top).addr;
        }
        r->depth++;
    }
    return true;
}

u64 *radix_make_root(struct radix *r, struct bank *bank)
{
    u64 *node = node_alloc(bank);

    if (!node)
        return NULL;
    frame_of_kva(node)->used = 1; /* never counts down to 0, so radix_prune keeps it */
    r->root = paddr_from_kva(node).addr;
    return node;
}

/* The leaf entry of `index` as radix_find; *end = the first index beyond its leaf node or, where
 * there is none, beyond what is missing as one piece. */
static u64 *seek(const struct radix *r, u64 index, u64 *end)
{
    unsigned level = r->depth - 1u;
    u64 *node;

    if (r->root == 0) {
        *end = reach(r);
        return NULL;
    }
    node = root_node(r);
    for (; level > 0; level--) {
        u64 inner = node[index >> level_shift(level) & INDEX_MASK];
        if (inner == 0) {
            *end = ((index >> level_shift(level)) + 1) << level_shift(level);
            return NULL;
        }
        node = node_of(inner);
    }
    *end = (index | INDEX_MASK) + 1;
    return &node[index & INDEX_MASK];
}

/* The end of [first, first + count) where it lies inside the tree. */
static u64 range_limit(const struct radix *r, u64 first, u64 count)
{
    u64 limit;

    if (add_overflows(first, count, &limit))
        limit = reach(r);
    return r->depth == 0 ? 0 : MIN(limit, reach(r));
}

/* Cost: per entry of the nodes that exist, per gap between them. */
void radix_for_each(const struct radix *r, u64 first, u64 count, radix_visit *visit, void *context)
{
    u64 limit = range_limit(r, first, count);

    for (u64 index = first; index < limit;) {
        u64 end;
        u64 *entry = seek(r, index, &end);

        end = MIN(end, limit);
        if (!entry)
            index = end;
        for (; index < end; index++, entry++)
            if (*entry)
                visit(entry, index, context);
    }
}

u64 radix_skip_gap(const struct radix *r, u64 index)
{
    u64 end;

    if (r->depth == 0 || index >= reach(r))
        return ~0ul;
    return seek(r, index, &end) ? index : end;
}

u64 radix_next_used(const struct radix *r, u64 first, u64 limit)
{
    u64 inside = first < limit ? range_limit(r, first, limit - first) : 0;

    for (u64 index = first; index < inside;) {
        u64 end;
        u64 *entry = seek(r, index, &end);

        end = MIN(end, inside);
        if (!entry)
            index = end;
        for (; index < end; index++, entry++)
            if (*entry)
                return index;
    }
    return limit;
}

/* Free the leaf node of `index`, which exists, and each inner node that this leaves empty.  Returns
 * the nodes freed. */
static u64 leaf_free(struct radix *r, u64 index)
{
    u64 *path[RADIX_MAX_DEPTH]; /* by level */
    u64 freed = 1;

    path[r->depth - 1] = root_node(r);
    for (unsigned level = r->depth - 1u; level > 0; level--)
        path[level - 1] = node_of(path[level][index >> level_shift(level) & INDEX_MASK]);
    node_free(path[0]);
    for (unsigned level = 1; level < r->depth; level++, freed++) {
        path[level][index >> level_shift(level) & INDEX_MASK] = 0;
        if (--frame_of_kva(path[level])->used != 0)
            return freed;
        node_free(path[level]);
    }
    r->root = 0;
    return freed;
}

static bool leaf_is_empty(const u64 *leaf)
{
    for (unsigned i = 0; i < RADIX_ENTRIES; i++)
        if (leaf[i])
            return false;
    return true;
}

/* Lock: that of the tree's holder; nobody keeps the address of an entry in the range. */
u64 radix_prune(struct radix *r, u64 first, u64 count)
{
    u64 limit = range_limit(r, first, count);
    u64 freed = 0;

    for (u64 index = align_up(first, RADIX_ENTRIES); index + RADIX_ENTRIES <= limit;) {
        u64 end;
        u64 *leaf = seek(r, index, &end);

        if (leaf && leaf_is_empty(leaf))
            freed += leaf_free(r, index);
        index = end;
    }
    return freed;
}

#define ENTRIES_PER_STEP 64u

/* Lock: that of the tree's holder; nobody keeps the address of an entry. */
bool radix_empty_step(struct radix *r, u64 *at, u64 limit, radix_visit *visit, void *context)
{
    u64 inside = range_limit(r, 0, limit), end, stop;
    u64 *entry;

    if (r->root == 0 || *at >= inside)
        return true;
    entry = seek(r, *at, &end);
    stop = entry ? MIN(*at + ENTRIES_PER_STEP, end) : end;
    for (u64 index = *at; entry && index < stop; index++, entry++) {
        if (*entry)
            visit(entry, index, context);
        assert(*entry == 0);
    }
    if (entry && stop == end)
        leaf_free(r, *at);
    *at = stop;
    return r->root == 0 || stop >= inside;
}

void radix_free_root(struct radix *r)
{
    assert(frame_of_kva(root_node(r))->used == 1);
    node_free(root_node(r));
    r->root = 0;
}
