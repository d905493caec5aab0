/* SPDX-License-Identifier: MIT */
/* The first program: made from what boot found, started by the scheduler like any other. */
#ifndef KERNEL_CORE_FIRST_USER_H
#define KERNEL_CORE_FIRST_USER_H

#include "lib/base/types.h"

/* What boot hands over.  Physical ranges are page aligned at their start and never freed. */
struct first_boot {
    paddr_t bundle; /* boot archive */
    u64 bundle_bytes;
    const void *fdt; /* device-tree blob, kernel address */
    u64 fdt_bytes;
    paddr_t initrd; /* extra archive; 0 bytes = none */
    u64 initrd_bytes;
};

/* Make init and everything it holds; leaves its thread READY.  Once, at the end of boot, after all
 * free frames have been handed over.  Panics on what cannot go on. */
void first_user_start(const struct first_boot *boot);

#endif
