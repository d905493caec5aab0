/* SPDX-License-Identifier: MIT */
/* support.h: what the unit tests of lib/base share: cmocka, sample trees, exact copies, a seed.
 *
 * Tests of parsers put their input into a heap block of exactly its size, so that the address
 * sanitizer sees the first byte read beyond it. */
#ifndef TEST_UNIT_BASE_SUPPORT_H
#define TEST_UNIT_BASE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/base/random.h"
#include "lib/base/types.h"

/* Bytes on the heap. */
struct bytes {
    u8 *data;
    size_t size;
};

static inline struct bytes bytes_copy(const void *data, size_t size)
{
    struct bytes copy = {malloc(size ? size : 1), size};

    memcpy(copy.data, data, size);
    return copy;
}

/* A compiled device tree of the build folder; the test fails if it is not there. */
static inline struct bytes bytes_load(const char *name)
{
    const char *folder = getenv("QUIRE_UNIT_DIR");
    static u8 buffer[1 << 16];
    char path[512];

    snprintf(path, sizeof path, "%s/%s", folder ? folder : "build/unit", name);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("cannot open %s", path);
    size_t size = fread(buffer, 1, sizeof buffer, file);
    fclose(file);
    assert_true(size > 0 && size < sizeof buffer);
    return bytes_copy(buffer, size);
}

/* The seed of a test's random numbers: SEED of the environment, else always the same one. */
static inline struct random seeded(const char *test)
{
    const char *text = getenv("SEED");
    struct random random = {text && *text ? strtoull(text, NULL, 0) : 20261123};

    printf("# %s: SEED=%lu\n", test, random.state);
    return random;
}

#endif
