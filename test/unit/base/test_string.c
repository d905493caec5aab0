/* SPDX-License-Identifier: MIT */
// sources:
/* Claim: the kernel's memory and string functions do what the C library's do, for every alignment
 * of both pointers, every small size and every overlap, and touch no byte outside. Fails if a word
 * loop is entered misaligned, runs one turn too far, or memmove takes the wrong direction. */
#include "test/unit/base/support.h"

/* The module under other names, beside the C library's. */
#define memcpy  q_memcpy
#define memmove q_memmove
#define memset  q_memset
#define memcmp  q_memcmp
#define strlen  q_strlen
#define strnlen q_strnlen
#define strcmp  q_strcmp
#define strncmp q_strncmp
#undef LIB_BASE_STRING_H
#include "lib/base/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp

#define ROOM 96 /* of a buffer; blocks are up to 40 bytes at offsets up to 24 */

static void fill(u8 *a, u8 *b, size_t size)
{
    for (size_t i = 0; i < size; i++)
        a[i] = b[i] = (u8)(i * 37 + 11);
}

static void memory_functions_match_the_library_at_all_offsets(void **state)
{
    (void)state;
    _Alignas(8) u8 mine[ROOM], theirs[ROOM];

    for (size_t to = 0; to < 24; to++)
        for (size_t from = 0; from < 24; from++)
            for (size_t size = 0; size <= 40; size++) {
                fill(mine, theirs, ROOM);
                assert_ptr_equal(q_memmove(mine + to, mine + from, size), mine + to);
                memmove(theirs + to, theirs + from, size);
                assert_memory_equal(mine, theirs, ROOM);
                if (ranges_overlap(to, size, from, size))
                    continue;
                fill(mine, theirs, ROOM);
                assert_ptr_equal(q_memcpy(mine + to, mine + from, size), mine + to);
                memcpy(theirs + to, theirs + from, size);
                assert_memory_equal(mine, theirs, ROOM);
            }
    for (size_t to = 0; to < 24; to++)
        for (size_t size = 0; size <= 40; size++) {
            fill(mine, theirs, ROOM);
            assert_ptr_equal(q_memset(mine + to, 0x1c3, size), mine + to); /* only its low byte */
            memset(theirs + to, 0xc3, size);
            assert_memory_equal(mine, theirs, ROOM);
        }
}

static int sign(int x)
{
    return (x > 0) - (x < 0);
}

static void comparisons_match_the_library(void **state)
{
    (void)state;
    static const char *const words[] = {"", "a", "ab", "abc", "abd", "b", "\x80", "a\x7f", "a\xff"};

    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        for (size_t j = 0; j < ARRAY_SIZE(words); j++) {
            const char *a = words[i], *b = words[j];

            assert_int_equal(sign(q_strcmp(a, b)), sign(strcmp(a, b)));
            for (size_t n = 0; n < 5; n++)
                assert_int_equal(sign(q_strncmp(a, b, n)), sign(strncmp(a, b, n)));
            size_t n = MIN(strlen(a), strlen(b)) + 1;
            assert_int_equal(sign(q_memcmp(a, b, n)), sign(memcmp(a, b, n)));
        }
}

static void lengths_stop_at_the_nul_and_at_the_bound(void **state)
{
    (void)state;
    struct bytes s = bytes_copy("12345678", 8); /* no NUL: a ninth byte must not be read */

    assert_int_equal(q_strnlen((char *)s.data, 8), 8);
    assert_int_equal(q_strnlen((char *)s.data, 0), 0);
    assert_int_equal(q_strnlen("abc", 8), 3);
    assert_int_equal(q_strlen(""), 0);
    assert_int_equal(q_strlen("abc"), 3);
    assert_int_equal(q_strncmp((char *)s.data, "12345678", 8), 0);
    free(s.data);
}

static void page_functions_do_a_page_and_no_byte_more(void **state)
{
    (void)state;
    u8 *pages = aligned_alloc(4096, 4 * 4096), *expected = malloc(4 * 4096);

    fill(pages, expected, 4 * 4096);
    page_zero(pages + 4096);
    memset(expected + 4096, 0, 4096);
    assert_memory_equal(pages, expected, 4 * 4096);
    page_copy(pages + 4096, pages + 3 * 4096);
    memcpy(expected + 4096, expected + 3 * 4096, 4096);
    assert_memory_equal(pages, expected, 4 * 4096);
    free(pages);
    free(expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_functions_match_the_library_at_all_offsets),
        cmocka_unit_test(comparisons_match_the_library),
        cmocka_unit_test(lengths_stop_at_the_nul_and_at_the_bound),
        cmocka_unit_test(page_functions_do_a_page_and_no_byte_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
