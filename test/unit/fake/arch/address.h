/* SPDX-License-Identifier: MIT */
/*
 * address.h for host tests: the kernel's physical memory is an arena of the test program.
 *
 * The names and meanings are those of kernel/arch/riscv64/arch/address.h.  Physical address
 * FAKE_BASE + n is byte n of the arena; only what lies in it can be converted, so objects of a test
 * that are linked by slot number must be in it too (fake_alloc, or a bank).
 */
#ifndef ARCH_ADDRESS_H
#define ARCH_ADDRESS_H

#include "lib/base/types.h"

#define PHYSICAL_LIMIT 0x2000000000

#define FAKE_BASE 0x80000000ul /* physical; 4 MiB aligned */
#define FAKE_SIZE 0x4000000ul  /* 64 MiB */

struct frame;

extern char *fake_arena;          /* FAKE_SIZE bytes */
extern struct frame *fake_frames; /* record of physical page 0, were there one */

/* Make the arena, or fill it with rubbish again, and so the frame records. */
void fake_arena_init(void);
/* Zeroed, 32-byte aligned memory at the end of the arena that no allocator is given (the last
 * FAKE_STATIC bytes); for what would be static in the kernel. */
#define FAKE_STATIC 0x100000ul
void *fake_alloc(size_t size);

#define frame_array() (fake_frames)

static inline void *kva_from_paddr(paddr_t p)
{
    return fake_arena + (p.addr - FAKE_BASE);
}

static inline paddr_t paddr_from_kva(const void *kva)
{
    return paddr((u64)((const char *)kva - fake_arena) + FAKE_BASE);
}

static inline u32 slot_number(const void *kva)
{
    return kva ? (u32)(paddr_from_kva(kva).addr >> 5) : 0;
}

static inline void *slot_pointer(u32 number)
{
    return number ? kva_from_paddr(paddr((u64)number << 5)) : NULL;
}

static inline void *kva_from_image(const void *image_address)
{
    return (void *)image_address;
}

#endif
