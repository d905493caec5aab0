/* SPDX-License-Identifier: MIT */
/* Notification: a word of bits; set by signal, taken whole by wait or by the bound receiver. */
#ifndef KERNEL_OBJECT_NOTIFICATION_H
#define KERNEL_OBJECT_NOTIFICATION_H

#include "kernel/object/object.h"
#include "kernel/object/queue.h"

struct thread;

/* N1 waiters non-empty, or the receiver RECEIVING => bits == 0.   N2 receiver->notification names
 * this. */
struct notification {
    struct object object;
    u64 bits;
    struct queue waiters;
    struct thread *receiver; /* bound thread, or NULL */
};
_Static_assert(sizeof(struct notification) <= 128, "size class");

/* Set bits: hands them to a waiter or the bound thread where it receives, else keeps them.  May
 * make another thread ready; the caller returns through the scheduler. */
void notification_signal_bits(struct notification *n, u64 bits);

/* The thread hears no bits any more; nothing if it heard none. */
void notification_unbind(struct thread *t);

#endif
