/* SPDX-License-Identifier: MIT */
// sources: lib/base/cpio.c
/* Claim: the archive reader finds every entry of a well-formed archive, also with data moved to
 * page boundaries by NULs in the name's size, gives the right error for each way in which a header
 * can lie, and never reads outside. Fails if a size is used before it is compared with the bounds,
 * or if padding is counted from the wrong place. */
#include "test/unit/base/support.h"

#include "lib/base/cpio.h"

/* ---- Making archives ------------------------------------------------------------------------- */

#define HEADER_BYTES 110

struct maker {
    char data[1 << 16];
    size_t size;
};

static void pad(struct maker *m, size_t align)
{
    while (m->size % align)
        m->data[m->size++] = '\0';
}

/* One entry; data_align: 4, or more, and then the name is made longer by NULs. Returns the header's
 * offset. */
static size_t add(struct maker *m, const char *name, u32 mode, const void *data, size_t size,
                  size_t data_align)
{
    size_t at = m->size, name_bytes = strlen(name) + 1;

    if (data_align > 4)
        while ((at + HEADER_BYTES + name_bytes) % data_align)
            name_bytes++;
    m->size += (size_t)sprintf(
        m->data + at, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 1u, mode, 0u,
        0u, 1u, 0u, (unsigned)size, 0u, 0u, 0u, 0u, (unsigned)name_bytes, 0u);
    memset(m->data + m->size, 0, name_bytes);
    memcpy(m->data + m->size, name, strlen(name));
    m->size += name_bytes;
    pad(m, 4);
    memcpy(m->data + m->size, data, size);
    m->size += size;
    pad(m, 4);
    return at;
}

static void finish(struct maker *m)
{
    add(m, "TRAILER!!!", 0, "", 0, 4);
}

static struct maker *sample(void)
{
    static struct maker m;

    m.size = 0;
    add(&m, "bin", 0040755, "", 0, 4);
    add(&m, "bin/init", 0100755, "abcde", 5, 4096);
    add(&m, "./empty", 0100644, "", 0, 4);
    add(&m, "/data/file", 0100600, "0123456789", 10, 4);
    add(&m, "data/page", 0100644, "page", 4, 4096);
    finish(&m);
    return &m;
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void entries_of_an_archive_come_in_order(void **state)
{
    (void)state;
    static const struct {
        const char *name, *data;
        u32 size, mode;
    } expected[] = {{"bin", "", 0, 0040755},
                    {"bin/init", "abcde", 5, 0100755},
                    {"empty", "", 0, 0100644},
                    {"data/file", "0123456789", 10, 0100600},
                    {"data/page", "page", 4, 0100644}};
    struct maker *m = sample();
    struct bytes archive = bytes_copy(m->data, m->size);
    struct cpio_entry entry = {0}, found;
    struct cpio cpio;

    assert_int_equal(cpio_open(&cpio, archive.data, archive.size), CPIO_OK);
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        assert_int_equal(cpio_next(&cpio, &entry), CPIO_OK);
        assert_string_equal(entry.name, expected[i].name);
        assert_int_equal(entry.size_bytes, expected[i].size);
        assert_memory_equal(entry.data, expected[i].data, expected[i].size);
        assert_int_equal(entry.mode, expected[i].mode);
        assert_int_equal(cpio_is_file(&entry), i != 0);
        assert_ptr_equal(entry.data, archive.data + entry.offset);
        assert_int_equal(cpio_find(&cpio, expected[i].name, &found), CPIO_OK);
        assert_ptr_equal(found.data, entry.data);
        if (i == 1 || i == 4)
            assert_true(is_aligned(entry.offset, 4096));
    }
    struct cpio_entry last = entry;
    assert_int_equal(cpio_next(&cpio, &entry), CPIO_END);
    assert_memory_equal(&last, &entry, sizeof last);
    assert_int_equal(cpio_find(&cpio, "bin/ini", &found), CPIO_NOT_FOUND);
    assert_int_equal(cpio_find(&cpio, "", &found), CPIO_NOT_FOUND);
    free(archive.data);
}

static void archive_without_entries_is_at_its_end(void **state)
{
    (void)state;
    struct maker m = {.size = 0};
    struct cpio cpio;

    finish(&m);
    assert_int_equal(cpio_open(&cpio, m.data, m.size), CPIO_END);
    assert_int_equal(cpio_open(&cpio, m.data, 0), CPIO_TRUNCATED);
}

/* To the end, whatever that is. */
static enum cpio_error exhaust(const struct cpio *cpio, u64 *sum)
{
    struct cpio_entry entry = {0}, found;
    enum cpio_error error;

