/* SPDX-License-Identifier: MIT */
/*
 * Scheduling: the run queue of contexts, and the loans that decide whom a context animates.
 *
 * Loans form chains: a client lends to a server, which lends on to another.  A chain has one
 * context, at its end, and that context is the home of the thread at its head: so where a link goes
 * away, the upper part gets its context back by one walk to the end, and the lower part starts anew
 * with the nearest home that its members have.  Chains are walked, never recursed.
 *
 * The tempting other design, a queue of threads with inherited priorities, must recompute them along
 * the chain at each call; here a call changes one pointer and the queue does not notice.
 */
#include "kernel/core/schedule.h"

#include "kernel/core/counters.h"
#include "kernel/core/ipc.h"
#include "kernel/core/panic.h"
#include "kernel/core/trace.h"
#include "kernel/object/endpoint.h"
#include "lib/base/bits.h"

/*
 * Y1 bit p of `used` <=> ring p is not empty.   Y2 top is the highest bit of `used`, or 0.
 * Y3 the context that the hart runs is the first of ring `top`, as of the last schedule_pick.
 */
static struct {
    struct sched *first[PRIORITY_MAX + 1]; /* [k] next to run; the others behind it in order */
    u32 used;                              /* [k] */
    u32 top;                               /* [k] */
    struct thread *current;                /* [k] what the last schedule_pick found, if not dead */
} ready;

/* ----------------------------------------------------------------------------------- run queue */

static void enqueue(struct sched *s)
{
    unsigned p = s->priority;
    struct sched *first = ready.first[p];

    s->queued = 1;
    if (first) {
        s->next = first;
        s->prev = first->prev;
        first->prev->next = s;
        first->prev = s;
        return;
    }
    s->next = s->prev = s;
    ready.first[p] = s;
    ready.used |= 1u << p;
    if (p > ready.top)
        ready.top = p;
}

static void dequeue(struct sched *s)
{
    unsigned p = s->priority;

    s->queued = 0;
    if (s->next != s) {
        s->prev->next = s->next;
        s->next->prev = s->prev;
        if (ready.first[p] == s)
            ready.first[p] = s->next;
        return;
    }
    ready.first[p] = NULL;
    ready.used &= ~(1u << p);
    if (p == ready.top)
        ready.top = ready.used ? 63 - clz64(ready.used) : 0;
}

/* Restore C1 after `thread` or its state changed. */
static void settle(struct sched *s)
{
    bool runs = s->thread && s->thread->state == THREAD_READY;

    if (runs == s->queued)
        return;
    if (runs)
        enqueue(s);
    else
        dequeue(s);
}

static void animate(struct sched *s, struct thread *t)
{
    s->thread = t;
    t->sched = s;
    settle(s);
}

/* ------------------------------------------------------------------------------------- stranding */

/* The home of `t` if it is parked, that is, animates nobody; or NULL. */
static struct sched *parked_home(const struct thread *t)
{
    struct sched *s;

    if (slot_is_empty(&t->home))
        return NULL;
    s = slot_object(&t->home);
    return s->thread ? NULL : s;
}

static void unstrand(struct thread *t)
{
    struct endpoint *e = slot_object(&t->endpoint);

    if (t->wait.kind == QNODE_STRANDED)
        queue_remove(&e->stranded, &t->wait);
}

/* `t` is READY and has neither context nor home: whoever waits for its endpoint helps it. */
static void strand(struct thread *t)
{
    struct endpoint *e = slot_object(&t->endpoint);
    struct thread *helper;

    if (slot_is_empty(&t->endpoint))
        return;
    queue_push(&e->stranded, &t->wait, QNODE_STRANDED);
    helper = ipc_helper(e);
    if (helper)
        sched_lend(helper, t);
}

/* A thread that lost its context, or never had one, takes its home, so that it can lend it; a READY
 * one without a home is stranded.  Not RECEIVING threads, which others will lend to; and the thread
 * that entered the kernel only when the kernel is left (schedule_pick), since mostly it goes on to
 * receive. */
static void find_context(struct thread *t)
{
    struct sched *home;

    if (t->state == THREAD_RECEIVING || (t->state == THREAD_READY && t == ready.current))
        return;
    home = parked_home(t);
    if (home)
        animate(home, t);
    else if (t->state == THREAD_READY && t->wait.kind == QNODE_OFF)
        strand(t);
}

/* Lock: any. */
void schedule_forget_stranded(struct thread *t)
{
    unstrand(t);
}

/* ---------------------------------------------------------------------------------------- states */

/* What `t` lent comes back; where it was lent no further, the run queue does not notice, and whom it
 * was taken from is returned. */
static struct thread *take_back(struct thread *t)
{
    struct thread *lendee = t->lendee;
    struct sched *s = lendee->sched;

    if (lendee->lendee) {
        sched_return(lendee);
        return NULL;
    }
    lendee->sched = NULL;
    lendee->lender = NULL;
    t->lendee = NULL;
    t->sched = s;
    s->thread = t;
    trace(return, trace_thread(t), trace_thread(lendee), trace_object(&s->object));
    return lendee;
}

/* Lock: any.  Cost: constant, or the length of the chain that `t` began. */
void schedule_ready(struct thread *t)
{
    struct thread *left = t->lendee ? take_back(t) : NULL; /* without a context now */

    t->state = THREAD_READY;
    if (!t->sched)
        find_context(t);
    else if (!t->sched->queued)
        enqueue(t->sched);
    if (left)
        find_context(left);
}

