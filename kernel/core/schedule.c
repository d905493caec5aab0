/* SPDX-License-Identifier: MIT */
/*
 * Scheduling: the run queue of contexts, and the loans that decide whom a context animates.
 *
 * Loans form chains: a client lends to a server, which lends on to another.  A chain has one
 * context, at its end, and that context is the home of the thread at its head: so where a link goes
 * away, the upper part gets its context back by one walk to the end, and the lower part starts anew
 * with the best home that its members have.  Chains are walked, never recursed.
 *
 * The tempting other design, a queue of threads with inherited priorities, must recompute them along
 * the chain at each call; here a call changes one pointer and the queue does not notice.
 *
 * The file is long because each function leaves queue, loans and suspension as all others expect them
 * (Y1 to Y3, T1, T5), and that can be seen only side by side.
 */
#include "kernel/core/schedule.h"

#include "kernel/core/budget.h"
#include "kernel/core/counters.h"
#include "kernel/core/help.h"
#include "kernel/core/panic.h"
#include "kernel/core/timeout.h"
#include "kernel/core/trace.h"
#include "kernel/object/endpoint.h"
#include "lib/base/bits.h"

/*
 * Y1 bit r of `used` <=> ring r is not empty.   Y2 top is the highest bit of `used`, or 0.
 * Y3 the context that the hart runs is the first of ring `top`, as of the last schedule_pick.
 * Y4 from ring RING_HELD (0) nobody runs: its contexts are out of budget.
 */
static struct {
    struct sched
        *first[RING(PRIORITY_MAX) + 1]; /* [k] next to run; the others behind it in order */
    u64 used;                           /* [k] */
    u32 top;                            /* [k] */
    u32 limited;                        /* [k] contexts that have a budget */
    struct thread
        *current; /* [k] what the last schedule_pick found, if it has the same context yet */
} ready;

/* ----------------------------------------------------------------------------------- run queue */

static void enqueue(struct sched *s)
{
    unsigned p = s->ring;
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
    ready.used |= 1ul << p;
    if (p > ready.top)
        ready.top = p;
}

static void dequeue(struct sched *s)
{
    unsigned p = s->ring;

    s->queued = 0;
    if (s->next != s) {
        s->prev->next = s->next;
        s->next->prev = s->prev;
        if (ready.first[p] == s)
            ready.first[p] = s->next;
        return;
    }
    ready.first[p] = NULL;
    ready.used &= ~(1ul << p);
    if (p == ready.top)
        ready.top = ready.used ? 63 - clz64(ready.used) : 0;
}

