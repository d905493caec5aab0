/* SPDX-License-Identifier: MIT */
/*
 * mmu.c: address space identifiers, roots, and the kernel's own mappings, made at boot.
 *
 * Tables for the kernel's mappings come first from a small pool in the image, then from a piece of
 * RAM that the direct map already shows.  Nothing is ever unmapped, so there is no way back.
 */
#include "arch/mmu.h"

#include "arch/address.h"
#include "arch/boot_map.h"
#include "arch/kmap.h"
#include "kernel/core/panic.h"
#include "lib/base/string.h"

#define BOOT_POOL 4 /* tables that boot needs before it has RAM: see kmap.h */

static u64 pool[BOOT_POOL][PTE_ENTRIES]
    __attribute__((section(".bss.boot_tables"), aligned(PAGE_SIZE)));

static struct {
    u32 pool_used;
    u64 next, end;  /* RAM for more tables, physical; shown by the direct map */
    u32 asid_limit; /* [I] */
} mmu = {.asid_limit = 1};

extern const u8 image_start[], image_mapped_end[];

/* ---- The kernel's mappings -------------------------------------------------------------------- */

void kmap_give_tables(paddr_t base, u64 size)
{
    mmu.next = base.addr;
    mmu.end = base.addr + size;
}

u64 kmap_tables_left(paddr_t *base)
{
    *base = paddr(mmu.next);
    return mmu.end - mmu.next;
}

/* A zeroed table. */
static paddr_t table_new(void)
{
    paddr_t p;

    if (mmu.next == mmu.end) {
        if (mmu.pool_used == BOOT_POOL)
            panic("no memory for the kernel's page tables");
        return paddr_from_image(pool[mmu.pool_used++]); /* .bss: zero */
    }
    p = paddr(mmu.next);
    mmu.next += PAGE_SIZE;
    page_zero(kva_from_paddr(p));
    return p;
}

/* Kernel address of a table: in the image or in the direct map. */
static u64 *table_at(paddr_t p)
{
    u64 offset = p.addr - kernel_image_base;

    if (offset < (u64)(image_mapped_end - image_start))
        return (u64 *)(KERNEL_BASE + offset);
    return kva_from_paddr(p);
}

/* The table below an entry, made if the entry is empty. */
static u64 *table_below(u64 *entry)
{
    if (!pte_is_valid(*entry))
        *entry = pte_table(table_new());
    assert(!pte_is_leaf(*entry));
    return table_at(pte_paddr(*entry));
}

/* log2 of the largest leaf that fits at va, p, with `size` bytes to go. */
static unsigned leaf_shift(u64 va, u64 p, u64 size)
{
    for (unsigned shift = 30; shift > PAGE_SHIFT; shift -= 9)
        if (is_aligned(va | p, 1ul << shift) && size >= 1ul << shift)
            return shift;
    return PAGE_SHIFT;
}

/* Write n leaves of 1 << shift bytes, one after the other. */
static void leaves_write(u64 *entry, u64 n, u64 pte, unsigned shift)
{
    for (const u64 *end = entry + n; entry < end; entry++) {
        *entry = pte;
        pte += pte_make(paddr(1ul << shift), 0);
    }
}

void kmap(u64 va, paddr_t p, u64 size, u64 template)
{
    assert(is_aligned(va | p.addr | size, PAGE_SIZE));

    for (u64 done = 0; done < size;) {
        unsigned shift = leaf_shift(va + done, p.addr + done, size - done);
        u64 first = (va + done) >> shift & (PTE_ENTRIES - 1);
        /* Along one table: a larger leaf could begin only where the next table does. */
        u64 n = MIN(PTE_ENTRIES - first, (size - done) >> shift);
        u64 *table = boot_root;

        for (unsigned level = 30; level > shift; level -= 9)
            table = table_below(&table[(va + done) >> level & (PTE_ENTRIES - 1)]);
        leaves_write(&table[first], n, pte_make(paddr(p.addr + done), template), shift);
        done += n << shift;
    }
}

/* ---- Roots and identifiers -------------------------------------------------------------------- */

u64 *mmu_kernel_root(void)
{
    return boot_root;
}

void mmu_root_init(u64 *root)
{
    for (unsigned i = PTE_ENTRIES / 2; i < PTE_ENTRIES; i++)
        if (boot_root[i])
            root[i] = boot_root[i];
}

/* Identifier bits that do not exist read back as zero.  The table is the same with either value. */
void mmu_init(bool use_asids)
{
    u64 before = csr_read(satp), found;

    if (use_asids) {
        csr_write(satp, before | SATP_ASID_MASK);
        found = (csr_read(satp) & SATP_ASID_MASK) >> SATP_ASID_SHIFT;
        csr_write(satp, before);
        mmu.asid_limit = (u32)found + 1;
    }
    mmu_flush_all(); /* the mappings made at boot, and what the trial identifier may have left */
}

u32 mmu_asid_limit(void)
{
    return mmu.asid_limit;
}
