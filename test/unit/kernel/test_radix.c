/* SPDX-License-Identifier: MIT */
// sources: kernel/object/radix.c test/unit/fake/arena.c test/unit/fake/panic.c
/*
 * Claim: a radix tree holds at each index what was stored there and nothing elsewhere; an entry's
 * address never changes until its leaf is pruned; making is all or nothing at whatever allocation
 * the bank says no; and the nodes in existence are exactly those on the way to leaves that were made
 * and not pruned: nothing leaks, nothing is freed that is still needed.
 *
 * The model is a table of sparse indexes with their values and the addresses of their entries, and
 * the set of leaves.  A wrong shift, a count of used entries that drifts, a prune that goes past its
 * range, a node not zeroed or a chain not freed after a failure make it fail.  test_radix_tiny.c
 * runs the same with four entries a node, where every case is near.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/object/bank.h"
#include "kernel/object/radix.h"
#include "lib/base/string.h"
#include "test/unit/base/support.h"
#include "test/unit/fake/panic.h"

/* ------------------------------------------------------------------------------ a bank of pages */

#define POOL 8192u /* pages of the arena given out, more than any test needs */

static struct {
    bool taken[POOL];
    u64 live;
    u64 budget; /* allocations until the bank has no room */
    u64 next;
} pool;

static void pool_reset(void)
{
    fake_arena_init();
    memset(&pool, 0, sizeof(pool));
    pool.budget = POOL;
}

struct frame *bank_frame_alloc(struct bank *b, unsigned order)
{
    (void)b;
    assert_int_equal(order, 0);
    if (pool.budget == 0)
        return NULL;
    pool.budget--;
    while (pool.taken[pool.next])
        pool.next = (pool.next + 1) % POOL;
    pool.taken[pool.next] = true;
    pool.live++;
    return frame_of(paddr(FAKE_BASE + (pool.next << PAGE_SHIFT)));
}

void bank_frame_free(struct frame *f, unsigned order)
{
    u64 page = frame_number(f) - (FAKE_BASE >> PAGE_SHIFT);

    assert_int_equal(order, 0);
    assert_true(page < POOL && pool.taken[page]);
    pool.taken[page] = false;
    pool.live--;
    memset(frame_kva(f), 0xa5, PAGE_SIZE); /* whoever still looks there finds rubbish */
}

struct frame *bank_frame_alloc_zeroed(struct bank *b)
{
    struct frame *f = bank_frame_alloc(b, 0);

    return f ? (memset(frame_kva(f), 0, PAGE_SIZE), f) : NULL;
}

void page_zero(void *page)
{
    memset(page, 0, PAGE_SIZE);
}

/* ------------------------------------------------------------------------------------ the model */

#define MAX_PLACES 1024u

static struct random rng;
static struct radix tree;
static u64 root_nodes; /* 1: the root was made by radix_make_root and stays */

/* Indexes that the test uses, ascending; values; address of the entry where the leaf exists. */
static struct place {
    u64 index;
    u64 value;
    u64 *entry;
} places[MAX_PLACES];
static unsigned nplaces;

static unsigned shift_of(unsigned level)
{
    return level * RADIX_BITS;
}

static u64 leaf_of(u64 index)
{
    return index >> RADIX_BITS;
}

/* Nodes that must exist: distinct ancestors of leaves that exist. */
static u64 model_nodes(void)
{
    u64 nodes = 0;

    for (unsigned level = 0; level < tree.depth; level++) {
        u64 last = ~0ul;
        for (unsigned i = 0; i < nplaces; i++) {
            u64 node = places[i].index >> shift_of(level + 1);
            if (places[i].entry && node != last) {
                nodes++;
                last = node;
            }
        }
        if (level == tree.depth - 1u && last == ~0ul)
            nodes += root_nodes;
    }
    return nodes;
}

/* Nodes that making this index would take. */
static u64 model_missing(u64 index)
{
    u64 missing = 0;

    for (unsigned level = 0; level < tree.depth; level++) {
        bool exists = level == tree.depth - 1u && root_nodes;
        for (unsigned i = 0; i < nplaces; i++)
            exists |= places[i].entry &&
                      places[i].index >> shift_of(level + 1) == index >> shift_of(level + 1);
        missing += !exists;
    }
    return missing;
}

