/* SPDX-License-Identifier: MIT */
/*
 * Messages: call, send, recv, reply; and how exceptions, events and faults reach a receiver.
 *
 * Registers of a waiting thread stay in its control block; a message is copied once, from the
 * sender's block and buffer to the receiver's, at the moment the two meet.
 */
#ifndef KERNEL_CORE_IPC_H
#define KERNEL_CORE_IPC_H

#include "kernel/object/endpoint.h"
#include "kernel/object/thread.h"

/* Entry from user mode by ecall: decodes the tag and does it.  Returns the thread to run (the
 * caller in assembly enters it), having gone through the scheduler; idles when there is none. */
struct thread *syscall_enter(struct thread *t);

/* The thread cannot go on, unless it is ready for that (fixup.h): tell its handler (it waits as in a call), or, without one, print the
 * report on the console and leave it STOPPED.  `status` is the label, `access` ACCESS_* or scause. */
void exception_raise(struct thread *t, status_t status, unsigned access, u64 address);

/* The kernel asks the server of an object, at `e`, on behalf of `t` and its aspace.map, which is as if
 * it had never begun: with TICKET_ASKS in its ticket, and send_badge set.  On a yes `t` has a permit
 * and starts the invocation again.  Lock: any. */
void ipc_ask(struct thread *t, struct endpoint *e);

/* A served object has something in its queue: deliver to a waiting receiver, or queue the object
 * at the endpoint.  Called after each change to the object's queue. */
struct served;
void ipc_object_has_news(struct served *s);

/* A thread that waits to receive at `e`, taken off its queue (still RECEIVING: the caller makes it
 * READY or lends to it); NULL: none waits. */
struct thread *ipc_take_receiver(struct endpoint *e);

/* Take a waiting thread out of whatever it waits for, without waking it (kill, unbind): endpoint
 * queues, notification, ticket, reply.  State is left to the caller. */
void ipc_cancel(struct thread *t);

/* Bits for the bound receiver `t`, which is RECEIVING: deliver them as MSG_NOTIFY and wake it. */
void ipc_deliver_bits(struct thread *t, u64 bits);

/* One who is queued at an endpoint that dies, or whose last bound thread goes, hears CANCELLED.  True:
 * nobody is left who has not been looked at in this sweep.  Objects with news stay queued: they wait for
 * a successor, or their server slot is about to be emptied. */
MUST_CHECK bool ipc_fail_sender(struct endpoint *e);

/* The same for one whose call was received there and put aside (saved.h).  True: nobody is left. */
MUST_CHECK bool ipc_fail_saved(struct endpoint *e);

/* The time of `t`, which waits, is over: out of whatever it waits for, and it hears TIMEOUT. */
void ipc_timed_out(struct thread *t);

/* The caller of `t`, if there is one, hears `status`; what it lent goes back.  `t` is not READY. */
void ipc_drop_caller(struct thread *t, status_t status);

/* A RECEIVING thread is taken off its endpoint and hears `status`. */
void ipc_stop_receiving(struct thread *t, status_t status);

#endif
