/* SPDX-License-Identifier: MIT */
/* types.h: fixed-width names, address types, and the few macros that every file needs.
 *
 * Part of lib/base, which both the kernel and user programs compile; it therefore asks for nothing
 * but the compiler's own freestanding headers. Physical and virtual addresses are one-field
 * structs: handing one to a parameter of the other kind does not compile. Use `.addr` where the
 * number itself is meant, and the constructors below where a number becomes an address. */
#ifndef LIB_BASE_TYPES_H
#define LIB_BASE_TYPES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t i64;

typedef struct {
    u64 addr;
} paddr_t; /* physical, bytes */
typedef struct {
    u64 addr;
} vaddr_t; /* virtual, bytes */

_Static_assert(sizeof(void *) == 8 && sizeof(long) == 8, "Quire is written for LP64");
_Static_assert(sizeof(paddr_t) == 8 && sizeof(vaddr_t) == 8, "an address is one register");

static inline paddr_t paddr(u64 addr)
{
    return (paddr_t){addr};
}

static inline vaddr_t vaddr(u64 addr)
{
    return (vaddr_t){addr};
}

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096ul
#define PAGE_MASK  (PAGE_SIZE - 1) /* the offset bits: address & PAGE_MASK == 0 is page aligned */

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* The struct that holds `member` at `pointer`. The comparison refuses a pointer of another type. */
#define container_of(pointer, type, member) \
    ((type *)((char *)(1 ? (pointer) : &((type *)0)->member) - offsetof(type, member)))

/* Each argument is evaluated once; both should have one type. Not for constant expressions. */
#define MIN(a, b)                      \
    ({                                 \
        __typeof__(a) min_a = (a);     \
        __typeof__(b) min_b = (b);     \
        min_a < min_b ? min_a : min_b; \
    })
#define MAX(a, b)                      \
    ({                                 \
        __typeof__(a) max_a = (a);     \
        __typeof__(b) max_b = (b);     \
        max_a > max_b ? max_a : max_b; \
    })

/* *sum = a + b; true if that wrapped past 2^64 (then *sum is the wrapped value: do not use it). */
static inline bool add_overflows(u64 a, u64 b, u64 *sum)
{
    return __builtin_add_overflow(a, b, sum);
}

/* *product = a * b; true if that does not fit 64 bits. */
static inline bool mul_overflows(u64 a, u64 b, u64 *product)
{
    return __builtin_mul_overflow(a, b, product);
}

/* Alignment: `align` is a power of two. align_up wraps to 0 near 2^64: where the value comes from
 * outside, use align_up_overflows. */
static inline bool is_aligned(u64 value, u64 align)
{
    return (value & (align - 1)) == 0;
}

static inline u64 align_down(u64 value, u64 align)
{
    return value & ~(align - 1);
}

static inline u64 align_up(u64 value, u64 align)
{
    return (value + align - 1) & ~(align - 1);
}

/* *up = value rounded up; true if that is beyond 2^64 - 1. */
static inline bool align_up_overflows(u64 value, u64 align, u64 *up)
{
    bool wrapped = add_overflows(value, align - 1, up);
    *up = align_down(*up, align);
    return wrapped;
}

static inline bool is_power_of_two(u64 value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

/* Is [base, base + length) inside [outer, outer + outer_length)? Safe for every argument: a range
 * that wraps is not inside anything, and an outer range may end at 2^64. */
static inline bool range_inside(u64 base, u64 length, u64 outer, u64 outer_length)
{
    return base >= outer && base - outer <= outer_length && length <= outer_length - (base - outer);
}

/* Do two ranges share a byte? An empty range shares none. Neither may wrap past 2^64. */
static inline bool ranges_overlap(u64 a, u64 a_length, u64 b, u64 b_length)
{
    return a_length && b_length && (a < b ? b - a < a_length : a - b < b_length);
}

#endif
