/* SPDX-License-Identifier: MIT */
/*
 * What an exception tells: to a handler as a message, or, where there is none, to people on the
 * console.
 */
#ifndef KERNEL_CORE_REPORT_H
#define KERNEL_CORE_REPORT_H

#include "kernel/object/thread.h"

/* Everything there is to say about the exception that stopped `t`.  Lock: any. */
void exception_describe(const struct thread *t, struct exception_message *m);

/* Print it: some 16 lines.  What programs chose (names) is escaped.  Lock: any. */
void exception_report(const struct thread *t);

#endif
