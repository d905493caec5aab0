/* SPDX-License-Identifier: MIT */
/*
 * Served memory: the one implementation of mapping_ops that carries each operation over IPC to an
 * ordinary program, the pager.
 *
 * What mapping needs to know at once (permissions, sharing, name) the server has declared; what
 * happens later (mapped, unmapped, faults) queues here in one sequence, events and undelivered
 * tickets, and the object queues at its server's endpoint like a sender.
 */
#ifndef KERNEL_OBJECT_SERVED_H
#define KERNEL_OBJECT_SERVED_H

#include "kernel/object/event.h"
#include "kernel/object/memory.h"
#include "kernel/object/thread.h"

/*
 * V3 node is on the endpoint's senders <=> the queue is not empty, a server is attached, and no
 *    receiver waits there.   I2 a slot is WAITING or ASKED iff its first waiter is on `open`.
 * V4 attached is on the endpoint's list <=> the server slot is full.
 * I7 the queue is in order of `sequence`; only its first entry is ever delivered.
 */
struct served {
    struct memory memory;
    u64 key;                            /* [I] the server's own name for the object */
    u32 open_first;                     /* open tickets: first waiters, slot numbers */
    u32 flags;                          /* DECLARE_* */
    u64 sequence;                       /* last number given */
    _Alignas(32) struct slot server;    /* endpoint */
    _Alignas(32) struct event resync;   /* its own record: told when none else can be made */
    _Alignas(32) struct qnode node;     /* at the endpoint, with news */
    _Alignas(32) struct qnode attached; /* at the endpoint, as long as it is the server's */
    struct queue queue;                 /* events and undelivered tickets */
    u32 shared;                         /* declared permissions, or DECLARE_REFUSED */
    u32 private;
    u32 wants; /* bit per mapping op */
    u32 attribute;
    u32 records; /* event records in use */
    u32 records_max;
    bool server_leaves; /* the server slot is about to be emptied: as if it were */
    u32 longest_wait;   /* of the tickets that are closed: ticks */
    u64 waits;          /* how many those are */
    u64 waited;         /* ticks, all of them together */
    char name[OWNER_NAME_BYTES];
};
_Static_assert(sizeof(struct served) <= 512, "size class");

static inline struct served *served_of(struct memory *m)
{
    return container_of(m, struct served, memory);
}

/* Fill the registers of a receiver with the first entry of the queue and take it off; if the entry
 * is a ticket, returns the first waiter, whose context the caller lends.  NULL for an event. */
struct thread *served_deliver(struct served *s, struct thread *receiver);

/* The server is gone (endpoint died, last bound thread left): one of those who wait for a page hears
 * OWNER_DEAD.  False: nobody waits. */
bool served_fail_one(struct served *s);
bool served_lost_server(struct served *s);

/* A waiter leaves its ticket (killed, unmapped): the next waiter takes over, or the ticket is
 * cancelled in silence. */
void served_cancel_wait(struct thread *t);

/* Whoever waits at this slot, which is WAITING or ASKED, faults again. */
void served_retry(u64 *slot);
/* One thread that waits for a page leaves its ticket, and faults again. */
void served_retry_one(struct thread *t);

#endif
