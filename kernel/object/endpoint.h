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

/* E1 senders or receivers is empty.   E2 bound == threads whose THREAD_ENDPOINT slot names this;
 * bound_sum == the sum of their slot numbers, so that of one thread it is the thread.   E3 if one thread
 * is bound, what animates it (at the end of the chain of loans that it began) is as good as the best
 * context at hand of those on senders; else stranded is empty, or nobody there has one.   E4 attached are
 * the objects whose SERVED_SERVER slot names this.   E5 `saved` holds the threads that are saved with
 * sends_to == this; it is empty unless bound > 0. */
struct endpoint {
    struct object object;
    struct queue senders;
    struct queue receivers;
    struct queue stranded;
    struct queue attached; /* served objects */
    u32 saved;             /* root of the tree of callers put aside, by number (saved.h) */
    u32 bound;
    u32 bound_sum;
    u64 saved_count; /* numbers given */
    u32 sweep; /* counts the times that everybody who waits is told that nobody will hear him */
    bool
        deserted; /* its last bound thread is gone, or about to be: calls hear CANCELLED until one is
                    * bound again */
};
_Static_assert(sizeof(struct endpoint) <= 128, "size class");

struct thread;
/* Bind a thread, which is bound to none, by a capability to the endpoint; and undo that, which the
 * thread hears (CANCELLED) if it is receiving.  Undoing takes a bounded step: with the last bound
 * thread all go who wait for it, one after the other.  True: it is bound to none. */
void endpoint_bind(struct endpoint *e, struct slot *capability, struct thread *t);
MUST_CHECK bool endpoint_unbind(struct thread *t);

/* Does a thread receive there, or will? */
static inline bool endpoint_is_served(const struct endpoint *e)
{
    return e->bound > 0 && !e->deserted;
}

#endif
