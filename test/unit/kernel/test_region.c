/* SPDX-License-Identifier: MIT */
// sources: kernel/object/region.c kernel/core/tree.c test/unit/fake/arena.c test/unit/fake/panic.c
/*
 * Claim: the region tree finds, for each address, the region that holds it or the next one after
 * it, whatever was inserted and removed before in whatever order; it stays an AVL tree, so that its
 * height stays below 1.4405 log2(n + 2); and region_tree_check notices a tree that is not one.
 *
 * The model is a sorted array.  A rotation that loses a child, a height left behind, balancing that
 * stops too early, or a comparison off by one at a region's border make it fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/object/region.h"
#include "test/unit/base/support.h"
#include "test/unit/fake/panic.h"

#define MAX_REGIONS   4096u
#define REGION_STRIDE 128u /* the piece that a bank's slab has for one */

static struct random rng;
static u32 root;
static struct region *model[MAX_REGIONS]; /* by address */
static unsigned nmodel;
static struct region *unused[MAX_REGIONS];
static unsigned nunused;

static void reset(void)
{
    fake_arena_init();
    root = 0;
    nmodel = 0;
    nunused = 0;
    for (unsigned i = 0; i < MAX_REGIONS; i++)
        unused[nunused++] = kva_from_paddr(paddr(FAKE_BASE + REGION_STRIDE * i));
}

/* Place in the model of the first region that ends above the address. */
static unsigned model_next(u64 address)
{
    unsigned low = 0, high = nmodel;

    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (model[middle]->end > address)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void insert(u64 start, u64 end)
{
    struct region *r = unused[--nunused];
    unsigned at = model_next(start);

    memset(r, 0xa5, sizeof(*r)); /* links and height are the tree's to set */
    r->start = start;
    r->end = end;
    root = region_insert(root, r);
    memmove(&model[at + 1], &model[at], (nmodel - at) * sizeof(model[0]));
    model[at] = r;
    nmodel++;
}

static void remove_at(unsigned at)
{
    struct region *r = model[at];

    root = region_remove(root, r);
    nmodel--;
    memmove(&model[at], &model[at + 1], (nmodel - at) * sizeof(model[0]));
    memset(r, 0xa5, sizeof(*r));
    unused[nunused++] = r;
}

static void look_up(u64 address)
{
    unsigned at = model_next(address);
    struct region *next = at < nmodel ? model[at] : NULL;

    assert_ptr_equal(region_find_next(root, address), next);
    assert_ptr_equal(region_find(root, address), next && next->start <= address ? next : NULL);
}

static void look_around(const struct region *r)
{
    look_up(r->start - 1);
    look_up(r->start);
    look_up(r->end - 1);
    look_up(r->end);
}

/* Try a range of one to 16 pages in `pages` pages; often beside a region that is there. */
static void insert_somewhere(u64 pages)
{
    u64 start = PAGE_SIZE * (1 + random_below(&rng, pages)), end;
    unsigned at;

    if (nmodel && random_below(&rng, 4) == 0)
        start = model[random_below(&rng, nmodel)]->end;
    end = start + PAGE_SIZE * (1 + random_below(&rng, 16));
    at = model_next(start);
    if (nunused && end <= USER_REGION_TOP && (at == nmodel || model[at]->start >= end))
        insert(start, end);
}

static unsigned height(void)
{
    return root ? region_at(root)->node.height : 0;
}

/* An AVL tree of height h has at least F(h + 2) - 1 nodes, F being Fibonacci's numbers. */
static bool height_is_fair(void)
{
    u64 a = 1, b = 1; /* F(1), F(2) */

    for (unsigned h = 0; h < height(); h++) {
        u64 c = a + b;
        a = b;
        b = c;
    }
    return nmodel >= b - 1;
}

static void check(void)
{
    assert_int_equal(region_tree_check(root), nmodel);
    assert_true(height_is_fair());
}

static void random_operations_match_a_sorted_array(void **state)
{
    static const u64 spaces[] = {64, 4096, 1ul << 20, (USER_REGION_TOP >> PAGE_SHIFT) - 2};

    (void)state;
    rng = seeded("region");
    for (unsigned s = 0; s < ARRAY_SIZE(spaces); s++) {
        reset();
        for (unsigned step = 0; step < 10000; step++) {
            /* Phases of growing and of shrinking, down to the empty tree. */
            bool grow = step / 1000 % 2 == 0;
            u64 what = random_below(&rng, 10);

            if (what < (grow ? 6u : 1u))
                insert_somewhere(spaces[s]);
            else if (what < 7 && nmodel)
                remove_at((unsigned)random_below(&rng, nmodel));
            else if (nmodel && what < 9)
                look_around(model[random_below(&rng, nmodel)]);
            else
                look_up(random_below(&rng, USER_TOP));
            if (step % 4 == 0)
                check();
        }
        while (nmodel) {
            remove_at((unsigned)random_below(&rng, nmodel));
            check();
        }
        assert_int_equal(root, 0);
    }
}

/* The orders in which a tree that does not balance becomes a list. */
static void ordered_inserts_and_removes_stay_balanced(void **state)
{
    (void)state;
    for (unsigned order = 0; order < 4; order++) {
        reset();
        for (unsigned i = 0; i < 2048; i++) {
            u64 place = order & 1 ? 4000 - i : 1 + i;
            insert(place * PAGE_SIZE, (place + 1) * PAGE_SIZE);
        }
        check();
        assert_true(height() <= 16);
        for (unsigned i = 0; i < nmodel; i++)
            look_around(model[i]);
        while (nmodel) {
            remove_at(order & 2 ? nmodel - 1 : 0);
            if (nmodel % 16 == 0)
                check();
        }
        assert_int_equal(root, 0);
    }
}

static void an_empty_tree_holds_nothing(void **state)
{
    (void)state;
    reset();
    assert_null(region_find(0, PAGE_SIZE));
    assert_null(region_find_next(0, 0));
    assert_int_equal(region_tree_check(0), 0);
}

static void the_check_notices_each_kind_of_damage(void **state)
{
    struct region *top, *low;

    (void)state;
    reset();
    for (u64 i = 1; i <= 7; i++)
        insert(i * 4 * PAGE_SIZE, (i * 4 + 2) * PAGE_SIZE);
    check();
    top = region_at(root);
    low = model[0];

#define DAMAGE(lvalue, value)                               \
    do {                                                    \
        __typeof__(lvalue) kept = (lvalue);                 \
        (lvalue) = (value);                                 \
        assert_true(EXPECT_PANIC(region_tree_check(root))); \
        (lvalue) = kept;                                    \
        check();                                            \
    } while (0)

    DAMAGE(low->start, 0);                          /* below user addresses */
    DAMAGE(low->start, low->start + 1);             /* not page aligned */
    DAMAGE(low->end, low->start);                   /* empty */
    DAMAGE(low->end, model[1]->end);                /* overlaps the next */
    DAMAGE(model[6]->end, USER_REGION_TOP + 4096);  /* reaches into the buffers */
    DAMAGE(top->node.height, top->node.height + 1); /* height that is not so */
    DAMAGE(top->node.left, 0);                      /* one side two higher */
    DAMAGE(model[1]->start, model[4]->start);       /* out of order */
#undef DAMAGE
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations_match_a_sorted_array),
        cmocka_unit_test(ordered_inserts_and_removes_stay_balanced),
        cmocka_unit_test(an_empty_tree_holds_nothing),
        cmocka_unit_test(the_check_notices_each_kind_of_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
