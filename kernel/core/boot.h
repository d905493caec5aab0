/* SPDX-License-Identifier: MIT */
/*
 * boot.h: from the first instruction of C to a kernel that can make objects.
 */
#ifndef KERNEL_CORE_BOOT_H
#define KERNEL_CORE_BOOT_H

#include "kernel/core/first_user.h"
#include "lib/base/types.h"

/*
 * Called by start.S: paging on, on the boot hart's stack, tp and sscratch set, interrupts off.
 * hart_id as the firmware said; fdt: physical address of the device tree; instret: of this hart, at
 * the first instruction of the image.
 */
_Noreturn void kernel_main(u64 hart_id, u64 fdt, u64 instret);

/* Everything up to the first program: the machine, the console, memory, interrupts, the tick.
 * Prints a numbered line for each stage and panics on what the kernel cannot do without. */
void boot_run(u64 hart_id, u64 fdt, struct first_boot *first);

/* The last line: the first program is made. `instructions`: since the first of the image. */
void boot_report(u64 instructions);

#endif