static int by_index(const void *a, const void *b)
{
    u64 x = ((const struct place *)a)->index, y = ((const struct place *)b)->index;

    return x < y ? -1 : x > y;
}

/* Places in clusters, so that leaves and inner nodes are shared as well as lone; both ends of the
 * tree are among them. */
static void choose_places(u64 limit)
{
    u64 base = 0, count = MIN((u64)MAX_PLACES, limit);

    for (unsigned i = 0; i < count; i++) {
        u64 span = 1ul << shift_of(1 + random_below(&rng, tree.depth));
        if (i % 16 == 0)
            base = random_below(&rng, limit);
        places[i] = (struct place){.index = (base + random_below(&rng, span)) % limit};
    }
    places[0].index = 0;
    places[1].index = limit - 1;
    qsort(places, count, sizeof(places[0]), by_index);
    nplaces = 0;
    for (unsigned i = 0; i < count; i++)
        if (nplaces == 0 || places[i].index != places[nplaces - 1].index)
            places[nplaces++] = places[i];
}

static void check_all(void)
{
    for (unsigned i = 0; i < nplaces; i++) {
        u64 *entry = radix_find(&tree, places[i].index);
        assert_ptr_equal(entry, places[i].entry);
        if (entry)
            assert_int_equal(*entry, places[i].value);
    }
    assert_int_equal(pool.live, model_nodes());
    assert_int_equal(tree.root != 0, model_nodes() != 0);
}

/* -------------------------------------------------------------------------------- the operations */

static void do_make(unsigned i)
{
    u64 missing = model_missing(places[i].index);
    u64 *entry;

    pool.budget = random_below(&rng, 4) ? POOL : random_below(&rng, tree.depth + 1ul);
    if (pool.budget < missing) {
        assert_null(radix_make(&tree, places[i].index, NULL));
        pool.budget = POOL;
        check_all();
        return;
    }
    pool.budget = missing; /* and not one more */
    entry = radix_make(&tree, places[i].index, NULL);
    assert_non_null(entry);
    pool.budget = POOL;
    if (places[i].entry)
        assert_ptr_equal(entry, places[i].entry);
    for (unsigned k = 0; k < nplaces; k++) {
        if (leaf_of(places[k].index) != leaf_of(places[i].index))
            continue;
        if (places[k].entry == NULL) {
            places[k].entry = entry + (i64)(places[k].index - places[i].index);
            assert_int_equal(*places[k].entry, 0);
        }
    }
}

static void do_store(unsigned i)
{
    u64 *entry = radix_find(&tree, places[i].index);

    assert_ptr_equal(entry, places[i].entry);
    if (!entry)
        return;
    places[i].value = random_below(&rng, 3) ? random_next(&rng) : 0;
    *entry = places[i].value;
}

struct visits {
    unsigned at; /* next place that may be visited */
    u64 end;
    bool clear;
};

static void visit(u64 *entry, u64 index, void *context)
{
    struct visits *v = context;

    while (v->at < nplaces && places[v->at].value == 0)
        v->at++;
    assert_true(v->at < nplaces && index < v->end);
    assert_int_equal(index, places[v->at].index);
    assert_ptr_equal(entry, places[v->at].entry);
    if (v->clear)
        *entry = places[v->at].value = 0;
    v->at++;
}

static void choose_range(u64 *first, u64 *count)
{
    u64 limit = 1ul << shift_of(tree.depth);
    const struct place *p = &places[random_below(&rng, nplaces)];

    *first = random_below(&rng, 2) ? p->index : random_below(&rng, limit);
    switch (random_below(&rng, 4)) {
    case 0:
        *count = random_below(&rng, 4);
        break;
    case 1:
        *first &= -(u64)RADIX_ENTRIES;
        *count = RADIX_ENTRIES * (1 + random_below(&rng, 3));
        break;
    case 2:
        *count = random_below(&rng, limit);
        break;
    default:
        *first = random_below(&rng, 2) ? 0 : *first;
        *count = random_below(&rng, 8) ? limit - *first : ~0ul; /* to the end, or past it */
    }
}

static u64 end_of(u64 first, u64 count)
{
    return first + count < first ? ~0ul : first + count;
}

