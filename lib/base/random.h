/* SPDX-License-Identifier: MIT */
/* random.h: a small generator of numbers that look random, for tests and demonstrations.
 *
 * The same seed gives the same sequence everywhere, so that a failure can be replayed. It is
 * splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014): one
 * word of state, any seed is good, every value comes once in 2^64. Whoever sees one output knows
 * all later ones: not for secrets. */
#ifndef LIB_BASE_RANDOM_H
#define LIB_BASE_RANDOM_H

#include "lib/base/types.h"

struct random {
    u64 state; /* the seed, at first */
};

static inline u64 random_next(struct random *r)
{
    u64 z = r->state += 0x9e3779b97f4a7c15ul;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ul;
    z = (z ^ z >> 27) * 0x94d049bb133111ebul;
    return z ^ z >> 31;
}

/* A number from 0 to bound - 1; bound > 0. Its bias is below bound / 2^64. */
static inline u64 random_below(struct random *r, u64 bound)
{
    return (u64)((unsigned __int128)random_next(r) * bound >> 64);
}

/* Put the numbers 0 .. count - 1 into random order. */
static inline void random_order(struct random *r, u32 *order, u32 count)
{
    for (u32 i = 0; i < count; i++) {
        u32 j = (u32)random_below(r, (u64)i + 1);

        order[i] = order[j];
        order[j] = i;
    }
}

#endif
