/* SPDX-License-Identifier: MIT */
/*
 * The registers of a thread, read and written by others: the bodies of thread.read_registers and its
 * three sisters.  Errors: thread.def.
 */
#ifndef KERNEL_OBJECT_REGISTERS_H
#define KERNEL_OBJECT_REGISTERS_H

#include "kernel/core/invoke.h"

MUST_CHECK status_t registers_read(struct thread *t, struct invocation *inv);
MUST_CHECK status_t registers_write(struct thread *t, struct invocation *inv);
MUST_CHECK status_t registers_read_float(struct thread *t, struct invocation *inv);
MUST_CHECK status_t registers_write_float(struct thread *t, struct invocation *inv);

#endif