static void do_for_each(void)
{
    struct visits v = {.clear = random_below(&rng, 8) == 0};
    u64 first, count;

    choose_range(&first, &count);
    v.end = end_of(first, count);
    while (v.at < nplaces && places[v.at].index < first)
        v.at++;
    radix_for_each(&tree, first, count, visit, &v);
    for (; v.at < nplaces && places[v.at].index < v.end; v.at++)
        assert_int_equal(places[v.at].value, 0);
}

static void do_next_used(void)
{
    u64 first, count, limit, expected;

    choose_range(&first, &count);
    limit = expected = end_of(first, count);
    for (unsigned i = nplaces; i-- > 0;)
        if (places[i].value && places[i].index >= first && places[i].index < limit)
            expected = places[i].index;
    assert_int_equal(radix_next_used(&tree, first, limit), expected);
}

static void do_prune(void)
{
    u64 before = model_nodes(), first, count, end;

    choose_range(&first, &count);
    end = end_of(first, count);
    for (unsigned i = 0; i < nplaces;) {
        u64 leaf = leaf_of(places[i].index);
        u64 start = leaf << RADIX_BITS;
        bool used = false;
        unsigned k = i;

        for (; k < nplaces && leaf_of(places[k].index) == leaf; k++)
            used |= places[k].value != 0;
        if (!used && start >= first && start < end && end - start >= RADIX_ENTRIES)
            for (unsigned n = i; n < k; n++)
                places[n].entry = NULL;
        i = k;
    }
    assert_int_equal(radix_prune(&tree, first, count), before - model_nodes());
    check_all();
}

static void clear_entry(u64 *entry, u64 index, void *context)
{
    assert_ptr_equal(entry, radix_find(&tree, index));
    assert_int_not_equal(*entry, 0);
    *entry = 0;
    ++*(u64 *)context;
}

/* Step by step; each step is short, and a tree that is half empty is whole. */
static void empty(u64 limit)
{
    u64 at = 0, before, visited;
    bool done;

    do {
        before = at;
        visited = 0;
        done = radix_empty_step(&tree, &at, limit, clear_entry, &visited);
        assert_true(visited <= 64);
        assert_true(done || at > before);
        if (!done && at < limit)
            assert_int_equal(radix_next_used(&tree, 0, at), at);
    } while (!done);
}

static void run(unsigned depth, u64 limit, unsigned steps)
{
    pool_reset();
    tree = (struct radix){.depth = (u8)depth};
    choose_places(limit);
    for (unsigned step = 0; step < steps; step++) {
        unsigned i = (unsigned)random_below(&rng, nplaces);
        u64 what = random_below(&rng, 100);

        if (what < 30)
            do_make(i);
        else if (what < 70)
            do_store(i);
        else if (what < 80)
            do_for_each();
        else if (what < 90)
            do_next_used();
        else
            do_prune();
        if (step % 64 == 0)
            check_all();
    }
    check_all();
    empty(~0ul);
    assert_int_equal(pool.live, 0);
    assert_int_equal(tree.root, 0);
}

/* ------------------------------------------------------------------------------------- the tests */

static void random_operations_match_a_table_of_values(void **state)
{
    (void)state;
    rng = seeded("radix");
    for (unsigned depth = 1; depth <= RADIX_MAX_DEPTH; depth++) {
        root_nodes = 0;
        run(depth, 1ul << shift_of(depth), 2500);
    }
}

static void find_in_an_empty_tree_is_nothing(void **state)
{
    struct visits v = {0};

    (void)state;
    pool_reset();
    for (unsigned depth = 0; depth <= RADIX_MAX_DEPTH; depth++) {
        tree = (struct radix){.depth = (u8)depth};
        assert_null(radix_find(&tree, 0));
        assert_int_equal(radix_next_used(&tree, 0, 77), 77);
        assert_int_equal(radix_next_used(&tree, 77, 5), 5);
        nplaces = 0;
        radix_for_each(&tree, 0, ~0ul, visit, &v);
        if (depth)
            assert_int_equal(radix_prune(&tree, 0, ~0ul), 0);
        empty(~0ul);
    }
}

