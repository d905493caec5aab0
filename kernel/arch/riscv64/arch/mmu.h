/* SPDX-License-Identifier: MIT */
/*
 * mmu.h: which page table is in use, and what the hart may still remember of others.
 *
 * Page tables themselves are radix trees (kernel/object/radix.h) of the entries of pte.h; this is
 * the register and the fences.  Address spaces have an identifier (ASID) where the hardware has
 * such bits and the boot arguments do not say asid=off; identifier 0 is shared by all that have
 * none, and switching to it flushes it.  A VisionFive 2 has none at all.
 *
 * Fences here reach this hart only: one hart runs.
 */
#ifndef ARCH_MMU_H
#define ARCH_MMU_H

#include "arch/csr.h"
#include "arch/pte.h"
#include "lib/base/types.h"

#define SATP_SV39       (8ul << 60)
#define SATP_ASID_SHIFT 44
#define SATP_ASID_MASK  (0xfffful << SATP_ASID_SHIFT)

/* Boot: find out how many identifiers there are.  Called on the boot hart with paging on. */
void mmu_init(bool use_asids);

/* Identifiers are 1 to mmu_asid_limit() - 1; 1 (or 0): there are none, use 0. */
u32 mmu_asid_limit(void);

/* The root of the kernel's own table. */
u64 *mmu_kernel_root(void);

/* Make a zeroed page the root of a new address space: it gets the kernel's upper half, which never
 * changes after boot at this level. */
void mmu_root_init(u64 *root);

/* The satp value that selects a table.  asid is 0 or below mmu_asid_limit(). */
static inline u64 mmu_satp(paddr_t root, u32 asid)
{
    return SATP_SV39 | (u64)asid << SATP_ASID_SHIFT | root.addr >> PAGE_SHIFT;
}

/* Forget what identifier `asid` says about the page of `va`, in leaves: enough after a leaf changed,
 * and after an inner entry became valid.  Kernel (global) entries stay. */
static inline void mmu_flush_page(vaddr_t va, u32 asid)
{
    __asm__ volatile("sfence.vma %0, %1" : : "r"(va.addr), "r"((u64)asid) : "memory");
}

/* Forget all that `asid` says about user addresses; needed when an inner entry goes away, and before
 * the identifier is given to another address space. */
static inline void mmu_flush_asid(u32 asid)
{
    __asm__ volatile("sfence.vma zero, %0" : : "r"((u64)asid) : "memory");
}

/* Forget everything, the kernel's global entries too. */
static inline void mmu_flush_all(void)
{
    __asm__ volatile("sfence.vma" : : : "memory");
}

/* Use another table from now on.  An identifier of its own needs no flush here: its entries were
 * kept right all the time; identifier 0 belongs to whoever was there before. */
static inline void mmu_switch_satp(u64 satp)
{
    csr_write(satp, satp);
    if ((satp & SATP_ASID_MASK) == 0)
        mmu_flush_asid(0);
}
static inline void mmu_switch(paddr_t root, u32 asid)
{
    mmu_switch_satp(mmu_satp(root, asid));
}

#endif
