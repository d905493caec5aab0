/* SPDX-License-Identifier: MIT */
/*
 * The fault path: from a trapped access to a mapped page, a ticket, or an exception.
 */
#ifndef KERNEL_CORE_FAULT_H
#define KERNEL_CORE_FAULT_H

#include "kernel/object/aspace.h"
#include "kernel/object/thread.h"

/* A page fault of a user thread: `op` is ACCESS_*, `vaddr` exact.  Lock: shared.  Afterwards the
 * thread is READY (the access is retried), FAULTING, or waits for its exception handler. */
void fault_user(struct thread *t, unsigned op, u64 vaddr);

/* Wake every waiter of a ticket whose slot has just become resident: the PTE of each first access
 * is installed.  The slot already holds the frame; `first` is the former first waiter. */
void fault_wake_resident(struct thread *first, u64 slot);
/* The same where the slot has ASK: the page is shown without write, and who stores asks again. */
void fault_wake_protected(struct thread *first, u64 slot);
/* Wake every waiter; each faults again. */
void fault_wake_retry(struct thread *first);
/* Wake every waiter with an exception. */
void fault_wake_error(struct thread *first, status_t status);

#endif
