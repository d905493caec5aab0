/* SPDX-License-Identifier: MIT */
/*
 * Doubly linked queues of things that wait, by slot number (physical address / 32).
 *
 * A node says what it is embedded in, so one queue may hold different things: an object's queue
 * holds event records and tickets in the order in which they happened; an endpoint's holds senders
 * and memory objects that have something to tell.
 */
#ifndef KERNEL_OBJECT_QUEUE_H
#define KERNEL_OBJECT_QUEUE_H

#include "arch/address.h"
#include "lib/base/types.h"

enum qnode_kind {
    QNODE_OFF,      /* on no queue */
    QNODE_SENDER,   /* struct thread, wait: on endpoint.senders */
    QNODE_RECEIVER, /* struct thread, wait: on endpoint.receivers */
    QNODE_WAITER,   /* struct thread, wait: on notification.waiters */
    QNODE_TICKET,   /* struct thread, wait: on served.queue */
    QNODE_EVENT,    /* struct event, node: on served.queue */
    QNODE_SERVED,   /* struct served, node: on endpoint.senders */
    QNODE_STRANDED, /* struct thread, wait: on endpoint.stranded */
    QNODE_ATTACHED, /* struct served, attached: on endpoint.attached */
};

/* 32-byte aligned.  Q1 kind == OFF <=> on no queue. */
struct qnode {
    u32 next;
    u32 prev;
    u8 kind;
    u8 spare[3];
    u32 mark; /* of the sweep that has seen it (endpoint.c) */
};
_Static_assert(sizeof(struct qnode) == 16, "half a slot");

struct queue {
    u32 first;
    u32 last;
};

static inline struct qnode *queue_first(const struct queue *q)
{
    return slot_pointer(q->first);
}
static inline struct qnode *queue_next(const struct qnode *n)
{
    return slot_pointer(n->next);
}
static inline bool queue_is_empty(const struct queue *q)
{
    return q->first == 0;
}

static inline void queue_push(struct queue *q, struct qnode *n, enum qnode_kind kind)
{
    u32 number = slot_number(n);
    n->next = 0;
    n->prev = q->last;
    n->kind = kind;
    if (q->last)
        ((struct qnode *)slot_pointer(q->last))->next = number;
    else
        q->first = number;
    q->last = number;
}

static inline void queue_remove(struct queue *q, struct qnode *n)
{
    if (n->prev)
        ((struct qnode *)slot_pointer(n->prev))->next = n->next;
    else
        q->first = n->next;
    if (n->next)
        ((struct qnode *)slot_pointer(n->next))->prev = n->prev;
    else
        q->last = n->prev;
    n->next = n->prev = 0;
    n->kind = QNODE_OFF;
}

/* `n`, which is on no queue, comes behind `before`, which is on this one, and is of its kind. */
static inline void queue_insert_after(struct queue *q, struct qnode *before, struct qnode *n)
{
    u32 number = slot_number(n);
    n->next = before->next;
    n->prev = slot_number(before);
    n->kind = before->kind;
    if (before->next)
        ((struct qnode *)slot_pointer(before->next))->prev = number;
    else
        q->last = number;
    before->next = number;
}

/* `with`, which is on no queue, takes the place of `n`. */
static inline void queue_replace(struct queue *q, struct qnode *n, struct qnode *with)
{
    u32 number = slot_number(with);
    with->next = n->next;
    with->prev = n->prev;
    with->kind = n->kind;
    if (n->prev)
        ((struct qnode *)slot_pointer(n->prev))->next = number;
    else
        q->first = number;
    if (n->next)
        ((struct qnode *)slot_pointer(n->next))->prev = number;
    else
        q->last = number;
    n->next = n->prev = 0;
    n->kind = QNODE_OFF;
}

#endif
