/* SPDX-License-Identifier: MIT */
/*
 * Helping: whoever waits for a thread lends it the context to get on with, if that is better than what
 * it runs on.
 *
 * A thread is waited for by its caller, and by all who queue at the endpoint that it alone is bound to:
 * calls, sends, exceptions, and faults in objects that it serves.  The one with the best context at
 * hand helps: that context takes the place of whatever animates the chain of loans that the thread
 * began, and what it took the place of goes back to where it came from.  So a server never runs at a
 * lower priority than those who wait for it, along chains too, and never stands still for want of
 * budget or context while somebody who waits has one.
 *
 * Where several threads are bound to an endpoint nobody knows which will take the message: only those
 * that have no context at all (`stranded`) are helped.
 *
 * All of this happens where somebody is about to wait, ceases to, or a context changes; calls and
 * replies that find their partner waiting do not come here.
 */
#ifndef KERNEL_CORE_HELP_H
#define KERNEL_CORE_HELP_H

#include "kernel/object/endpoint.h"
#include "kernel/object/thread.h"

#define HELP_SCAN 64 /* who waits at an endpoint is looked at so far, for the best helper */

/* The one with the best context at hand that waits for `t`, or NULL.  Nobody helps a thread that is
 * stopped or receives.  Cost: HELP_SCAN. */
struct thread *help_best(const struct thread *t);

/* `w` waits, or may, and has its context at hand; or that has become better: whom it waits for is
 * helped, if it is worse off, and whom that waits for.  Cost: the length of the chain. */
void help_by(struct thread *w);

/* What animates the chain of loans that ends with `last` has become worse, or `last` has become busy:
 * the best of those who wait for its members helps.  Cost: HELP_SCAN for each. */
void help_chain(struct thread *last);

/* The same for whoever is bound to `e`, after a change of who waits there or is bound. */
void help_endpoint(struct endpoint *e);

void help_check(const struct endpoint *e); /* debug: E3 */

#endif
