/* SPDX-License-Identifier: MIT */
// sources: kernel/core/tree.c test/unit/fake/arena.c test/unit/fake/panic.c
/*
 * Claim: a tree gives back its nodes in the order of their keys, equal keys side by side, whatever
 * was inserted and removed; and finds the nearest node on either side of any key.
 *
 * The balance and the check are tried by test_region.c, whose regions are such nodes; here keys are
 * equal as often as not.  A removal that takes another node with the same key makes it fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/core/tree.h"
#include "test/unit/base/support.h"
#include "test/unit/fake/panic.h"

#define NODES 300u
#define KEYS  60u

static struct random rng;
static u32 root;
static bool in_tree[NODES];

static struct tree_node *node(unsigned i)
{
    return kva_from_paddr(paddr(FAKE_BASE + 64 * i));
}

/* Is a before b, as the tree orders them? */
static bool before(unsigned a, unsigned b)
{
    return node(a)->key < node(b)->key || (node(a)->key == node(b)->key && a < b);
}

static struct tree_node *model_first(void)
{
    unsigned best = NODES;

    for (unsigned i = 0; i < NODES; i++)
        if (in_tree[i] && (best == NODES || before(i, best)))
            best = i;
    return best < NODES ? node(best) : NULL;
}

/* The keys on either side; which of several equal ones is found does not matter. */
static void look_up(u64 key)
{
    const struct tree_node *low = tree_at_or_before(root, key), *high = tree_after(root, key);
    u64 best_low = 0, best_high = ~0ul;
    bool have_low = false, have_high = false;

    for (unsigned i = 0; i < NODES; i++) {
        if (!in_tree[i])
            continue;
        if (node(i)->key <= key) {
            best_low = have_low ? MAX(best_low, node(i)->key) : node(i)->key;
            have_low = true;
        } else {
            best_high = MIN(best_high, node(i)->key);
            have_high = true;
        }
    }
    assert_int_equal(have_low, low != NULL);
    assert_int_equal(have_high, high != NULL);
    if (low)
        assert_int_equal(low->key, best_low);
    if (high)
        assert_int_equal(high->key, best_high);
}

static void equal_keys_keep_apart(void **state)
{
    u64 count = 0;

    (void)state;
    rng = seeded("tree");
    fake_arena_init();
    for (unsigned step = 0; step < 20000; step++) {
        unsigned i = (unsigned)random_below(&rng, NODES);

        if (in_tree[i]) {
            root = tree_remove(root, node(i));
            in_tree[i] = false;
            count--;
        } else if (step % 4000 < 2500 || random_below(&rng, 4) == 0) {
            node(i)->key = random_below(&rng, KEYS);
            root = tree_insert(root, node(i));
            in_tree[i] = true;
            count++;
        }
        if (step % 8 == 0)
            assert_int_equal(tree_check(root), count);
        look_up(random_below(&rng, KEYS + 2));
    }
    while (count > 0) { /* first to last */
        struct tree_node *first = tree_first(root);

        assert_ptr_equal(first, model_first());
        root = tree_remove(root, first);
        in_tree[((u64)first - (u64)node(0)) / 64] = false;
        count--;
    }
    assert_int_equal(root, 0);
    assert_null(tree_first(root));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_keys_keep_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
