/* SPDX-License-Identifier: MIT */
/*
 * kmap.h: mappings in the kernel's half, made at boot and never changed.
 */
#ifndef ARCH_KMAP_H
#define ARCH_KMAP_H

#include "arch/pte.h"
#include "lib/base/types.h"

/*
 * Show `size` bytes from p at va, with the largest leaves that fit and the template PTE_KERNEL_*.
 * All page aligned; nothing may be there yet.  The caller fences (mmu_flush_all) before using it.
 * Panics when tables run out: before kmap_give_tables there are four, enough for the device window
 * (two) and the piece of RAM that becomes the next tables (at most two).
 * Cost: about 5 instructions a leaf, 550 a table.
 */
void kmap(u64 va, paddr_t p, u64 size, u64 template);

/* From now on tables come from this RAM, which kmap has shown at its place in the direct map.
 * Page aligned.  It is the caller's who gives it; kmap_tables_left tells what was not used. */
void kmap_give_tables(paddr_t base, u64 size);

/* What is left of that RAM: bytes, and from where. */
u64 kmap_tables_left(paddr_t *base);

#endif
