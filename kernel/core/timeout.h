/* SPDX-License-Identifier: MIT */
/*
 * Timeouts: waits that end at a moment.
 *
 * A thread waits for one thing at a time, so one timer in its control block is enough; it is in the
 * clock's queue only while the thread waits (T6), and a thread without one pays for a test of one byte.
 */
#ifndef KERNEL_CORE_TIMEOUT_H
#define KERNEL_CORE_TIMEOUT_H

#include "kernel/object/thread.h"

/* The moment that a system call with SYS_TIMEOUT or SYS_DEADLINE means, in units of the counter; 0 if
 * it has come.  Reads the thread's buffer once. */
u64 timeout_moment(const struct thread *t, word_t tag);

/* The wait of `t`, which has just begun, ends then: ipc_timed_out. */
void timeout_arm(struct thread *t, u64 when);
/* The wait is over.  Nothing if it has no end. */
void timeout_cancel(struct thread *t);

#endif
