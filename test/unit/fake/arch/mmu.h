/* SPDX-License-Identifier: MIT */
/*
 * mmu.h for host tests: the fences go to a test, which may keep a model of what hardware would
 * remember.  The names and meanings are those of kernel/arch/riscv64/arch/mmu.h.
 */
#ifndef ARCH_MMU_H
#define ARCH_MMU_H

#include "arch/address.h"
#include "arch/pte.h"

/* The test defines these. */
u32 mmu_asid_limit(void);
void mmu_flush_page(vaddr_t va, u32 asid);
void mmu_flush_asid(u32 asid);
void mmu_root_init(u64 *root);

static inline u64 mmu_satp(paddr_t root, u32 asid)
{
    return (u64)asid << 44 | root.addr >> PAGE_SHIFT;
}

#endif