    while ((error = cpio_next(cpio, &entry)) == CPIO_OK) {
        for (u32 i = 0; i < entry.size_bytes; i++)
            *sum += ((const u8 *)entry.data)[i];
        *sum += strlen(entry.name);
    }
    assert_true(cpio_find(cpio, "no such entry", &found) ==
                (error == CPIO_END ? CPIO_NOT_FOUND : error));
    return error;
}

static void archives_truncated_anywhere_are_found_out(void **state)
{
    (void)state;
    struct maker *m = sample();
    u64 sum = 0;
    size_t needed = m->size - 2; /* the padding behind the trailer's name is not */

    while (needed && m->data[needed - 1] == '\0')
        needed--;
    needed++; /* the NUL of its name is */
    for (size_t size = 0; size<needed; size += size> 300 && size < 8000 ? 61 : 1) {
        struct bytes archive = bytes_copy(m->data, size);
        struct cpio cpio = {archive.data, size};

        assert_int_equal(exhaust(&cpio, &sum), CPIO_TRUNCATED);
        free(archive.data);
    }
}

static void headers_that_lie_give_their_error(void **state)
{
    (void)state;
    enum { MODE = 14, FILE_SIZE = 54, NAME_SIZE = 94 };
    static const struct {
        size_t at; /* in the header */
        const char *text;
        enum cpio_error error;
    } lies[] = {
        {0, "070707", CPIO_BAD_MAGIC},
        {0, "070703", CPIO_BAD_MAGIC},
        {0, "070702", CPIO_OK},
        {MODE, "0000081g", CPIO_BAD_NUMBER},
        {FILE_SIZE, "       5", CPIO_BAD_NUMBER},
        {FILE_SIZE, "-0000005", CPIO_BAD_NUMBER},
        {FILE_SIZE, "0x000005", CPIO_BAD_NUMBER},
        {FILE_SIZE, "ffffffff", CPIO_TRUNCATED},
        {FILE_SIZE, "FFFFFFFC", CPIO_TRUNCATED},
        {FILE_SIZE, "00010000", CPIO_TRUNCATED},
        {NAME_SIZE, "ffffffff", CPIO_TRUNCATED},
        {NAME_SIZE, "00000000", CPIO_BAD_NAME},
        {NAME_SIZE, "00000001", CPIO_BAD_NAME},
        {NAME_SIZE, "00000003", CPIO_BAD_NAME},
        {NAME_SIZE, "0000000`", CPIO_BAD_NUMBER},
        {NAME_SIZE, "0000000G", CPIO_BAD_NUMBER},
        {HEADER_BYTES, "\0", CPIO_BAD_NAME},
    };

    for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
        static struct maker m;
        struct cpio cpio;

        m.size = 0;
        add(&m, "name", 0100644, "12345", 5, 4);
        finish(&m);
        memcpy(m.data + lies[i].at, lies[i].text, MAX(strlen(lies[i].text), (size_t)1));
        struct bytes archive = bytes_copy(m.data, m.size);
        assert_int_equal(cpio_open(&cpio, archive.data, archive.size), lies[i].error);
        assert_true(strcmp(cpio_error_text(lies[i].error), "unknown error") != 0);
        free(archive.data);
    }
}

static void corrupted_archives_never_lead_outside(void **state)
{
    (void)state;
    struct random random = seeded("corrupted archives");
    struct maker *m = sample();
    u64 sum = 0;
    unsigned results[CPIO_BAD_NAME + 1] = {0};

    for (unsigned i = 0; i < 5000; i++) {
        struct bytes archive = bytes_copy(m->data, m->size);

        for (u64 flips = 1 + random_below(&random, 3); flips; flips--) {
            u64 at = random_below(&random, archive.size);

            if (random_below(&random, 4)) /* near a header, where it matters */
                at = random_below(&random, 2) ? random_below(&random, 240)
                                              : archive.size - 1 - random_below(&random, 130);
            archive.data[at] = random_below(&random, 2) ? (u8)random_next(&random)
                                                        : (u8) "0123456789abcdef"[at % 16];
        }
        struct cpio cpio = {archive.data, archive.size};
        results[exhaust(&cpio, &sum)]++;
        free(archive.data);
    }
    assert_true(results[CPIO_END] && results[CPIO_TRUNCATED] && results[CPIO_BAD_MAGIC] &&
                results[CPIO_BAD_NUMBER] && results[CPIO_BAD_NAME]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_of_an_archive_come_in_order),
        cmocka_unit_test(archive_without_entries_is_at_its_end),
        cmocka_unit_test(archives_truncated_anywhere_are_found_out),
        cmocka_unit_test(headers_that_lie_give_their_error),
        cmocka_unit_test(corrupted_archives_never_lead_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
