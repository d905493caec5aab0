/* SPDX-License-Identifier: MIT */
/*
 * Radix trees of pages with 512 eight-byte entries: page tables and page indexes alike.
 *
 * Both map a page number to an eight-byte leaf entry; both use the page-table format for inner
 * entries (page number << 10 | 1), so that one walker, one allocator and one free routine serve
 * both.  Depth 1 is a single leaf node (2 MiB), 3 is Sv39's (512 GiB), 6 covers 2^54 pages.
 * The number of entries per level is a parameter of this header so that checkers can shrink it.
 */
#ifndef KERNEL_OBJECT_RADIX_H
#define KERNEL_OBJECT_RADIX_H

#include "arch/address.h"
#include "lib/abi/abi.h"
#include "lib/base/types.h"

struct bank;

#ifndef RADIX_BITS
#define RADIX_BITS 9
#endif
#define RADIX_ENTRIES   (1u << RADIX_BITS)
#define RADIX_MAX_DEPTH 6
#define RADIX_INNER     1ul /* valid, no R, W, X: an inner entry */

/* A tree: root node's physical address (0 = none yet) and its depth (1 to 6, fixed). */
struct radix {
    u64 root;
    u8 depth;
};

/* Depth needed for that many pages. */
u8 radix_depth(u64 npages);

/* The leaf entry of `index`, or NULL where no leaf node exists.  index must be below the reach of
 * the depth. */
u64 *radix_find(const struct radix *r, u64 index);

/* The same, making nodes (zeroed, paid by `bank`) as needed.  NULL: the bank has no room, nothing
 * has changed. */
u64 *radix_make(struct radix *r, u64 index, struct bank *bank);

/* Make the tree reach at least `npages` pages, at most 2^54; entries stay where they are.  False: no
 * room; it may reach further than before all the same. */
bool radix_grow(struct radix *r, u64 npages, struct bank *bank);

/*
 * Call visit(entry, index, context) for every non-zero leaf entry in [first, first + count), in
 * order, skipping missing nodes whole.  visit may clear the entry.
 */
typedef void radix_visit(u64 *entry, u64 index, void *context);
void radix_for_each(const struct radix *r, u64 first, u64 count, radix_visit *visit, void *context);

/* `index` where it has a leaf node; else the first index beyond what is missing around it as one
 * piece.  Cost: one walk. */
u64 radix_skip_gap(const struct radix *r, u64 index);

/* The first index in [first, limit) whose leaf entry is not zero (missing nodes are zero), or limit. */
u64 radix_next_used(const struct radix *r, u64 first, u64 limit);

/* A root without children that radix_prune never frees, for a tree of depth over 1 that has none; the
 * caller may fill root entries of its own (a page table's kernel half).  NULL: no room. */
u64 *radix_make_root(struct radix *r, struct bank *bank);

/* Free every leaf node that lies wholly inside [first, first + count) and is all zeros, then inner
 * nodes that became empty, the root too.  Returns how many nodes that were: a page table's holder
 * then flushes everything of the space, since hardware may keep inner entries. */
u64 radix_prune(struct radix *r, u64 first, u64 count);

/*
 * A bounded step of emptying the tree from index *at on, which begins at 0: some entries of a leaf node
 * are visited (which must clear those that are not zero), or a gap is passed over; a leaf node that is
 * through is freed, with the inner nodes above it that this leaves empty.  True: all below `limit` is
 * through.  The root stays where radix_make_root made it.
 */
MUST_CHECK bool radix_empty_step(struct radix *r, u64 *at, u64 limit, radix_visit *visit,
                                 void *context);

/* Free the root of an otherwise empty tree that radix_make_root made. */
void radix_free_root(struct radix *r);

#endif
