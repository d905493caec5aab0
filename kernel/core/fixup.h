/* SPDX-License-Identifier: MIT */
/*
 * The fixup address: a thread that says beforehand where it goes on after a failed access.
 */
#ifndef KERNEL_CORE_FIXUP_H
#define KERNEL_CORE_FIXUP_H

#include "kernel/object/thread.h"

/* Is `t`, by its pc, in the range where it is ready for failures?  To be asked first. */
static inline bool fixup_in_range(const struct thread *t)
{
    const volatile struct thread_fixup *f = &t->buffer->fixup;
    u64 start = f->start;

    return t->regs[0] - start < f->end - start;
}

/* An access of `t` failed, in that range.  True: it goes on at its fixup address, and what failed is
 * in its buffer.  False: it is not ready for that after all, and nothing has changed.  Lock: any. */
bool fixup_take(struct thread *t, status_t status, unsigned access, u64 address);

#endif
