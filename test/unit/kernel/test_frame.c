/* SPDX-License-Identifier: MIT */
// sources: test/unit/fake/arena.c test/unit/fake/panic.c
/*
 * Claim: the buddy allocator hands out exactly the memory that boot gave, each frame to one owner
 * at a time, aligned to the size of its block; it says no only if there is no such block; what comes
 * back merges until no two free buddies are left; and booting writes only the records it must.
 *
 * The model is one byte a page.  Whether a block exists can be read off it, because merging is
 * complete.  A merge that is left out, goes too far, or trusts a record nobody wrote makes it fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/unit/fake/panic.h"

/* The module itself, so that each test can begin with an allocator that knows no memory. */
#include "kernel/object/frame.c"

void page_zero(void *page)
{
    memset(page, 0, PAGE_SIZE);
}

#define FIRST ((FAKE_BASE) >> PAGE_SHIFT)
#define PAGES 8192u /* of the arena that these tests use: 32 MiB */

enum { ABSENT, FREE, TAKEN };
static u8 model[PAGES]; /* by page of the arena */
static u64 random_state;

static u64 random_below(u64 n)
{
    random_state = random_state * 6364136223846793005ul + 1442695040888963407ul;
    return (random_state >> 33) % n;
}

/* What a record holds before boot: all that could mislead, such as a free block. */
static struct frame rubbish(u64 page)
{
    struct frame f;
    unsigned most = page ? __builtin_ctzl(page) : FRAME_ORDERS - 1;

    memset(&f, 0xa5, sizeof(f));
    f.state = FRAME_FREE;
    f.order = page / 7 % (MIN(most, FRAME_ORDERS - 1u) + 1);
    return f;
}

static void start(u64 seed)
{
    fake_arena_init();
    for (u64 page = 0; page < PAGES; page++)
        frame_array()[FIRST + page] = rubbish(page);
    memset(&frames, 0, sizeof(frames));
    frame_nranges = 0;
    memset(model, ABSENT, sizeof(model));
    random_state = seed;
}

static void add(u64 page, u64 npages)
{
    frame_boot_add(paddr((FIRST + page) << PAGE_SHIFT), npages);
    memset(&model[page], FREE, npages);
}

static bool all(u64 page, u64 npages, u8 what)
{
    for (u64 i = 0; i < npages; i++)
        if (model[page + i] != what)
            return false;
    return true;
}

static u64 count(u8 what)
{
    u64 n = 0;

    for (u64 i = 0; i < PAGES; i++)
        n += model[i] == what;
    return n;
}

static bool block_exists(unsigned order)
{
    for (u64 page = 0; page < PAGES; page += 1ul << order)
        if (all(page, 1ul << order, FREE))
            return true;
    return false;
}

/* One block that is in use, by frame_for_each_used. */
static void count_used(struct frame *f, void *context)
{
    assert_true(all(frame_number(f) - FIRST, 1ul << f->order, TAKEN));
    *(u64 *)context += 1ul << f->order;
}

/* Largest aligned free blocks, by order: what the lists must hold. */
static void compare_lists(void)
{
    u64 expected[FRAME_ORDERS] = {0}, found;

    for (u64 page = 0; page < PAGES;) {
        int order = FRAME_ORDERS - 1;

        while (order >= 0 && !(is_aligned(page, 1ul << order) && all(page, 1ul << order, FREE)))
            order--;
        if (order >= 0)
            expected[order]++;
        page += order >= 0 ? 1ul << order : 1;
    }
    for (unsigned order = 0; order < FRAME_ORDERS; order++) {
        found = 0;
        for (u32 n = frames.free[order]; n; n = frame_at(n)->next) {
            assert_true(n >= FIRST && n - FIRST < PAGES);
            assert_true(all(n - FIRST, 1ul << order, FREE));
            found++;
        }
        assert_int_equal(found, expected[order]);
    }
    assert_int_equal(frame_free_count(), count(FREE));
    frame_check();
    found = 0;
    frame_for_each_used(count_used, &found);
    assert_int_equal(found, count(TAKEN));
}

/* Allocate as the model says it must be. */
static struct frame *take(unsigned order)
{
    struct frame *f = frame_alloc(order);
    u64 page;

    assert_int_equal(f != NULL, block_exists(order));
    if (f == NULL)
        return NULL;
    page = frame_number(f) - FIRST;
    assert_true(page < PAGES && is_aligned(page, 1ul << order));
    assert_true(all(page, 1ul << order, FREE));
    assert_true(f->state == FRAME_KERNEL && f->order == order && f->payer == 0);
    assert_true(f->owner == 0 && f->index == 0 && f->map_count == 0 && f->free_at == 0);
    memset(&model[page], TAKEN, 1ul << order);
    return f;
}

static void give(struct frame *f, unsigned order)
{
    memset(&model[frame_number(f) - FIRST], FREE, 1ul << order);
    frame_free(f, order);
}

static bool record_is_rubbish(u64 page)
{
    struct frame f = rubbish(page);

    return memcmp(&f, &frame_array()[FIRST + page], sizeof(f)) == 0;
}

static void boot_writes_one_record_per_whole_block(void **state)
{
    (void)state;
    start(1);
    add(300, 1024 - 300 + 2048 + 17); /* part, two whole, part */
    for (u64 page = 1024; page < 3072; page++)
        assert_int_equal(record_is_rubbish(page), page % 1024 != 0);
    for (u64 page = 0; page < 1024; page++)
        assert_false(record_is_rubbish(page) || record_is_rubbish(3072 + page));
    assert_true(record_is_rubbish(4096));
    compare_lists();
}