/* Lock: any. */
void schedule_block(struct thread *t, unsigned state)
{
    t->state = state;
    if (t->sched) {
        if (t->sched->queued)
            dequeue(t->sched);
    } else {
        unstrand(t);
    }
}

/* ----------------------------------------------------------------------------------------- loans */

/* Cut the loans from `t` up to the head of its chain. */
static void cut_upwards(struct thread *t)
{
    struct thread *lender;

    for (; (lender = t->lender); t = lender) {
        t->lender = NULL;
        lender->lendee = NULL;
    }
}

/* `last`, at the end of a chain of loans, has lost its context: the nearest lender that has a home
 * lends that; where none has, there is nothing lent any more. */
static void fall_back(struct thread *last)
{
    for (struct thread *t = last->lender; t; t = t->lender) {
        struct sched *home = parked_home(t);

        if (home) {
            cut_upwards(t);
            animate(home, last);
            return;
        }
    }
    cut_upwards(last);
    find_context(last);
}

/* Lock: any.  Cost: the length of the chain. */
void sched_return(struct thread *t)
{
    struct thread *lender = t->lender, *last = t;
    struct sched *s;

    if (!lender)
        return;
    while (last->lendee)
        last = last->lendee;
    s = last->sched;
    last->sched = NULL;
    t->lender = NULL;
    lender->lendee = NULL;
    trace(return, trace_thread(lender), trace_thread(t), trace_object(&s->object));
    animate(s, lender);
    fall_back(last);
    if (lender->wait.kind != QNODE_OFF || lender->ticket.saved)
        ipc_context_back(lender);
}

/* `t`, which is not to run on it any more, lets go of its context. */
static void part_with_context(struct thread *t)
{
    struct sched *s;

    sched_return(t);
    s = t->sched; /* its home, if anything */
    if (!s)
        return;
    t->sched = NULL;
    s->thread = NULL;
    if (s->queued)
        dequeue(s);
}

/* Lock: any. */
void sched_lend(struct thread *from, struct thread *to)
{
    struct sched *s;

    assert(from->state != THREAD_READY && !to->lendee);
    if (from->lendee)
        sched_return(from->lendee);
    s = from->sched;
    if (!s) {
        unstrand(from);
        schedule_ready(to);
        return;
    }
    trace(lend, trace_thread(from), trace_thread(to), trace_object(&s->object));
    if (to->sched)
        part_with_context(to);
    else
        unstrand(to);
    from->sched = NULL;
    from->lendee = to;
    to->lender = from;
    to->state = THREAD_READY;
    to->sched = s;
    s->thread = to;
    if (!s->queued)
        enqueue(s);
}

/* Lock: any. */
void sched_detach(struct thread *t)
{
    if (t->lendee)
        sched_return(t->lendee);
    part_with_context(t);
    unstrand(t);
    if (ready.current == t)
        ready.current = NULL;
}

/* Lock: alone. */
void sched_vanish(struct sched *s)
{
    struct thread *t = s->thread;

    assert(s->home == NULL);
    if (s->queued)
        dequeue(s);
    s->thread = NULL;
    if (!t)
        return;
    t->sched = NULL;
    fall_back(t);
}

/* Lock: any. */
void schedule_set_priority(struct sched *s, unsigned priority)
{
    bool queued = s->queued;

    if (queued)
        dequeue(s);
    s->priority = priority;
    if (queued)
        enqueue(s);
}

/* -------------------------------------------------------------------------------- picking a thread */

static struct thread *pick(void)
{
    struct sched *s = ready.first[ready.top];

    return s ? s->thread : NULL;
}

/* Another thread, or none, is to run than the one that entered the kernel: that one may have lost
 * its context on the way. */
static struct thread *pick_other(void)
{
    struct thread *before = ready.current;

    ready.current = NULL;
    if (before && before->state == THREAD_READY && !before->sched)
        find_context(before);
    return pick();
}

/* Lock: any. */
struct thread *schedule_pick(void)
{
    struct thread *t = pick();

    if (t != ready.current || !t)
        ready.current = t = pick_other();
    return t;
}

/* Called at the timer interrupt, before schedule_next.  Lock: any. */
void schedule_tick(void)
{
    struct sched *s = ready.first[ready.top];

    kernel_counters.ticks++;
    trace(tick, kernel_counters.ticks, 0, 0);
    if (!s)
        return;
    s->ticks++;
    ready.first[ready.top] = s->next;
}

/* The running context is the first of the highest ring (Y3).  Lock: any. */
void schedule_yield(void)
{
    ready.first[ready.top] = ready.first[ready.top]->next;
}

/* ----------------------------------------------------------------------------------------- checks */

/* Lock: any. */
void schedule_check(void)
{
    u32 used = 0;

    for (unsigned p = 0; p <= PRIORITY_MAX; p++) {
        struct sched *first = ready.first[p], *s = first;

        if (!first)
            continue;
        used |= 1u << p;
        do {
            assert(s->queued && s->priority == p && s->next->prev == s);
            assert(s->thread && s->thread->state == THREAD_READY); /* C1 */
            assert(s->thread->sched == s);                         /* C2, I5 */
            s = s->next;
        } while (s != first);
    }
    assert(used == ready.used);                         /* Y1 */
    assert(ready.top == (used ? 63 - clz64(used) : 0)); /* Y2 */
}
