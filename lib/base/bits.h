/* SPDX-License-Identifier: MIT */
/* bits.h: counting bits, and big-endian loads, in plain C.
 *
 * The kernel is built for rv64imac, which has no Zbb, and is linked without libgcc, so
 * __builtin_ctzll and its family would become calls to functions that are not there. These are
 * inline, without lookup tables (a table costs a cache line where an early-out costs a few
 * instructions), and fold to a constant when the argument is one. */
#ifndef LIB_BASE_BITS_H
#define LIB_BASE_BITS_H

#include "lib/base/types.h"

/* Number of zero bits below the lowest one; 64 for 0. */
static inline unsigned ctz64(u64 x)
{
    unsigned n = 0;

    if (x == 0)
        return 64;
    if ((u32)x == 0) {
        n += 32;
        x >>= 32;
    }
    if ((u16)x == 0) {
        n += 16;
        x >>= 16;
    }
    if ((u8)x == 0) {
        n += 8;
        x >>= 8;
    }
    if ((x & 0xf) == 0) {
        n += 4;
        x >>= 4;
    }
    if ((x & 0x3) == 0) {
        n += 2;
        x >>= 2;
    }
    return n + !(x & 1);
}

/* Number of zero bits above the highest one; 64 for 0. The bit number of the highest one is
 * 63 - clz64(x). */
static inline unsigned clz64(u64 x)
{
    unsigned n = 63;

    if (x == 0)
        return 64;
    if (x >> 32) {
        n -= 32;
        x >>= 32;
    }
    if (x >> 16) {
        n -= 16;
        x >>= 16;
    }
    if (x >> 8) {
        n -= 8;
        x >>= 8;
    }
    if (x >> 4) {
        n -= 4;
        x >>= 4;
    }
    if (x >> 2) {
        n -= 2;
        x >>= 2;
    }
    return n - (unsigned)(x >> 1);
}

/* Number of one bits. Sums in parallel: 2-bit, 4-bit, 8-bit fields, then all bytes by one mul. */
static inline unsigned popcount64(u64 x)
{
    x -= (x >> 1) & 0x5555555555555555ul;
    x = (x & 0x3333333333333333ul) + ((x >> 2) & 0x3333333333333333ul);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0ful;
    return (unsigned)((x * 0x0101010101010101ul) >> 56);
}

static inline u32 bswap32(u32 x)
{
    return x << 24 | (x & 0xff00) << 8 | (x >> 8 & 0xff00) | x >> 24;
}

static inline u64 bswap64(u64 x)
{
    return (u64)bswap32((u32)x) << 32 | bswap32((u32)(x >> 32));
}

/* Big-endian loads from any address. By bytes: a misaligned load traps to the firmware on a U74,
 * and what these read (device trees) is not aligned to its fields. */
static inline u32 load_be32(const void *p)
{
    const u8 *b = p;

    return (u32)b[0] << 24 | (u32)b[1] << 16 | (u32)b[2] << 8 | b[3];
}

static inline u64 load_be64(const void *p)
{
    return (u64)load_be32(p) << 32 | load_be32((const u8 *)p + 4);
}

/* Little-endian loads from any address. */
static inline u16 load_le16(const void *p)
{
    const u8 *b = p;

    return (u16)(b[0] | b[1] << 8);
}

static inline u32 load_le32(const void *p)
{
    return bswap32(load_be32(p));
}

static inline u64 load_le64(const void *p)
{
    return (u64)load_le32((const u8 *)p + 4) << 32 | load_le32(p);
}

#endif
