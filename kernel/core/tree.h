/* SPDX-License-Identifier: MIT */
/*
 * Balanced trees of things ordered by a number: an address space's regions by address, a hart's
 * timers by time.
 *
 * A node lies in the thing itself and links by slot number (physical address / 32), so the thing is
 * 32-byte aligned and the node is its start or at a multiple of 32 bytes in it.  Equal keys are
 * allowed and ordered by place in memory.  Nothing here allocates, and nothing recurses but the check.
 */
#ifndef KERNEL_CORE_TREE_H
#define KERNEL_CORE_TREE_H

#include "arch/address.h"
#include "lib/abi/abi.h"
#include "lib/base/types.h"

/* Y1 keys of the left subtree are below, those of the right above (equal keys: by slot number);
 * heights of the two differ by at most 1. */
struct tree_node {
    u64 key;
    u32 left, right; /* slot numbers of nodes */
    u8 height;       /* of the subtree that begins here; 1 = a leaf */
    u8 spare[3];
    u32 owned; /* the holder's own use */
};
_Static_assert(sizeof(struct tree_node) == 24, "part of a region");

/* Insert a node whose key is set; remove one that is in the tree.  The new root.
 * Cost: the height, at most 1.44 log2 of the nodes. */
MUST_CHECK u32 tree_insert(u32 root, struct tree_node *n);
MUST_CHECK u32 tree_remove(u32 root, struct tree_node *n);

/* The node with the least key; NULL: the tree is empty. */
struct tree_node *tree_first(u32 root);
/* The node with the greatest key that is not above `key`; the one with the least key above it. */
struct tree_node *tree_at_or_before(u32 root, u64 key);
struct tree_node *tree_after(u32 root, u64 key);

/* Debug: assert Y1 of a whole tree; returns the number of nodes. */
u64 tree_check(u32 root);

#endif