/* Restore C1 after `thread` or its state changed. */
static void settle(struct sched *s)
{
    bool runs = s->thread && s->thread->state == THREAD_READY &&
                !(s->thread->unusual & THREAD_IS_SUSPENDED);

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
    if (t == ready.current)
        ready.current = NULL; /* schedule_pick looks again */
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

/* Cut the loan to `t`; its lender. */
static struct thread *cut(struct thread *t)
{
    struct thread *lender = t->lender;

    if (lender) {
        t->lender = NULL;
        lender->lendee = NULL;
    }
    return lender;
}

/* `t` is READY, and there is no context for it: whoever comes to wait for its endpoint helps it. */
static void strand(struct thread *t)
{
    struct endpoint *e = slot_object(&t->endpoint);

    if (e && t->wait.kind == QNODE_OFF)
        queue_push(&e->stranded, &t->wait, QNODE_STRANDED);
}

/* The best context for a thread that has none: its home, or that of whoever waits for it. */
static __attribute__((noinline)) void take_context(struct thread *t)
{
    struct sched *home = parked_home(t);
    struct thread *helper;

    if (home && t->state == THREAD_READY && slot_is_empty(&t->endpoint)) { /* nobody waits for it */
        animate(home, t);
        return;
    }
    helper = help_best(t);

    if (helper && sched_rank(helper->sched) > sched_rank(home))
        sched_help(helper, t);
    else if (home)
        animate(home, t);
    else if (t->state == THREAD_READY)
        strand(t);
    help_by(t);
}

/* A thread that lost its context, or never had one, takes another, if only to lend it; a READY one is
 * stranded if there is none.  Not RECEIVING threads, which others will lend to; and the thread that
 * entered the kernel only when the kernel is left (schedule_pick), since mostly it goes on to
 * receive. */
static inline void find_context(struct thread *t)
{
    if (t->state != THREAD_RECEIVING && !(t->state == THREAD_READY && t == ready.current))
        take_context(t);
}

/* The thread that entered the kernel, if it is without a context, takes one before it is forgotten. */
static inline void forget_current(void)
{
    struct thread *before = ready.current;

    ready.current = NULL;
    if (before && before->state == THREAD_READY && !before->sched)
        find_context(before);
}

/* Lock: any. */
void schedule_again(void)
{
    forget_current();
}

/* ---------------------------------------------------------------------------------------- pledges */

/*
 * A thread that faults lends its context to the pager until that has answered.  Where a helper's takes
 * its place nothing else would tell, once the helper leaves, that the pager works for that thread: so
 * it has pledged its context (T7).
 */
static __attribute__((noinline, cold)) void pledge(struct thread *t, struct thread *to)
{
    if (to->pledger)
        sched_unpledge(slot_pointer(to->pledger));
    to->pledger = slot_number(t);
    t->callee = to;
    t->unusual |= THREAD_HAS_PLEDGED;
}

/* Lock: any. */
__attribute__((noinline, cold)) void sched_unpledge(struct thread *t)
{
    if (!(t->unusual & THREAD_HAS_PLEDGED))
        return;
    t->callee->pledger = 0;
    t->callee = NULL;
    t->unusual &= (u8)~THREAD_HAS_PLEDGED;
}

/* Lock: any. */
__attribute__((noinline, cold)) void sched_help(struct thread *w, struct thread *t)
{
    struct thread *last = t, *lender = t->lender;
    struct sched *old;

    while (last->lendee)
        last = last->lendee;
    old = last->sched;
    sched_unpledge(w);
    if (!old) {
        unstrand(last);
        cut(t);
    } else if (lender) {
        cut(t);
        animate(old, lender);
        if (lender->state == THREAD_FAULTING)
            pledge(lender, t);
    } else {
        old->thread = NULL;
        settle(old);
    }
    t->lender = w;
    w->lendee = t;
    last->sched = NULL;
    animate(w->sched, last);
    w->sched = NULL;
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

/* The wait of `t`, one of few, is over: what belongs to it is undone, and a suspended thread is made as
 * usual and then held back.  Returns what is left. */
static __attribute__((noinline, cold)) u8 begin_unusual(struct thread *t)
{
    u8 suspended = t->unusual & THREAD_IS_SUSPENDED;

    timeout_cancel(t);
    sched_unpledge(t);
    t->unusual = 0;
    return suspended;
}

static __attribute__((noinline, cold)) void end_unusual(struct thread *t, u8 suspended)
{
    t->unusual |= suspended;
    if (t->sched)
        settle(t->sched);
}

static __attribute__((noinline, cold)) void ready_unusual(struct thread *t)
{
    u8 suspended = begin_unusual(t);

    schedule_ready(t);
    end_unusual(t, suspended);
}

/* Lock: any.  Cost: constant, or the length of the chain that `t` began. */
void schedule_ready(struct thread *t)
{
    struct thread *left; /* without a context now */

    if (t->unusual) {
        ready_unusual(t);
        return;
    }
    left = t->lendee ? take_back(t) : NULL;
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

/* The chain that ends with `last` (NULL: nothing to do) has been cut off, without a context.  From its
 * head on each takes one, until one lends its own to all that are left. */
static __attribute__((noinline, cold)) void let_go(struct thread *last)
{
    struct thread *t = last, *next = NULL;

    while (t && t->lender)
        t = t->lender;
    for (; t; t = next) {
        next = t->lendee;
        if (next)
            cut(next);
        take_context(t);
        if (next && next->lender)
            break;
    }
    while (next && next->lendee)
        next = next->lendee;
    if (next)
        help_chain(next);
    if (last && last != next)
        help_chain(last);
}

/* `last`, at the end of a chain of loans, has lost its context: the best of the homes of those who
 * lent (the nearest of equals), and of those who wait for any of them, takes its place; where there is
 * none, there is nothing lent any more. */
static __attribute__((noinline, cold)) void fall_back(struct thread *last)
{
    struct sched *home = NULL;
    struct thread *at = NULL, *helper = NULL, *helped = NULL, *above;

    for (struct thread *t = last->lender ? last : NULL; t; t = t->lender) {
        struct sched *s = parked_home(t);
        struct thread *w = help_best(t);

        if (sched_rank(s) > sched_rank(home)) {
            home = s;
            at = t;
        }
        if (w && sched_rank(w->sched) > sched_rank(helper ? helper->sched : NULL)) {
            helper = w;
            helped = t;
        }
    }
    if (helper && sched_rank(helper->sched) > sched_rank(home)) {
        above = cut(helped);
        sched_help(helper, helped);
    } else if (home) {
        above = cut(at);
        animate(home, last);
    } else {
        above = cut(last);
        find_context(last);
    }
    let_go(above); /* which may be who `last` waits for: a circle */
    help_by(last);
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
    if (last->state != THREAD_RECEIVING)
        fall_back(last);
    if (lender->wait.kind != QNODE_OFF || lender->ticket.saved)
        help_by(lender);
}

/* `t`, which is not to run on it any more, lets go of its context. */
static void part_with_context(struct thread *t)
{
    struct sched *s;

    if (t->lender)
        sched_return(t);
    s = t->sched; /* its home, if anything */
    if (!s)
        return;
    t->sched = NULL;
    s->thread = NULL;
    if (s->queued)
        dequeue(s);
}

static __attribute__((noinline, cold)) void lend_unusual(struct thread *from, struct thread *to)
{
    u8 suspended = begin_unusual(to);

    sched_lend(from, to);
    end_unusual(to, suspended);
}

/* Lock: any. */
void sched_lend(struct thread *from, struct thread *to)
{
    struct sched *s;

    assert(from->state != THREAD_READY && !to->lendee);
    if (to->unusual) {
        lend_unusual(from, to);
        return;
    }
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
    if (!s->queued) {
        enqueue(s);
        if (s->ring == RING_HELD)
            schedule_rescue(s);
    }
}

/* Lock: any. */
void sched_detach(struct thread *t)
{
    if (t->lendee)
        sched_return(t->lendee);
    part_with_context(t);
    unstrand(t);
    if (t->pledger)
        sched_unpledge(slot_pointer(t->pledger));
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

/* -------------------------------------------------------------------- what becomes of a context */

/* Lock: any. */
__attribute__((noinline, cold)) void schedule_set_ring(struct sched *s, unsigned ring)
{
    bool queued = s->queued;

    if (queued)
        dequeue(s);
    s->ring = (u8)ring;
    if (queued)
        enqueue(s);
}

/* Lock: any. */
__attribute__((noinline, cold)) void schedule_set_priority(struct sched *s, unsigned priority)
{
    s->priority = (u8)priority;
    if (s->ring == RING_HELD)
        return;
    schedule_set_ring(s, RING(priority));
    if (!s->thread)
        return;
    help_by(s->thread);
    if (s->thread)
        help_chain(s->thread);
}

/* Lock: any. */
__attribute__((noinline, cold)) void schedule_set_limited(struct sched *s, bool limited)
{
    ready.limited += (u32)limited - s->limited;
    s->limited = limited;
    schedule_again();
}

/* The homes below the head of a chain; the nearest of equals. */
static __attribute__((noinline, cold)) struct thread *best_home(struct thread *last)
{
    struct thread *at = NULL;
    int rank = RING_HELD;

    for (struct thread *t = last; t->lender; t = t->lender) {
        int r = sched_rank(parked_home(t));

        if (r > rank) {
            rank = r;
            at = t;
        }
    }
    return at;
}

/* Lock: any. */
__attribute__((noinline, cold)) void schedule_rescue(struct sched *s)
{
    struct thread *last = s->thread, *at, *lender;

    if (!last)
        return;
    help_chain(last);
    if (last->sched != s || !(at = best_home(last)))
        return;
    lender = at->lender;
    at->lender = NULL;
    lender->lendee = NULL;
    last->sched = NULL;
    animate(s, lender);
    animate(parked_home(at), last);
    help_by(last);
}

/* Lock: any. */
__attribute__((noinline, cold)) void schedule_suspend(struct thread *t)
{
    t->unusual |= THREAD_IS_SUSPENDED;
    if (t->sched)
        settle(t->sched);
}

/* Lock: any. */
__attribute__((noinline, cold)) void schedule_resume(struct thread *t)
{
    t->unusual &= (u8)~THREAD_IS_SUSPENDED;
    if (t->sched)
        settle(t->sched);
}

/* -------------------------------------------------------------------------------- picking a thread */

static struct thread *pick(void)
{
    return ready.top ? ready.first[ready.top]->thread : NULL; /* Y4 */
}

/* What runs, or what is to run, may have a budget.  Ends because each turn holds a context. */
static __attribute__((noinline, cold)) void switch_budget(void)
{
    while (budget_switch(ready.top ? ready.first[ready.top] : NULL))
        continue;
}

/* Another thread, or none, is to run than the one that entered the kernel: that one may have lost
 * its context on the way. */
static struct thread *pick_other(void)
{
    forget_current();
    if (ready.limited)
        switch_budget();
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
    if (!ready.top)
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
    u64 used = 0;

    for (unsigned p = 0; p <= RING(PRIORITY_MAX); p++) {
        struct sched *first = ready.first[p], *s = first;

        if (!first)
            continue;
        used |= 1ul << p;
        do {
            assert(s->queued && s->ring == p && s->next->prev == s);
            assert(s->thread && s->thread->state == THREAD_READY); /* C1 */
            assert(s->thread->sched == s);                         /* C2, I5 */
            s = s->next;
        } while (s != first);
    }
    assert(used == ready.used);                         /* Y1 */
    assert(ready.top == (used ? 63 - clz64(used) : 0)); /* Y2 */
}
