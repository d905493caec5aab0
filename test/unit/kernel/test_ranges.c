/* SPDX-License-Identifier: MIT */
// sources: kernel/core/ranges.c
/*
 * Claim: a set of address ranges holds exactly what was added and not taken away, as ascending
 * ranges that neither overlap nor touch; taking finds a place whenever there is one, the highest;
 * at the end of the address space and with a full list nothing is kept that was to go.
 *
 * The model is one byte a unit of 256.  A boundary off by one, a neighbour not merged, or a range
 * that survives the removal of its middle makes it fail.
 */
#include "test/unit/base/support.h"

#include "kernel/core/ranges.h"

#define UNITS 256u
#define UNIT  0x1000ul

static u8 model[UNITS];

/* The list and the model say the same, and the list is in order. */
static void compare(const struct ranges *r)
{
    u8 seen[UNITS] = {0};
    u64 total = 0;

    for (u32 i = 0; i < r->count; i++) {
        assert_true(r->range[i].base < r->range[i].end);
        assert_true(i == 0 || r->range[i - 1].end < r->range[i].base);
        for (u64 at = r->range[i].base; at < r->range[i].end; at += UNIT)
            seen[at / UNIT] = 1;
        total += r->range[i].end - r->range[i].base;
    }
    assert_memory_equal(seen, model, UNITS);
    assert_int_equal(ranges_total(r), total);
}

/* The highest multiple of `align` units from which `size` units are in the set; UNITS: none. */
static u64 model_place(u64 size, u64 align)
{
    for (u64 at = align_down(UNITS - size, align) + align; at-- > 0;) {
        u64 n = 0;
        if (at % align || at + size > UNITS)
            continue;
        while (n < size && model[at + n])
            n++;
        if (n == size)
            return at;
    }
    return UNITS;
}

static void take(struct ranges *r, u64 size, u64 align)
{
    u64 want = model_place(size, align), base = 0;
    bool taken = ranges_take(r, size * UNIT, align * UNIT, &base);

    assert_true(taken == (want < UNITS));
    if (taken) {
        assert_int_equal(base, want * UNIT);
        memset(model + want, 0, size);
    }
}

static void random_steps_against_a_map_agree(void **state)
{
    struct random random = seeded("ranges");

    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        struct ranges r = {0};

        memset(model, 0, sizeof(model));
        for (unsigned step = 0; step < 200; step++) {
            u64 base = random_below(&random, UNITS), size = random_below(&random, 40);

            size = MIN(size, UNITS - base);
            switch (random_below(&random, 5)) {
            case 0:
            case 1:
                ranges_add(&r, base * UNIT, size * UNIT);
                memset(model + base, 1, size);
                break;
            case 2:
            case 3:
                ranges_remove(&r, base * UNIT, size * UNIT);
                memset(model + base, 0, size);
                break;
            default:
                take(&r, size % 8 + 1, 1ul << random_below(&random, 4));
            }
            compare(&r);
        }
        assert_false(r.full);
    }
}

static void ranges_at_the_end_of_the_address_space_are_cut(void **state)
{
    struct ranges r = {0};

    (void)state;
    ranges_add(&r, ~0ul - 0xfff, 0x2000);
    assert_true(r.count == 1 && r.range[0].base == ~0ul - 0xfff && r.range[0].end == ~0ul);
    ranges_remove(&r, ~0ul - 0x7ff, ~0ul);
    assert_true(r.count == 1 && r.range[0].end == ~0ul - 0x7ff);
    ranges_remove(&r, 0, ~0ul);
    assert_int_equal(r.count, 0);
}

static void trim_keeps_whole_pages_only(void **state)
{
    struct ranges r = {0};

    (void)state;
    ranges_add(&r, 0x1001, 0xfff);  /* no whole page */
    ranges_add(&r, 0x2801, 0x1000); /* neither */
    ranges_add(&r, 0x4001, 0x2fff);
    ranges_trim(&r, UNIT);
    assert_true(r.count == 1 && r.range[0].base == 0x5000 && r.range[0].end == 0x7000);
}

static void full_list_says_so_and_keeps_nothing_removed(void **state)
{
    struct ranges r = {0};

    (void)state;
    for (u64 i = 0; i < RANGES_MAX; i++)
        ranges_add(&r, i * 0x10000, 0x8000);
    assert_true(r.count == RANGES_MAX && !r.full);
    ranges_remove(&r, 0x1000, 0x1000); /* makes two of one: the upper part is lost, not kept */
    assert_true(r.full && r.count == RANGES_MAX);
    assert_true(r.range[0].base == 0 && r.range[0].end == 0x1000);
    assert_true(r.range[1].base == 0x10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_steps_against_a_map_agree),
        cmocka_unit_test(ranges_at_the_end_of_the_address_space_are_cut),
        cmocka_unit_test(trim_keeps_whole_pages_only),
        cmocka_unit_test(full_list_says_so_and_keeps_nothing_removed),
    };

    return cmocka_run_group_tests_name("ranges", tests, NULL, NULL);
}
