/* SPDX-License-Identifier: MIT */
/* Debug: console, power and queries, for tests and tools; handed out by the system description. */
#ifndef KERNEL_OBJECT_DEBUG_H
#define KERNEL_OBJECT_DEBUG_H

#include "kernel/object/object.h"

struct debug {
    struct object object;
};

struct debug *debug_boot(struct bank *bank);

#endif
