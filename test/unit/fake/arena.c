/* SPDX-License-Identifier: MIT */
/* The memory that host tests have in place of RAM: see arch/address.h beside it. */
#include <stdlib.h>
#include <string.h>

#include "arch/address.h"
#include "kernel/object/frame.h"

#define FIRST_PAGE (FAKE_BASE >> PAGE_SHIFT)
#define RECORDS    (FAKE_SIZE >> PAGE_SHIFT)

char *fake_arena;
struct frame *fake_frames;

static struct frame *records; /* of the arena's pages */
static size_t static_used;

void fake_arena_init(void)
{
    if (fake_arena == NULL) {
        records = aligned_alloc(PAGE_SIZE, RECORDS * sizeof(struct frame));
        fake_arena = aligned_alloc(PAGE_SIZE, FAKE_SIZE);
        if (fake_arena == NULL || records == NULL)
            abort();
        /* By numbers: a pointer so far before its array is undefined. */
        fake_frames = (struct frame *)((u64)records - FIRST_PAGE * sizeof(struct frame));
    }
    memset(fake_arena, 0xa5, FAKE_SIZE);
    memset(records, 0xa5, RECORDS * sizeof(struct frame));
    static_used = 0;
}

void *fake_alloc(size_t size)
{
    char *p = fake_arena + FAKE_SIZE - FAKE_STATIC + static_used;

    static_used += align_up(size, 32);
    if (static_used > FAKE_STATIC)
        abort();
    return memset(p, 0, size);
}