static void depth_is_the_least_that_reaches(void **state)
{
    (void)state;
    assert_int_equal(radix_depth(0), 1);
    assert_int_equal(radix_depth(1), 1);
    for (unsigned depth = 1; depth < RADIX_MAX_DEPTH; depth++) {
        assert_int_equal(radix_depth((1ul << shift_of(depth)) - 1), depth);
        assert_int_equal(radix_depth(1ul << shift_of(depth)), depth);
        assert_int_equal(radix_depth((1ul << shift_of(depth)) + 1), depth + 1);
    }
    assert_int_equal(radix_depth(1ul << shift_of(RADIX_MAX_DEPTH)), RADIX_MAX_DEPTH);
}

/* Every failure point of the longest chain, in an empty tree and in one that shares part of it. */
static void failed_make_changes_nothing_at_each_allocation(void **state)
{
    u64 limit;

    (void)state;
    pool_reset();
    root_nodes = 0;
    tree = (struct radix){.depth = RADIX_MAX_DEPTH};
    limit = 1ul << shift_of(RADIX_MAX_DEPTH);
    for (unsigned shared = 0; shared < RADIX_MAX_DEPTH; shared++) {
        u64 index = shared == 0 ? 0 : limit >> shift_of(shared);
        u64 missing = RADIX_MAX_DEPTH - shared, before = pool.live;

        for (u64 budget = 0; budget < missing; budget++) {
            pool.budget = budget;
            assert_null(radix_make(&tree, index, NULL));
            assert_int_equal(pool.live, before);
            assert_null(radix_find(&tree, index));
        }
        pool.budget = missing;
        assert_non_null(radix_make(&tree, index, NULL));
        assert_int_equal(pool.live, before + missing);
    }
    empty(~0ul);
    assert_int_equal(pool.live, 0);
}

/* A page table: its root stays, and the upper half of it belongs to somebody else. */
static void a_made_root_stays_and_its_upper_half_is_not_followed(void **state)
{
    u64 half = 1ul << (shift_of(3) - 1), *root;

    (void)state;
    rng = seeded("radix root");
    for (unsigned budget = 0; budget < 2; budget++) {
        pool_reset();
        pool.budget = budget;
        tree = (struct radix){.depth = 3};
        root = radix_make_root(&tree, NULL);
        assert_int_equal(root != NULL, budget);
        assert_int_equal(pool.live, budget);
    }
    for (unsigned i = 0; i < RADIX_ENTRIES; i++)
        assert_int_equal(root[i], 0);
    for (unsigned i = RADIX_ENTRIES / 2; i < RADIX_ENTRIES; i++)
        root[i] = ~0ul; /* followed, it leads out of the arena */
    root_nodes = 1;
    choose_places(half);
    for (unsigned step = 0; step < 400; step++) {
        unsigned i = (unsigned)random_below(&rng, nplaces);

        do_make(i);
        do_store(i);
        if (step % 8 == 0 && places[i].entry) {
            for (unsigned k = 0; k < nplaces; k++)
                if (places[k].entry && leaf_of(places[k].index) == leaf_of(places[i].index))
                    *places[k].entry = places[k].value = 0;
            for (unsigned k = 0; k < nplaces; k++)
                if (leaf_of(places[k].index) == leaf_of(places[i].index))
                    places[k].entry = NULL;
            assert_true(radix_prune(&tree, leaf_of(places[i].index) << RADIX_BITS, RADIX_ENTRIES) >=
                        1);
            check_all();
        }
    }
    for (unsigned k = 0; k < nplaces; k++) {
        if (places[k].entry)
            *places[k].entry = 0;
        places[k].value = 0;
        places[k].entry = NULL;
    }
    radix_prune(&tree, 0, half);
    check_all();
    assert_int_equal(pool.live, 1);
    assert_non_null(radix_make(&tree, half - 1, NULL));
    *radix_find(&tree, half - 1) = 5;
    empty(half);
    assert_int_equal(pool.live, 1);
    radix_free_root(&tree);
    assert_int_equal(pool.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations_match_a_table_of_values),
        cmocka_unit_test(find_in_an_empty_tree_is_nothing),
        cmocka_unit_test(depth_is_the_least_that_reaches),
        cmocka_unit_test(failed_make_changes_nothing_at_each_allocation),
        cmocka_unit_test(a_made_root_stays_and_its_upper_half_is_not_followed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
