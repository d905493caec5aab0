/* SPDX-License-Identifier: MIT */
// sources: lib/base/text.c
/* Claim: text_printf writes what the C library's snprintf writes for every conversion it knows, in
 * a buffer of every size leaves a terminated beginning of it and says that it was cut, and
 * text_escape lets no byte through that is not printable. Fails if a width, sign or padding is
 * placed wrongly, if a byte is written outside the buffer, or if an escape is split. */
#include "test/unit/base/support.h"

#include "lib/base/text.h"

/* One format and its arguments, by both; then again in every smaller buffer. */
#define CHECK(...)                                                                \
    do {                                                                          \
        char expected[256];                                                       \
        size_t length = (size_t)snprintf(expected, sizeof expected, __VA_ARGS__); \
        for (size_t size = 1; size <= length + 2; size++) {                       \
            char *buffer = malloc(size);                                          \
            struct text t;                                                        \
            text_init(&t, buffer, size);                                          \
            text_printf(&t, __VA_ARGS__);                                         \
            assert_memory_equal(buffer, expected, MIN(size - 1, length));         \
            assert_int_equal(buffer[MIN(size - 1, length)], 0);                   \
            assert_int_equal(t.cut, size <= length);                              \
            assert_ptr_equal(t.at, buffer + MIN(size - 1, length));               \
            free(buffer);                                                         \
        }                                                                         \
    } while (0)

static void printf_of_known_conversions_matches_the_library(void **state)
{
    (void)state;
    struct bytes raw = bytes_copy("name", 4); /* not terminated: %.*s must not look further */

    CHECK("plain");
    CHECK("%%|%c|%5c|%-5c|", 'x', 'y', 'z');
    CHECK("%s|%8s|%-8s|%.2s|%8.2s|%-8.2s|%.0s|", "abc", "abc", "abc", "abc", "abc", "abc", "abc");
    CHECK("%.*s|%*s|%-*s|%*s|", 4, (char *)raw.data, 7, "abc", 7, "abc", -7, "abc");
    CHECK("%d|%i|%5d|%-5d|%05d|%d|%d|", 0, -1, -42, -42, -42, INT32_MAX, INT32_MIN);
    CHECK("%u|%5u|%-5u|%05u|%u|", 0u, 42u, 42u, 42u, UINT32_MAX);
    CHECK("%x|%X|%8x|%-8x|%08x|%#x|%#10x|%#010x|", 0xabcu, 0xabcu, 0xabcu, 0xabcu, 0xabcu, 0xabcu,
          0xabcu, 0xabcu);
    CHECK("%lx|%lu|%ld|%ld|%016lx|%#lx|", UINT64_MAX, UINT64_MAX, INT64_MIN, INT64_MAX, 0x1234ul,
          0x1234ul);
    CHECK("%lld|%llu|%llx|%zu|%zd|%zx|", -5ll, 5ull, 0xfull, (size_t)7, (ssize_t)-7, (size_t)0xff);
    CHECK("%p|%20p|%-20p|", (void *)0x1234, (void *)0xffffffc000000000, (void *)1);
    free(raw.data);
}

static void printf_of_odd_formats_shows_them(void **state)
{
    (void)state;
    static const struct {
        const char *format, *expected;
    } odd[] = {{"a%", "a%"}, {"%q|", "%q|"}, {"%5", "%5"}, {"%l", "%l"}, {"100%!", "100%!"}};
    char buffer[64];
    struct text t;

    for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
        const char *volatile format = odd[i].format; /* out of the format check's sight */

        text_init(&t, buffer, sizeof buffer);
        text_printf(&t, format);
        assert_string_equal(buffer, odd[i].expected);
    }
    const char *volatile null = NULL;
    text_init(&t, buffer, sizeof buffer);
    text_printf(&t, "%s|%9s", null, null);
    assert_string_equal(buffer, "(null)|   (null)");
    text_init(&t, buffer, 8); /* an absurd width ends with the buffer */
    text_printf(&t, "%*d", INT32_MAX, 1);
    assert_string_equal(buffer, "       ");
    assert_true(t.cut);
}

static void text_once_cut_stays_as_it_is(void **state)
{
    (void)state;
    char buffer[8];
    struct text t;

    text_init(&t, buffer, sizeof buffer);
    text_puts(&t, "12345");
    text_escape(&t, "\n", 1); /* needs four, has two */
    text_puts(&t, "6");
    assert_string_equal(buffer, "12345");
    assert_true(t.cut);
}

static void escape_of_any_byte_is_printable(void **state)
{
    (void)state;
    char buffer[2048], expected[8];
    struct text t;

    for (unsigned c = 1; c < 256; c++) {
        char byte = (char)c;

        text_init(&t, buffer, sizeof buffer);
        text_escape(&t, &byte, 1);
        snprintf(expected, sizeof expected, c >= ' ' && c <= '~' && c != '\\' ? "%c" : "\\x%02x",
                 c);
        assert_string_equal(buffer, expected);
    }
}

static void escape_stops_at_its_bound_and_at_the_nul(void **state)
{
    (void)state;
    struct bytes name = bytes_copy("pager\033[2J", 9); /* no NUL */
    char buffer[64];
    struct text t;

    text_init(&t, buffer, sizeof buffer);
    text_escape(&t, (char *)name.data, name.size);
    assert_string_equal(buffer, "pager\\x1b[2J");
    text_init(&t, buffer, sizeof buffer);
    text_escape(&t, (char *)name.data, 3);
    assert_string_equal(buffer, "pag");
    text_init(&t, buffer, sizeof buffer);
    text_escape(&t, "ab\0cd", 5);
    assert_string_equal(buffer, "ab");
    for (size_t size = 1; size < 12; size++) { /* never a part of an escape */
        text_init(&t, buffer, size);
        text_escape(&t, (char *)name.data, name.size);
        assert_string_equal(strchr(buffer, '\\') ? strchr(buffer, '\\') : "",
                            size >= 10 ? (size == 10 ? "\\x1b" : "\\x1b[") : "");
        assert_true(t.cut);
    }
    free(name.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printf_of_known_conversions_matches_the_library),
        cmocka_unit_test(printf_of_odd_formats_shows_them),
        cmocka_unit_test(text_once_cut_stays_as_it_is),
        cmocka_unit_test(escape_of_any_byte_is_printable),
        cmocka_unit_test(escape_stops_at_its_bound_and_at_the_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
