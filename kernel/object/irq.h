/* SPDX-License-Identifier: MIT */
/*
 * Irq: an interrupt line.  When it fires, the line is masked and bits are set in a notification;
 * irq.acknowledge unmasks it.  The controller is behind kernel/core/platform.h.
 */
#ifndef KERNEL_OBJECT_IRQ_H
#define KERNEL_OBJECT_IRQ_H

#include "kernel/object/object.h"

/* Q1 at most one object per line (irq_lines).   Q2 the line is enabled only while bound. */
struct irq {
    struct object object;
    struct slot notification;
    u64 bits;
    u64 count;
    u32 line;
};
_Static_assert(sizeof(struct irq) <= 128, "size class");

#define IRQ_LINES 1024

/* An interrupt came in on that line (trap entry; lock alone). */
void irq_dispatch(unsigned line);
bool irq_lost_notification(struct irq *i);

#endif
