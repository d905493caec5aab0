/* SPDX-License-Identifier: MIT */
/*
 * ranges.c: sorted lists of address ranges.  See ranges.h.
 */
#include "kernel/core/ranges.h"

static u64 range_end(u64 base, u64 size)
{
    u64 end;

    return add_overflows(base, size, &end) ? ~0ul : end;
}

static void delete_at(struct ranges *r, u32 at)
{
    r->count--;
    for (u32 i = at; i < r->count; i++)
        r->range[i] = r->range[i + 1];
}

/* False: no room. */
static bool insert_at(struct ranges *r, u32 at, u64 base, u64 end)
{
    if (r->count == RANGES_MAX) {
        r->full = true;
        return false;
    }
    for (u32 i = r->count; i > at; i--)
        r->range[i] = r->range[i - 1];
    r->count++;
    r->range[at] = (struct range){base, end};
    return true;
}

void ranges_add(struct ranges *r, u64 base, u64 size)
{
    u64 end = range_end(base, size);
    u32 i = 0;

    if (base == end)
        return;
    while (i < r->count && r->range[i].end < base)
        i++;
    while (i < r->count && r->range[i].base <= end) { /* overlaps or touches: becomes part */
        base = MIN(base, r->range[i].base);
        end = MAX(end, r->range[i].end);
        delete_at(r, i);
    }
    insert_at(r, i, base, end);
}

void ranges_remove(struct ranges *r, u64 base, u64 size)
{
    u64 end = range_end(base, size);

    if (base == end)
        return;
    for (u32 i = 0; i < r->count;) {
        struct range old = r->range[i];

        if (old.end <= base || old.base >= end) {
            i++;
            continue;
        }
        delete_at(r, i);
        if (old.base < base) {
            insert_at(r, i, old.base, base);
            i++;
        }
        if (end < old.end && insert_at(r, i, end, old.end))
            i++;
    }
}

void ranges_trim(struct ranges *r, u64 align)
{
    for (u32 i = 0; i < r->count;) {
        struct range *range = &r->range[i];
        u64 base;

        range->end = align_down(range->end, align);
        if (align_up_overflows(range->base, align, &base) || base >= range->end) {
            delete_at(r, i);
        } else {
            range->base = base;
            i++;
        }
    }
}

bool ranges_take(struct ranges *r, u64 size, u64 align, u64 *base)
{
    for (u32 i = r->count; i > 0; i--) {
        struct range old = r->range[i - 1];
        u64 at = old.end < size ? 0 : align_down(old.end - size, align);

        if (old.end < size || at < old.base)
            continue;
        *base = at;
        ranges_remove(r, at, size);
        return true;
    }
    return false;
}

u64 ranges_total(const struct ranges *r)
{
    u64 total = 0;

    for (u32 i = 0; i < r->count; i++)
        total += r->range[i].end - r->range[i].base;
    return total;
}
