/* SPDX-License-Identifier: MIT */
/*
 * Balanced trees (AVL) of things ordered by a number.  See tree.h.
 *
 * A node has no parent link.  Inserting and removing remember the way down in an array, so there is
 * no recursion; the array is short because a node is 32-byte aligned in a 128 GiB physical space,
 * which bounds the height (see TREE_MAX_HEIGHT).
 *
 * The tempting other design, a sorted list, is as long as its users like, and a loop over it would
 * be a delay for everybody.
 *
 * Lock: readers and writers hold what protects the tree's holder.
 */
#include "kernel/core/tree.h"

#include "kernel/core/panic.h"

/* At most 2^32 nodes fit in physical memory, and an AVL tree of n nodes is at most
 * 1.4405 log2(n + 2) high. */
#define TREE_MAX_HEIGHT 47

static inline struct tree_node *node_at(u32 number)
{
    return slot_pointer(number);
}

static inline unsigned height_of(u32 number)
{
    return number ? node_at(number)->height : 0;
}

static void height_update(struct tree_node *n)
{
    n->height = (u8)(1 + MAX(height_of(n->left), height_of(n->right)));
}

struct tree_node *tree_first(u32 root)
{
    struct tree_node *n = node_at(root);

    while (n && n->left)
        n = node_at(n->left);
    return n;
}

struct tree_node *tree_at_or_before(u32 root, u64 key)
{
    struct tree_node *best = NULL;

    while (root) {
        struct tree_node *n = node_at(root);
        if (n->key <= key)
            best = n;
        root = n->key <= key ? n->right : n->left;
    }
    return best;
}

struct tree_node *tree_after(u32 root, u64 key)
{
    struct tree_node *best = NULL;

    while (root) {
        struct tree_node *n = node_at(root);
        if (n->key > key)
            best = n;
        root = n->key > key ? n->left : n->right;
    }
    return best;
}

/* The left child takes the place of `n`, which becomes its right child. */
static u32 rotate_right(struct tree_node *n)
{
    u32 top = n->left;

    n->left = node_at(top)->right;
    node_at(top)->right = slot_number(n);
    height_update(n);
    height_update(node_at(top));
    return top;
}

static u32 rotate_left(struct tree_node *n)
{
    u32 top = n->right;

    n->right = node_at(top)->left;
    node_at(top)->left = slot_number(n);
    height_update(n);
    height_update(node_at(top));
    return top;
}

/* Restore Y1 at one node whose subtrees are balanced and differ by at most 2; the new top. */
static u32 balance(u32 number)
{
    struct tree_node *n = node_at(number);
    unsigned left = height_of(n->left), right = height_of(n->right);

    if (left > right + 1) {
        struct tree_node *l = node_at(n->left);
        if (height_of(l->right) > height_of(l->left))
            n->left = rotate_left(l);
        return rotate_right(n);
    }
    if (right > left + 1) {
        struct tree_node *l = node_at(n->right);
        if (height_of(l->left) > height_of(l->right))
            n->right = rotate_right(l);
        return rotate_left(n);
    }
    height_update(n);
    return number;
}

/* The way from the root to a place in the tree: the links followed. */
struct way {
    u32 *link[TREE_MAX_HEIGHT + 1];
    unsigned length;
};

static void way_push(struct way *w, u32 *link)
{
    assert(w->length <= TREE_MAX_HEIGHT);
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

/* Follow links to the place of `n`; the last link names it, or nothing. */
static void way_to(struct way *w, u32 *root, const struct tree_node *n)
{
    u32 *link = root, number = slot_number(n);

    w->length = 0;
    way_push(w, link);
    while (*link && *link != number) {
        struct tree_node *at = node_at(*link);
        bool below = n->key < at->key || (n->key == at->key && number < *link);

        link = below ? &at->left : &at->right;
        way_push(w, link);
    }
}

u32 tree_insert(u32 root, struct tree_node *n)
{
    struct way w;

    way_to(&w, &root, n);
    assert(*w.link[w.length - 1] == 0);
    n->left = n->right = 0;
    n->height = 1;
    *w.link[w.length - 1] = slot_number(n);
    way_balance(&w);
    return root;
}

u32 tree_remove(u32 root, struct tree_node *n)
{
    struct tree_node *next;
    unsigned place;
    struct way w;

    way_to(&w, &root, n);
    place = w.length - 1;
    assert(*w.link[place] == slot_number(n));
    if (!n->left || !n->right) {
        *w.link[place] = n->left ? n->left : n->right;
        way_balance(&w);
        n->left = n->right = 0;
        return root;
    }

    /* Two children: the next node in order leaves its own place and takes this one's. */
    way_push(&w, &n->right);
    while (node_at(*w.link[w.length - 1])->left)
        way_push(&w, &node_at(*w.link[w.length - 1])->left);
    next = node_at(*w.link[w.length - 1]);
    *w.link[w.length - 1] = next->right;
    next->left = n->left;
    next->right = n->right;
    next->height = n->height;
    *w.link[place] = slot_number(next);
    w.link[place + 1] = &next->right; /* was n->right */
    way_balance(&w);
    n->left = n->right = 0;
    return root;
}

/* Y1 of a subtree, whose nodes lie between two neighbours in order (NULL: none on that side).
 * Recursion is bounded by TREE_MAX_HEIGHT. */
static bool in_order(const struct tree_node *a, const struct tree_node *b)
{
    return !a || !b || a->key < b->key || (a->key == b->key && slot_number(a) < slot_number(b));
}

static u64 subtree_check(u32 number, const struct tree_node *low, const struct tree_node *high)
{
    const struct tree_node *n = node_at(number);
    unsigned left, right;

    if (number == 0)
        return 0;
    assert(in_order(low, n) && in_order(n, high));
    left = height_of(n->left);
    right = height_of(n->right);
    assert(n->height == 1 + MAX(left, right) && n->height <= TREE_MAX_HEIGHT);
    assert(left <= right + 1 && right <= left + 1);
    return 1 + subtree_check(n->left, low, n) + subtree_check(n->right, n, high);
}

u64 tree_check(u32 root)
{
    return subtree_check(root, NULL, NULL);
}
