/* SPDX-License-Identifier: MIT */
/*
 * Callers put aside: a server that replies later, and perhaps in another order.
 *
 * A saved caller is CALLING as before, but waits for the endpoint rather than for one thread: it is
 * in a tree there, by a number that is never used again, and whichever thread bound to the endpoint
 * names the number replies.  It goes with the last bound thread.
 */
#ifndef KERNEL_CORE_SAVED_H
#define KERNEL_CORE_SAVED_H

#include "kernel/object/endpoint.h"
#include "kernel/object/thread.h"

/* The caller of `t`, if there is one, is put aside at the endpoint `e`; its number, or 0.  What it
 * lent to `t` stays lent until `t` receives or its reply comes. */
MUST_CHECK u64 saved_put(struct endpoint *e, struct thread *t);

/* Who was put aside under that number; NULL: nobody, or it is gone. */
struct thread *saved_find(const struct endpoint *e, u64 number);
/* Any of them, or NULL. */
struct thread *saved_first(const struct endpoint *e);
/* The first who has a context that it can lend (ipc_helper); NULL.  Cost: how many there are. */
struct thread *saved_helper(const struct endpoint *e);

/* Take it out: it is CALLING nobody, and what follows is the caller's. */
void saved_remove(struct thread *t);

void saved_check(const struct endpoint *e); /* debug: E5 */

#endif
