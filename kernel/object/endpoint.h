/* SPDX-License-Identifier: MIT */
/*
 * Endpoint: where messages meet a receiver.
 *
 * `senders` holds threads that wait to be received (calls, sends, exceptions) and served objects
 * that have events or faults to tell, in order of arrival; `receivers` holds bound threads that
 * wait.  Never both non-empty.  `stranded` holds bound threads that could run but have no context
 * (a passive server whose loan went away, or that heard an event which lends none): whoever waits
 * here and has a context lends it to one of them, so that a server never waits for its own queue.
 */
#ifndef KERNEL_OBJECT_ENDPOINT_H
#define KERNEL_OBJECT_ENDPOINT_H

#include "kernel/object/object.h"
#include "kernel/object/queue.h"

/* E1 senders or receivers is empty.   E2 bound == threads whose THREAD_ENDPOINT slot names this.
 * E3 stranded is empty, or nobody on senders has a context to lend. */
struct endpoint {
    struct object object;
    struct queue senders;
    struct queue receivers;
    struct queue stranded;
    u32 bound;
    bool
        deserted; /* its last bound thread is gone: calls hear CANCELLED until one is bound again */
};
_Static_assert(sizeof(struct endpoint) <= 128, "size class");

struct thread;
/* Bind a thread, which is bound to none, by a capability to the endpoint; and undo that, which the
 * thread hears (CANCELLED) if it is receiving. */
void endpoint_bind(struct endpoint *e, struct slot *capability, struct thread *t);
void endpoint_unbind(struct thread *t);

/* Every server attached to it is gone (last bound thread, or the endpoint itself): tells each
 * served object that names it (served_server_died). */
void endpoint_server_died(struct endpoint *e);

#endif
