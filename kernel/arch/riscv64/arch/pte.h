/* SPDX-License-Identifier: MIT */
/*
 * pte.h: page-table entries of Sv39 (Privileged Architecture v1.12, "Sv39").
 *
 * Bits 0-7 are V R W X U G A D, 8-9 are free for software, 10-53 the physical page number, and
 * 54-63 stay zero: without Svpbmt and Svnapot, which a VisionFive 2 lacks, they are reserved, so
 * the memory attribute of a mapping is whatever the physical address has (PMA).
 *
 * A and D are set beforehand in every leaf of the kernel: a U74 faults where QEMU sets them.
 */
#ifndef ARCH_PTE_H
#define ARCH_PTE_H

#include "lib/abi/abi.h"
#include "lib/base/types.h"

#define PTE_V 0x01ul
#define PTE_R 0x02ul
#define PTE_W 0x04ul
#define PTE_X 0x08ul
#define PTE_U 0x10ul
#define PTE_G 0x20ul
#define PTE_A 0x40ul
#define PTE_D 0x80ul

#define PTE_FRAME \
    0x100ul /* software's: the page is a frame of an object, whose record counts entries */

#define PTE_LEAF    (PTE_R | PTE_W | PTE_X) /* any of them set: a leaf */
#define PTE_NUMBER  0x003ffffffffffc00ul    /* the physical page number */
#define PTE_ENTRIES 512u

/* Leaves of the kernel itself. */
#define PTE_KERNEL_R  (PTE_V | PTE_R | PTE_G | PTE_A | PTE_D)
#define PTE_KERNEL_RW (PTE_KERNEL_R | PTE_W)
#define PTE_KERNEL_RX (PTE_KERNEL_R | PTE_X)

/* An entry that shows the page at p, from a template of low bits. */
static inline u64 pte_make(paddr_t p, u64 template)
{
    return p.addr >> 2 | template;
}
static inline paddr_t pte_paddr(u64 pte)
{
    return paddr((pte & PTE_NUMBER) << 2);
}
static inline bool pte_is_valid(u64 pte)
{
    return pte & PTE_V;
}
static inline bool pte_is_leaf(u64 pte)
{
    return (pte & (PTE_V | PTE_LEAF)) > PTE_V;
}
/* An inner entry: the table at p. */
static inline u64 pte_table(paddr_t p)
{
    return pte_make(p, PTE_V);
}

/*
 * Template of a user leaf that allows MAP_READ, MAP_WRITE and MAP_EXEC of `permissions`, with A and
 * D clear.  Write gives read too, since W without R is reserved.  No permission gives a template
 * that is not valid.  The attribute (MEMORY_*) has no bits of its own in plain Sv39.
 */
static inline u64 pte_user_template(unsigned permissions, unsigned attribute)
{
    u64 bits = (permissions & (MAP_READ | MAP_WRITE | MAP_EXEC)) << 1;

    (void)attribute;
    if (bits & PTE_W)
        bits |= PTE_R;
    return bits ? bits | PTE_V | PTE_U : 0;
}

/* The same template with other permissions. */
static inline u64 pte_with_permissions(u64 template, unsigned permissions)
{
    return (template & ~(PTE_LEAF | PTE_V | PTE_U)) | pte_user_template(permissions, 0);
}
_Static_assert(MAP_READ << 1 == PTE_R && MAP_WRITE << 1 == PTE_W && MAP_EXEC << 1 == PTE_X,
               "permissions become PTE bits by one shift");

#endif
