/* SPDX-License-Identifier: MIT */
/*
 * boot_map.c: the first page tables, made before paging is on.
 *
 * This is the one C file that runs at physical addresses.  What the linker calls 0xffffffff8...
 * lies wherever the loader put it, so only pc-relative code works: no pointers in tables, no switch
 * that the compiler might turn into a table, no calls but to functions that obey the same.
 *
 * It maps the image at KERNEL_BASE with 4 KiB leaves, each group of sections with its own
 * permissions and never writable and executable, and the device tree read-only at FDT_BASE.  There
 * is no identity mapping.  The rest is mapped later, by boot.c, from virtual addresses.
 */
#include "arch/boot_map.h"

#include "arch/address.h"
#include "arch/mmu.h"
#include "arch/pte.h"
#include "lib/base/fdt.h"

extern const u8 image_start[], image_text_end[], image_rodata_end[], image_data_end[],
    image_stack_start[], image_mapped_end[];

u64 kernel_image_base;
u64 boot_fdt_bytes;

/* In the section of tables, which is page aligned and arrives as zeros. */
#define BOOT_TABLE __attribute__((section(".bss.boot_tables"), aligned(PAGE_SIZE)))
u64 boot_root[PTE_ENTRIES] BOOT_TABLE;
static u64 image_directory[PTE_ENTRIES] BOOT_TABLE; /* 1 GiB from KERNEL_BASE */
static u64 image_leaves[PTE_ENTRIES] BOOT_TABLE;    /* its first 2 MiB: the image */
static u64 fdt_leaves[PTE_ENTRIES] BOOT_TABLE;      /* its last 2 MiB: the device tree */

#define ROOT_INDEX(va)      ((va) >> 30 & (PTE_ENTRIES - 1))
#define DIRECTORY_INDEX(va) ((va) >> 21 & (PTE_ENTRIES - 1))

/* Map the pages of the image from `start` to `end`, which are physical here. */
static void map_image(const u8 *start, const u8 *end, u64 template)
{
    for (u64 p = (u64)start; p < (u64)end; p += PAGE_SIZE)
        image_leaves[(p - (u64)image_start) >> PAGE_SHIFT] = pte_make(paddr(p), template);
}

/* Map the blob, from the page it begins in; what its header claims beyond the window is left out,
 * and what is no device tree maps nothing. */
static void map_fdt(u64 fdt)
{
    u64 room = FDT_WINDOW_BYTES - (fdt & PAGE_MASK);
    u64 size = fdt == 0 ? 0 : fdt_peek_size((const void *)fdt);

    if (size > room)
        size = room;
    for (u64 p = fdt & ~PAGE_MASK, i = 0; size && p < fdt + size; p += PAGE_SIZE, i++)
        fdt_leaves[i] = pte_make(paddr(p), PTE_KERNEL_R);
    boot_fdt_bytes = size;
}

u64 boot_map(u64 image, u64 fdt)
{
    kernel_image_base = image;

    map_image(image_start, image_text_end, PTE_KERNEL_RX);
    map_image(image_text_end, image_rodata_end, PTE_KERNEL_R);
    map_image(image_rodata_end, image_data_end, PTE_KERNEL_RW);
    map_image(image_stack_start, image_mapped_end, PTE_KERNEL_RW);
    map_fdt(fdt);

    boot_root[ROOT_INDEX(KERNEL_BASE)] = pte_table(paddr((u64)image_directory));
    image_directory[DIRECTORY_INDEX(KERNEL_BASE)] = pte_table(paddr((u64)image_leaves));
    image_directory[DIRECTORY_INDEX(FDT_BASE)] = pte_table(paddr((u64)fdt_leaves));
    return mmu_satp(paddr((u64)boot_root), 0);
}
