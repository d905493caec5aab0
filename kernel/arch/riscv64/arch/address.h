/* SPDX-License-Identifier: MIT */
/*
 * address.h: where things lie in the kernel's half of the address space (Sv39), and conversions.
 *
 *     0xffffffc000000000  direct map: physical address + DIRECT_MAP_BASE, 128 GiB
 *     0xffffffe000000000  array of struct frame, index = page number, backed where there is RAM
 *     0xffffffe080000000  the kernel's own device registers
 *     0xffffffff80000000  the kernel's image, wherever it was loaded
 *     0xffffffffbfe00000  the device tree, read-only
 *
 * Kernel objects are named by addresses in the direct map only, so that converting is one addition
 * and a slot number one shift.  Objects in static memory have two addresses; kva_from_image gives
 * the one to use.  Host unit tests replace this file with test/unit/fake/arch/address.h.
 */
#ifndef ARCH_ADDRESS_H
#define ARCH_ADDRESS_H

#define DIRECT_MAP_BASE 0xffffffc000000000
#define FRAMES_BASE     0xffffffe000000000
#define DEVICE_BASE     0xffffffe080000000
#define KERNEL_BASE     0xffffffff80000000 /* kernel.ld links there */
#define FDT_BASE        0xffffffffbfe00000 /* the last 2 MiB of the image's 1 GiB */

/* Physical addresses at or above this are not used: a slot number (address / 32) has 32 bits. */
#define PHYSICAL_LIMIT 0x2000000000

#ifndef __ASSEMBLER__ /* ------------------------------------------------------------ C only below */

#include "lib/base/types.h"

struct frame;

/* The array of frame records, as an object of no type until frame.h has defined it. */
#define frame_array() ((struct frame *)FRAMES_BASE)

/* Kernel address of a physical one.  Valid to use only for RAM that boot has mapped. */
static inline void *kva_from_paddr(paddr_t p)
{
    return (void *)(DIRECT_MAP_BASE + p.addr);
}

/* Physical address of a kernel address in the direct map; nothing else has one. */
static inline paddr_t paddr_from_kva(const void *kva)
{
    return paddr((u64)kva - DIRECT_MAP_BASE);
}

/* Slot number: the physical address / 32 of a direct-map address, and 0 for NULL.  Bits 5 to 36 of
 * the virtual address are those of the physical one, so no base need be taken off. */
static inline u32 slot_number(const void *kva)
{
    return (u32)((u64)kva >> 5);
}

static inline void *slot_pointer(u32 number)
{
    return number ? (void *)(DIRECT_MAP_BASE + ((u64)number << 5)) : NULL;
}

/* Where the image was loaded; set by the first instructions of boot, constant from then on. */
extern u64 kernel_image_base;

/* The direct-map address of something in the image (static data): what a slot number can name. */
static inline paddr_t paddr_from_image(const void *image_address)
{
    return paddr((u64)image_address - KERNEL_BASE + kernel_image_base);
}
static inline void *kva_from_image(const void *image_address)
{
    return kva_from_paddr(paddr_from_image(image_address));
}

#endif /* __ASSEMBLER__ */
#endif
