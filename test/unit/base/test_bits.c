/* SPDX-License-Identifier: MIT */
// sources:
/* Claim: the bit counts, byte orders, alignment and range functions of bits.h and types.h agree
 * with the compiler's own, at 0, at every power of two and its neighbours, at the 64-bit edge, and
 * for random words. Fails if one of them loses a step of its search, a 0, or an overflow. */
#include "test/unit/base/support.h"

#include "lib/base/bits.h"

static void check_word(u64 x)
{
    u8 raw[9];

    assert_int_equal(ctz64(x), x ? __builtin_ctzll(x) : 64);
    assert_int_equal(clz64(x), x ? __builtin_clzll(x) : 64);
    assert_int_equal(popcount64(x), __builtin_popcountll(x));
    assert_true(bswap64(x) == __builtin_bswap64(x));
    assert_true(bswap32((u32)x) == __builtin_bswap32((u32)x));
    memcpy(raw + 1, &x, 8); /* the host is little endian */
    assert_true(load_le64(raw + 1) == x && load_be64(raw + 1) == __builtin_bswap64(x));
    assert_true(load_le32(raw + 1) == (u32)x && load_le16(raw + 1) == (u16)x);
    assert_true(load_be32(raw + 1) == __builtin_bswap32((u32)x));
}

static void bits_of_edge_and_random_words_match_the_compiler(void **state)
{
    (void)state;
    struct random random = seeded("bits");

    check_word(0);
    check_word(~0ul);
    for (unsigned i = 0; i < 64; i++) {
        check_word(1ul << i);
        check_word((1ul << i) - 1);
        check_word(1ul << i | 1);
        check_word(~(1ul << i));
        check_word(1ul << i | 1ul << 63);
    }
    for (unsigned i = 0; i < 10000; i++)
        check_word(random_next(&random) >> random_below(&random, 64));
}

static void align_at_the_edges_rounds_or_reports(void **state)
{
    (void)state;
    u64 up;

    assert_true(align_up(1, 4096) == 4096 && align_up(4096, 4096) == 4096);
    assert_true(align_down(4097, 4096) == 4096 && align_down(4095, 4096) == 0);
    assert_true(is_aligned(8192, 4096) && !is_aligned(8193, 2));
    assert_false(align_up_overflows(~0ul - 4095, 4096, &up));
    assert_true(up == ~0ul - 4095);
    assert_true(align_up_overflows(~0ul - 4094, 4096, &up));
    assert_false(is_power_of_two(0));
    assert_true(is_power_of_two(1ul << 63) && !is_power_of_two(3));
    assert_true(add_overflows(~0ul, 1, &up) && up == 0);
    assert_false(add_overflows(~0ul, 0, &up));
    assert_true(mul_overflows(1ul << 32, 1ul << 32, &up));
    assert_false(mul_overflows(1ul << 32, (1ul << 32) - 1, &up));
}

static void ranges_match_a_model_of_small_numbers(void **state)
{
    (void)state;

    for (u64 a = 0; a < 8; a++)
        for (u64 n = 0; n < 8; n++)
            for (u64 b = 0; b < 8; b++)
                for (u64 m = 0; m < 8; m++) {
                    u64 from = MAX(a, b), to = MIN(a + n, b + m);

                    assert_true(ranges_overlap(a, n, b, m) == (from < to));
                    assert_true(range_inside(a, n, b, m) == (a >= b && a + n <= b + m));
                }
    assert_false(range_inside(~0ul, 2, 0, ~0ul)); /* it wraps */
    assert_false(range_inside(8, ~0ul, 0, 16));
    assert_true(range_inside(~0ul - 1, 1, 0, ~0ul));
    assert_true(range_inside(~0ul, 1, 1, ~0ul)); /* an outer range that ends at 2^64 */
}

struct pair {
    u32 first, second;
};

static void container_of_a_member_is_its_struct(void **state)
{
    (void)state;
    struct pair pair;

    assert_ptr_equal(container_of(&pair.second, struct pair, second), &pair);
    assert_int_equal(ARRAY_SIZE(((u16[7]){0})), 7);
    assert_true(paddr(5).addr == 5 && vaddr(6).addr == 6);
}

static void random_numbers_stay_below_their_bound_and_repeat(void **state)
{
    (void)state;
    struct random a = {42}, b = {42}, zero = {0};
    u32 order[100], seen[100] = {0};

    assert_true(random_next(&zero) ==
                0xe220a8397b1dcdaful); /* splitmix64's published first value */
    for (unsigned i = 0; i < 1000; i++) {
        u64 n = random_below(&a, 10);

        assert_true(n < 10 && n == random_below(&b, 10));
    }
    assert_true(random_below(&a, 1) == 0);
    random_order(&a, order, 100);
    for (unsigned i = 0; i < 100; i++) {
        assert_true(order[i] < 100);
        seen[order[i]]++;
    }
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(seen[i], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_of_edge_and_random_words_match_the_compiler),
        cmocka_unit_test(align_at_the_edges_rounds_or_reports),
        cmocka_unit_test(ranges_match_a_model_of_small_numbers),
        cmocka_unit_test(container_of_a_member_is_its_struct),
        cmocka_unit_test(random_numbers_stay_below_their_bound_and_repeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
