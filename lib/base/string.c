/* SPDX-License-Identifier: MIT */
/* string.c: memory and string functions for the kernel, which is linked without any C library.
 *
 * Clearing and copying a page are figures of the benchmark (a zero-fill fault is mostly page_zero),
 * so those two move 256 bytes a turn: as far as one base register reaches with the offsets of the
 * compressed load and store. The rest is short rather than clever: the kernel copies little. */
#include "lib/base/string.h"

#include "lib/base/types.h"

/* Memory of any type, seen as 8-byte words. */
typedef u64 __attribute__((may_alias)) word_t;

#define WORDS_PER_TURN 32
#define PAGE_WORDS     (PAGE_SIZE / sizeof(word_t))
_Static_assert(PAGE_WORDS % WORDS_PER_TURN == 0, "a page is a whole number of turns");

/* Makes the compiler forget what it knows about a pointer, at no cost. GCC and clang recognise a
 * loop that is a memset or memcpy and replace it by a call to that function, which here would be a
 * function that calls itself for ever. A loop whose pointer goes through this is not recognised.
 * (GCC's optimize("no-tree-loop-distribute-patterns") attribute does it for GCC alone, and its
 * manual advises against that attribute outside debugging.) */
#define OPAQUE(pointer) __asm__("" : "+r"(pointer))

/* The operation for words i .. i+7, and for all words of a turn. */
#define EIGHT(op, i) \
    op(i) op((i) + 1) op((i) + 2) op((i) + 3) op((i) + 4) op((i) + 5) op((i) + 6) op((i) + 7)

/* Eight words by eight registers, all loads before all stores: an in-order core then does not
 * stall on each load. (Not `restrict`: told that the pages are apart, GCC 12 hoists all 32 loads,
 * and spills.) */
#define MOVE8(i)                                                                       \
    do {                                                                               \
        word_t w0 = in[i], w1 = in[(i) + 1], w2 = in[(i) + 2], w3 = in[(i) + 3];       \
        word_t w4 = in[(i) + 4], w5 = in[(i) + 5], w6 = in[(i) + 6], w7 = in[(i) + 7]; \
        out[i] = w0, out[(i) + 1] = w1, out[(i) + 2] = w2, out[(i) + 3] = w3;          \
        out[(i) + 4] = w4, out[(i) + 5] = w5, out[(i) + 6] = w6, out[(i) + 7] = w7;    \
    } while (0)

static bool words_aligned(const void *a, const void *b)
{
    return is_aligned((uintptr_t)a | (uintptr_t)b, sizeof(word_t));
}

/* Upwards, as memmove needs when the target is below the source. */
static void copy_up(u8 *to, const u8 *from, size_t size)
{
    if (words_aligned(to, from)) {
        for (; size >= 8 * sizeof(word_t); size -= 8 * sizeof(word_t)) {
            word_t *out = (word_t *)to;
            const word_t *in = (const word_t *)from;

            MOVE8(0);
            to += 8 * sizeof(word_t);
            from += 8 * sizeof(word_t);
            OPAQUE(to);
        }
        for (; size >= sizeof(word_t); size -= sizeof(word_t)) {
            *(word_t *)to = *(const word_t *)from;
            to += sizeof(word_t);
            from += sizeof(word_t);
            OPAQUE(to);
        }
    }
    while (size--) {
        *to++ = *from++;
        OPAQUE(to);
    }
}

/* Downwards from the ends, as memmove needs when the target is above the source. */
static void copy_down(u8 *to, const u8 *from, size_t size)
{
    to += size;
    from += size;
    if (words_aligned(to, from)) {
        for (; size >= sizeof(word_t); size -= sizeof(word_t)) {
            to -= sizeof(word_t);
            from -= sizeof(word_t);
            *(word_t *)to = *(const word_t *)from;
            OPAQUE(to);
        }
    }
    while (size--) {
        *--to = *--from;
        OPAQUE(to);
    }
}

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    copy_up(to, from, size);
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    if ((uintptr_t)to <= (uintptr_t)from)
        copy_up(to, from, size);
    else
        copy_down(to, from, size);
    return to;
}

void *memset(void *to, int byte, size_t size)
{
    u8 *at = to;
    word_t word = (u8)byte * 0x0101010101010101ul;

    for (; size && !words_aligned(at, at); size--) {
        *at++ = (u8)byte;
        OPAQUE(at);
    }
    for (; size >= 8 * sizeof(word_t); size -= 8 * sizeof(word_t)) {
        word_t *out = (word_t *)at;
#define SET(i) out[i] = word;
        EIGHT(SET, 0)
#undef SET
        at += 8 * sizeof(word_t);
        OPAQUE(at);
    }
    for (; size >= sizeof(word_t); size -= sizeof(word_t)) {
        *(word_t *)at = word;
        at += sizeof(word_t);
        OPAQUE(at);
    }
    while (size--) {
        *at++ = (u8)byte;
        OPAQUE(at);
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const u8 *p = a, *q = b;

    for (; size; size--, p++, q++)
        if (*p != *q)
            return *p < *q ? -1 : 1;
    return 0;
}

size_t strnlen(const char *s, size_t max)
{
    size_t n = 0;

    while (n < max && s[n])
        n++;
    return n;
}

size_t strlen(const char *s)
{
    const char *end = s;

    while (*end) {
        end++;
        OPAQUE(end);
    }
    return (size_t)(end - s);
}

int strncmp(const char *a, const char *b, size_t max)
{
    for (; max; max--, a++, b++) {
        if (*a != *b)
            return (u8)*a < (u8)*b ? -1 : 1;
        if (*a == '\0')
            return 0;
    }
    return 0;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

void page_zero(void *page)
{
    word_t *at = page;
    word_t *end = at + PAGE_WORDS;

    do {
#define ZERO(i) at[i] = 0;
        EIGHT(ZERO, 0)
        EIGHT(ZERO, 8)
        EIGHT(ZERO, 16)
        EIGHT(ZERO, 24)
#undef ZERO
        at += WORDS_PER_TURN;
        OPAQUE(at);
    } while (at != end);
}

void page_copy(void *to, const void *from)
{
    word_t *out = to;
    const word_t *in = from;
    const word_t *end = in + PAGE_WORDS;

    do {
        MOVE8(0);
        MOVE8(8);
        MOVE8(16);
        MOVE8(24);
        in += WORDS_PER_TURN;
        out += WORDS_PER_TURN;
        OPAQUE(out);
    } while (in != end);
}