static void boot_ranges_that_share_a_block(void **state)
{
    (void)state;
    start(2);
    add(10, 100);
    add(110, 14); /* touches the one before */
    add(512, 512);
    add(1024, 1024);
    add(2048, 1);
    add(2050, 1);
    add(3071, 2);
    compare_lists();
    while (take(0) != NULL)
        continue;
    assert_int_equal(count(FREE), 0);
    for (u64 page = 0; page < PAGES; page++)
        if (model[page] == TAKEN)
            give(frame_at(FIRST + page), 0);
    compare_lists();
}

static void boot_in_wrong_order_panics(void **state)
{
    (void)state;
    start(3);
    add(2048, 10);
    assert_true(EXPECT_PANIC(add(2057, 2)));
    assert_true(EXPECT_PANIC(add(0, 2)));
}

static void add_random_ranges(void)
{
    u64 page = random_below(1500);

    while (page < PAGES) {
        u64 n = 1 + random_below(random_below(2) ? 3000 : 60);

        n = MIN(n, PAGES - page);
        add(page, n);
        page += n + random_below(random_below(2) ? 1200 : 4);
    }
}

#define HELD 600

static void random_blocks(u64 seed)
{
    struct {
        struct frame *f;
        unsigned order;
    } held[HELD] = {0};
    unsigned nheld = 0;

    start(seed);
    add_random_ranges();
    compare_lists();
    for (unsigned step = 0; step < 3000; step++) {
        bool fill = random_below(100) < (step / 500 % 2 ? 35 : 65);

        if (fill && nheld < HELD) {
            unsigned order = random_below(3) ? random_below(3) : random_below(FRAME_ORDERS);
            struct frame *f = take(order);

            if (f) {
                held[nheld].f = f;
                held[nheld++].order = order;
                /* As its user would leave it. */
                f->state = random_below(2) ? FRAME_SLAB : FRAME_KERNEL;
                f->owner = f->index = ~0ul;
                f->payer = 77;
            }
        } else if (nheld) {
            unsigned i = random_below(nheld);

            give(held[i].f, held[i].order);
            held[i] = held[--nheld];
        }
        if (step % 100 == 0)
            compare_lists();
    }
    while (nheld) {
        unsigned i = random_below(nheld);

        give(held[i].f, held[i].order);
        held[i] = held[--nheld];
    }
    assert_int_equal(count(TAKEN), 0);
    compare_lists();
}

static void random_blocks_against_a_bitmap(void **state)
{
    (void)state;
    for (u64 seed = 100; seed < 130; seed++)
        random_blocks(seed);
}

static void freeing_wrongly_panics(void **state)
{
    struct frame *f, *g;

    (void)state;
    start(4);
    add(0, 2048);
    f = take(3);
    g = take(0);
    assert_true(EXPECT_PANIC(frame_free(f + 1, 3))); /* not aligned */
    g->state = FRAME_USER;
    g->map_count = 1;
    assert_true(EXPECT_PANIC(frame_free(g, 0))); /* still mapped: F3 */
    g->map_count = 0;
    give(g, 0);
    give(f, 3);
    assert_true(EXPECT_PANIC(frame_free(f, 3))); /* twice */
    compare_lists();
}

static bool is_zero(const struct frame *f)
{
    const u8 *page = frame_kva(f);

    for (unsigned i = 0; i < PAGE_SIZE; i++)
        if (page[i])
            return false;
    return true;
}

static void clean_frames_are_zero_and_as_free_as_others(void **state)
{
    struct frame *f;
    unsigned n = 0;

    (void)state;
    start(5);
    add(3, 200);
    while (frame_clean_one())
        n++;
    assert_int_equal(n, CLEAN_FRAMES);
    assert_int_equal(frame_free_count(), 200);
    frame_check();
    *(u8 *)frame_kva(frame_at(frames.clean)) = 1;
    assert_true(EXPECT_PANIC(frame_check())); /* F5 */
    *(u8 *)frame_kva(frame_at(frames.clean)) = 0;

    f = frame_alloc_clean();
    assert_true(is_zero(f) && f->state == FRAME_KERNEL && f->payer == 0 && f->order == 0);
    assert_int_equal(frame_free_count(), 199);
    frame_check();
    frame_free(f, 0);
    assert_int_equal(frame_free_count(), 200);

    for (n = 0; (f = frame_alloc(0)) != NULL; n++) /* the clean ones too, when no others are left */
        memset(frame_kva(f), 0x11, PAGE_SIZE);
    assert_int_equal(n, 200);
    assert_int_equal(frame_free_count(), 0);
    assert_null(frame_alloc_clean());
    assert_false(frame_clean_one());

    start(6); /* a block that only merged frames make is found */
    add(0, 1024);
    while (frame_clean_one())
        continue;
    assert_non_null(frame_alloc(FRAME_ORDERS - 1));
    assert_int_equal(frame_free_count(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boot_writes_one_record_per_whole_block),
        cmocka_unit_test(boot_ranges_that_share_a_block),
        cmocka_unit_test(boot_in_wrong_order_panics),
        cmocka_unit_test(random_blocks_against_a_bitmap),
        cmocka_unit_test(freeing_wrongly_panics),
        cmocka_unit_test(clean_frames_are_zero_and_as_free_as_others),
    };

    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
