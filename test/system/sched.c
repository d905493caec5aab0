/* SPDX-License-Identifier: MIT */
/*
 * Claim: contexts of higher priority run first, those of one priority take turns at ticks, and a
 * context counts the ticks it used.
 *
 * It would fail if the run queue were not kept by priority, if a change of priority did not take
 * effect at once, or if the timer did not preempt.
 */
#include "test/support/worker.h"

struct shared {
    volatile word_t count[2];
    volatile bool stop;
};

static void count(volatile word_t *n, volatile bool *stop)
{
    while (!*stop)
        ++*n;
}
static void count_0(void *argument)
{
    struct shared *s = argument;
    count(&s->count[0], &s->stop);
}
static void count_1(void *argument)
{
    struct shared *s = argument;
    count(&s->count[1], &s->stop);
}

/* Spin at the test's own priority until some ticks have passed, or for far longer. */
static void spin_ticks(unsigned n)
{
    word_t until = counters_read().ticks + n;

    for (unsigned i = 0; i < 3000000 && counters_read().ticks < until; i++)
        ;
}

static void set_flag(void *argument)
{
    *(volatile bool *)argument = true;
}

static struct message sched_query(cap_t sched)
{
    struct message m = {0};

    if (q_operation(sched, OP_sched_query, 0, &m) != ST_OK)
        bail("sched.query");
    return m;
}

static void test_set_priority(void)
{
    cap_t s = make(OBJ_sched, 3, 0), weak = copy_of(s, 0);

    same(must(q_sched_query(s), "query"), 3, "sched.query: the priority it was made with");
    REFUSED(q_sched_set_priority(s, PRIORITY_MAX + 1), ST_BAD_ARG, 0,
            "sched.set_priority BAD_ARG: over 31, detail is the argument index");
    REFUSED(q_sched_set_priority(s, ~0ul), ST_BAD_ARG, 0, "sched.set_priority BAD_ARG: 2^64 - 1");
    same(must(q_sched_query(s), "query"), 3, "sched.set_priority that is refused changes nothing");
    must(q_sched_set_priority(s, PRIORITY_MAX), "set_priority");
    same(must(q_sched_query(s), "query"), PRIORITY_MAX, "sched.set_priority: 31 is allowed");
    REFUSED(q_sched_set_priority(weak, 1), ST_NO_RIGHT, SCHED_CONTROL,
            "sched.set_priority needs right CONTROL");
    drop(weak);
    drop(s);
}

static void test_order(void)
{
    volatile bool *ran = arena_new(64);
    struct worker *low, *high;
    word_t own = must(q_sched_query(SLOT_SCHED), "query");

    high = WORKER(set_flag, (void *)&ran[0], .priority = 1);
    ok(ran[0], "a context of higher priority runs at once");
    low = WORKER(set_flag, (void *)&ran[1], .priority = -1);
    for (unsigned i = 0; i < 100; i++)
        sys_yield();
    ok(!ran[1], "a context of lower priority does not run while a higher one is ready");
    must(q_sched_set_priority(low->sched, own + 1), "set_priority");
    ok(ran[1], "sched.set_priority takes effect at once");
    worker_drop(high);
    worker_drop(low);
}

static void test_turns(void)
{
    struct shared *s = arena_new(sizeof *s);
    struct worker *w[2] = {WORKER(count_0, s, 0), WORKER(count_1, s, 0)};
    word_t used;

    spin_ticks(12);
    s->stop = true;
    ok(s->count[0] > 0 && s->count[1] > 0,
       "threads of one priority that never wait take turns at ticks");
    used = sched_query(w[0]->sched).words[1];
    ok(used >= 1 && used <= 12, "sched.query counts the ticks that a context used");
    if (used < 1 || used > 12)
        note("%lu ticks used", used);
    ok(worker_wait(w[0]) && worker_wait(w[1]), "and they end");
    worker_drop(w[0]);
    worker_drop(w[1]);
}

static void test_death(void)
{
    struct shared *s = arena_new(sizeof *s);
    struct worker *w = WORKER(count_0, s, 0);
    word_t before;

    let_run();
    drop(w->sched);
    before = s->count[0];
    let_run();
    ok(s->count[0] != before, "a context lives while a thread has it as its home");
    s->stop = true;
    worker_wait(w);
    drop(w->thread);
    w->sched = 0;
    w->thread = make(OBJ_thread, 0, 0);
    worker_drop(w);
}

int main(void)
{
    word_t before;

    kit_begin();
    arena_new(64);
    before = pages_used();
    test_set_priority();
    test_order();
    test_turns();
    test_death();
    same(pages_used(), before, "sched counters return to where they were");
    return tap_end();
}
