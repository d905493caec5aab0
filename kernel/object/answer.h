/* SPDX-License-Identifier: MIT */
/*
 * Answer: a server supplies pages of its served object, or errors (served.answer).
 */
#ifndef KERNEL_OBJECT_ANSWER_H
#define KERNEL_OBJECT_ANSWER_H

#include "kernel/object/served.h"

/* The whole operation: every extent is checked, then all are done.  Lock: shared (alone when a
 * source page is mapped outside the caller's space). */
status_t answer_invoke(struct served *s, struct invocation *inv);

/* The first waiter that a WAITING slot names. */
struct thread *served_first_waiter(u64 slot);
/* Take the ticket of a WAITING slot off the object's lists and empty the slot; returns the first
 * waiter, whom the caller wakes with all behind it. */
struct thread *served_close_ticket(struct served *s, u64 *slot);

#endif
