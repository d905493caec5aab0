/* SPDX-License-Identifier: MIT */
/*
 * boot_map.h: what the code before paging leaves for the code after.
 */
#ifndef ARCH_BOOT_MAP_H
#define ARCH_BOOT_MAP_H

#include "lib/base/types.h"

#define FDT_WINDOW_BYTES 0x200000ul /* at FDT_BASE; a blob reaching beyond is cut there */

/* The kernel's page-table root. */
extern u64 boot_root[];

/* Bytes of the device tree that are mapped at FDT_BASE + its offset in its first page; 0: the boot
 * loader gave none, or something else. */
extern u64 boot_fdt_bytes;

/* Called by start.S with paging off: make the tables for the image at `image` (4 KiB aligned) and
 * the device tree at `fdt`.  Returns the value for satp. */
u64 boot_map(u64 image, u64 fdt);

#endif
