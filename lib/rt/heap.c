/* SPDX-License-Identifier: MIT */
/*
 * The heap under malloc: sbrk, by mapping anonymous memory in steps behind one another.
 *
 * A page costs nothing before it is touched, so the step only bounds the number of objects.  Memory
 * is never given back; picolibc's malloc calls sbrk under its own lock.  malloc returns NULL only
 * where no more can be mapped: a bank that runs dry later stops the thread that touches the page,
 * with NO_SPACE.
 */
#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include "lib/rt/rt.h"

#define HEAP_STEP (1ul << 20)

static word_t heap_break = HEAP_BASE; /* end of what malloc has */
static word_t heap_end = HEAP_BASE;   /* end of what is mapped */

static status_t heap_extend(word_t length)
{
    struct result anon = object_create(SLOT_BANK, OBJ_anon, length, 0);
    struct result r;

    if (anon.status != ST_OK)
        return anon.status;
    r = q_aspace_map(SLOT_ASPACE, heap_end, length, anon.value, 0, MAP_READ | MAP_WRITE);
    if (r.status != ST_OK) {
        slot_free(anon.value);
        return r.status;
    }
    heap_end += length;
    return ST_OK;
}

void *sbrk(ptrdiff_t increment)
{
    word_t old = heap_break;

    if (increment < 0 ? (word_t)-increment > heap_break - HEAP_BASE
                      : (word_t)increment > HEAP_END - heap_break) {
        errno = ENOMEM;
        return (void *)-1;
    }
    if (increment > 0 && (word_t)increment > heap_end - heap_break) {
        word_t missing = (word_t)increment - (heap_end - heap_break);
        word_t length = (missing + HEAP_STEP - 1) & ~(HEAP_STEP - 1);

        if (length > HEAP_END - heap_end || heap_extend(length) != ST_OK) {
            errno = ENOMEM;
            return (void *)-1;
        }
    }
    heap_break += (word_t)increment;
    return (void *)old;
}
