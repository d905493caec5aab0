/* SPDX-License-Identifier: MIT */
/*
 * Callers put aside: the tree of those who wait at an endpoint for a reply that comes later.
 *
 * The tree is the endpoint's and not the server thread's, so that of a pool of workers any may reply,
 * and a worker that goes takes nobody along.  The node lies in the caller's control block, where a
 * page's waiter keeps other things, so putting aside allocates nothing and cannot fail for want of
 * room.
 */
#include "kernel/core/saved.h"

#include "kernel/core/panic.h"

static struct thread *thread_of_node(struct tree_node *n)
{
    return n ? container_of(n, struct thread, ticket.aside) : NULL;
}

u64 saved_put(struct endpoint *e, struct thread *t)
{
    struct thread *caller = t->caller;

    if (!caller)
        return 0;
    t->caller = NULL;
    caller->sends_to = e;
    if (caller->send_kind != MSG_ASK)
        caller->ticket.delivered = 0; /* an old permit, which the node writes over */
    caller->ticket.saved = 1;
    caller->ticket.aside.key = ++e->saved_count;
    e->saved = tree_insert(e->saved, &caller->ticket.aside);
    return e->saved_count;
}

struct thread *saved_find(const struct endpoint *e, u64 number)
{
    struct tree_node *n = tree_at_or_before(e->saved, number);

    return n && n->key == number ? thread_of_node(n) : NULL;
}

struct thread *saved_first(const struct endpoint *e)
{
    return thread_of_node(tree_first(e->saved));
}

struct thread *saved_helper(const struct endpoint *e)
{
    for (struct tree_node *n = tree_first(e->saved); n; n = tree_after(e->saved, n->key)) {
        struct thread *t = thread_of_node(n);

        if (t->sched && !t->lendee)
            return t;
    }
    return NULL;
}

void saved_remove(struct thread *t)
{
    struct endpoint *e = t->sends_to;

    e->saved = tree_remove(e->saved, &t->ticket.aside);
    t->ticket.saved = 0;
    t->ticket.next_waiter = 0; /* the node lay there */
    t->sends_to = NULL;
}

void saved_check(const struct endpoint *e)
{
    u64 n = 0;

    for (struct tree_node *k = tree_first(e->saved); k; k = tree_after(e->saved, k->key)) {
        const struct thread *t = thread_of_node(k);

        assert(t->state == THREAD_CALLING && t->ticket.saved && t->sends_to == e);
        assert(k->key <= e->saved_count);
        n++;
    }
    assert(n == tree_check(e->saved));
    assert(n == 0 || e->bound > 0);
}
