/* SPDX-License-Identifier: MIT */
/*
 * ranges.h: small sets of physical addresses, as sorted lists of ranges.
 *
 * Boot uses them to say what memory there is, what of it must not be touched, and what is left.
 * Pure: no memory of its own, tested on the host.
 */
#ifndef KERNEL_CORE_RANGES_H
#define KERNEL_CORE_RANGES_H

#include "lib/base/types.h"

#define RANGES_MAX 96 /* memory nodes plus twice the reservations, with room */

struct range {
    u64 base, end; /* bytes; base < end */
};

/* Ascending; no two overlap or touch.  {0} is the empty set. */
struct ranges {
    u32 count;
    bool full; /* a range was left out for want of room (add), or more than asked was taken away */
    struct range range[RANGES_MAX];
};

/* Add or take away [base, base + size).  What wraps is cut at 2^64 - 1; size 0 does nothing. */
void ranges_add(struct ranges *r, u64 base, u64 size);
void ranges_remove(struct ranges *r, u64 base, u64 size);

/* Keep of each range the part that begins and ends at multiples of `align`, a power of two. */
void ranges_trim(struct ranges *r, u64 align);

/* Take `size` bytes, a multiple of `align`, at the highest place where they fit aligned: *base is
 * where.  False, and nothing changed: they fit nowhere. */
bool ranges_take(struct ranges *r, u64 size, u64 align, u64 *base);

u64 ranges_total(const struct ranges *r); /* bytes */

#endif
