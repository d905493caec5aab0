/* SPDX-License-Identifier: MIT */
/* help.c: who helps whom.  See help.h; moving the contexts is kernel/core/schedule.c. */
#include "kernel/core/help.h"

#include "kernel/core/panic.h"
#include "kernel/core/saved.h"
#include "kernel/core/schedule.h"
#include "kernel/object/served.h"

/* A context at hand, with budget, and waiting: what it needs to lend. */
static bool can_lend(const struct thread *w)
{
    return w->sched && !w->lendee && w->sched->ring != RING_HELD;
}

static bool can_be_helped(const struct thread *t)
{
    return t->state != THREAD_NEW && t->state != THREAD_STOPPED && t->state != THREAD_RECEIVING;
}

static struct endpoint *endpoint_of(const struct thread *t)
{
    return slot_is_empty(&t->endpoint) ? NULL : slot_object(&t->endpoint);
}

static struct thread *end_of(struct thread *t)
{
    while (t->lendee)
        t = t->lendee;
    return t;
}

/* ------------------------------------------------------------------------------ the best of many */

struct search {
    struct thread *best;
    unsigned left; /* to look at */
    bool firsts;   /* of each ticket its first waiter alone */
};

static void consider(struct search *q, struct thread *w)
{
    if (can_lend(w) && sched_rank(w->sched) > sched_rank(q->best ? q->best->sched : NULL))
        q->best = w;
}

/* All who wait for pages of an object and whose tickets its server has not heard of. */
static void consider_tickets(struct search *q, const struct served *s)
{
    for (struct qnode *n = queue_first(&s->queue); n && q->left; n = queue_next(n)) {
        q->left--;
        if (n->kind != QNODE_TICKET)
            continue;
        for (struct thread *w = thread_of_wait(n); w && q->left;
             w = q->firsts ? NULL : slot_pointer(w->ticket.next_waiter)) {
            q->left--;
            consider(q, w);
        }
    }
}

static void consider_senders(struct search *q, const struct endpoint *e)
{
    for (struct qnode *n = queue_first(&e->senders); n && q->left; n = queue_next(n)) {
        q->left--;
        if (n->kind == QNODE_SERVED)
            consider_tickets(q, container_of(n, struct served, node));
        else
            consider(q, thread_of_wait(n));
    }
}

static struct search search(const struct thread *t, bool firsts)
{
    struct endpoint *e = endpoint_of(t);
    struct search q = {.left = HELP_SCAN, .firsts = firsts};
    struct thread *w;

    if (!can_be_helped(t))
        return q;
    if (t->caller)
        consider(&q, t->caller);
    if (t->pledger)
        consider(&q, slot_pointer(t->pledger));
    if (e && (e->bound == 1 || (t->state == THREAD_READY && !t->sched && !t->lendee)))
        consider_senders(&q, e);
    if (e && !firsts && (w = saved_helper(e)))
        consider(&q, w);
    return q;
}

/* Lock: any. */
struct thread *help_best(const struct thread *t)
{
    return search(t, false).best;
}

/* --------------------------------------------------------------------------------- the moves */

/* Whom who waits at `e` helps: the one bound thread, or a stranded one. */
static struct thread *receiver_of(const struct endpoint *e)
{
    struct qnode *n;

    if (e->bound == 1)
        return slot_pointer(e->bound_sum);
    n = queue_first(&e->stranded);
    return n ? thread_of_wait(n) : NULL;
}

/* Whom does `w` wait for? */
static struct thread *waited_for(const struct thread *w)
{
    struct endpoint *e = NULL;

    if (w->state == THREAD_CALLING && !w->ticket.saved)
        return w->callee;
    if (w->state == THREAD_SENDING || w->state == THREAD_CALLING)
        e = w->sends_to;
    else if (w->state == THREAD_FAULTING)
        e = slot_object(&served_of(w->ticket.object)->server);
    return e ? receiver_of(e) : NULL;
}

/* `w` helps `t`; whoever did before is free to help somebody who is stranded. */
static void replace_helper(struct thread *w, struct thread *t)
{
    struct thread *before = t->lender;

    sched_help(w, t);
    if (before && before->wait.kind != QNODE_OFF)
        help_by(before);
}

/* Lock: any.  Each step hands one context on, to a thread that is not yet in its chain. */
void help_by(struct thread *w)
{
    struct thread *t, *last;

    while (can_lend(w) && (t = waited_for(w)) && can_be_helped(t)) {
        last = end_of(t);
        if (last == w || sched_rank(w->sched) <= sched_rank(last->sched)) /* a circle, or no need */
            return;
        replace_helper(w, t);
        w = last;
    }
}

/* The best of those who wait for a member of the chain, if that is better than what animates it, and the
 * member. */
static struct thread *chain_best(struct thread *last, struct thread **at)
{
    struct thread *best = NULL;
    int rank = sched_rank(last->sched);

    for (struct thread *t = last; t; t = t->lender) {
        struct thread *w = help_best(t);

        if (w && w != last && sched_rank(w->sched) > rank) {
            best = w;
            rank = sched_rank(w->sched);
            *at = t;
        }
    }
    return best;
}

/* Lock: any.  What is above the member that is helped has the old context back, and needs help too. */
void help_chain(struct thread *last)
{
    struct thread *best, *at, *above;

    for (; last && (best = chain_best(last, &at)); last = above) {
        above = at->lender;
        replace_helper(best, at);
        help_by(last);
    }
}

/* Lock: any. */
void help_endpoint(struct endpoint *e)
{
    struct thread *t;

    if (queue_is_empty(&e->senders))
        return;
    if (e->bound == 1) {
        help_chain(end_of(receiver_of(e)));
        return;
    }
    while ((t = receiver_of(e))) {
        help_chain(t);
        if (receiver_of(e) == t)
            return;
    }
}

/* Lock: any.  Who joined a ticket helps when it does, and when the server receives; nothing keeps that up
 * in between. */
void help_check(const struct endpoint *e)
{
    struct thread *t = receiver_of(e);
    struct search q;

    if (!t)
        return;
    q = search(t, true);
    if (q.best && q.left && q.best != end_of(t))
        assert(sched_rank(q.best->sched) <= sched_rank(end_of(t)->sched)); /* E3 */
}
