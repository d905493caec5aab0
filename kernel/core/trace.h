/* SPDX-License-Identifier: MIT */
/*
 * Trace points: what the kernel did last, for whoever looks after a panic, in gdb, or by a program.
 *
 * `trace(fault, address, offset, trace_object(o));` writes one record of the event that
 * lib/abi/trace.def names to the ring of the hart.  Debug builds have them always, so that what led
 * to a panic is there without having been asked for; in release builds a point is nothing at all, and
 * its arguments are not evaluated.
 *
 * Time is `instret`: it is readable without a trap on every board, and under QEMU's -icount it is
 * time itself (docs/decisions/0050-trace-ring.md).
 */
#ifndef KERNEL_CORE_TRACE_H
#define KERNEL_CORE_TRACE_H

#include "kernel/core/panic.h"
#include "kernel/object/thread.h"
#include "lib/abi/trace.h"

#ifndef CONFIG_TRACE
#define CONFIG_TRACE CONFIG_DEBUG
#endif

#define trace(name, a, b, c)                                         \
    do {                                                             \
        if (CONFIG_TRACE)                                            \
            trace_write(TRACE_##name, (u64)(a), (u64)(b), (u64)(c)); \
    } while (0)

/* One record in the ring of this hart, over the oldest.  Lock: any, or none; interrupts off. */
void trace_write(enum trace_event event, u64 a, u64 b, u64 c);

/* Record `number` of this hart's ring, counted from 0 at boot, or the oldest that is left after it;
 * which one it is.  At or beyond trace_count, nothing is written and that count is returned. */
u64 trace_read(u64 number, struct trace_record *out);
/* Records that this hart ever wrote. */
u64 trace_count(void);

/* The last `n` records in words on the console, for a panic. */
void trace_print(unsigned n);

/* Words of the kinds OBJECT, THREAD and OPERATION. */
static inline u64 trace_object(const struct object *o)
{
    return o ? (u64)o->type << TRACE_TYPE_SHIFT | o->serial : 0;
}
static inline u64 trace_thread(const struct thread *t)
{
    return t ? t->object.serial : 0;
}

/* A system call, as the thread's registers have it; what trace_call_ends takes.  In release builds
 * both are nothing. */
u64 trace_call(const struct thread *t);
static inline u64 trace_call_begins(const struct thread *t)
{
    return CONFIG_TRACE ? trace_call(t) : 0;
}
/* It is over, unless its caller waits or is gone (`t` is only looked at if it is not). */
void trace_call_done(const struct thread *t, u64 called);
static inline void trace_call_ends(const struct thread *t, u64 called)
{
    if (CONFIG_TRACE)
        trace_call_done(t, called);
}

#endif
