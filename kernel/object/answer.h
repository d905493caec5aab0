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

/* The first waiter of a slot that is WAITING or ASKED. */
struct thread *served_first_writer(u64 slot); /* of one that is ASKED */
static inline struct thread *served_first_waiter(u64 slot)
{
    if (slot & SLOT_WAITING)
        return kva_from_paddr(paddr(slot & ~SLOT_WAITER_BITS));
    return served_first_writer(slot);
}
/* Take the ticket of such a slot off the object's lists: a WAITING slot is empty then, an ASKED one
 * has its page as before; returns the first waiter, whom the caller wakes with all behind it. */
struct thread *served_close_ticket(struct served *s, u64 *slot);

#endif
