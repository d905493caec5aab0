/* SPDX-License-Identifier: MIT */
/*
 * Claim: a context runs for its budget in each period and no more, at priorities up to its ceiling;
 * whoever waits for a thread that runs on a worse context, or on none, helps it with its own; and a
 * suspended thread waits and hears, but does not run.
 *
 * It would fail if time were not charged to the context that runs, if a refill or a resume gave more than
 * the budget, if a server that lost its client's context stood still, or if a thread of middle priority
 * ran while one of high priority waits for a low one.
 */
#include "test/support/worker.h"

#define US 1000ul
#define MS 1000000ul

static word_t own;

static struct message sched_read(cap_t sched)
{
    struct message m = {0};

    if (q_operation(sched, OP_sched_query, 0, &m) != ST_OK)
        bail("sched.query");
    m.words[6] = sys_buffer()->words[6];
    m.words[7] = sys_buffer()->words[7];
    return m;
}

static void limit(struct worker *w, word_t budget, word_t period, word_t flags)
{
    must(q_sched_configure(w->sched, budget, period, PRIORITY_MAX, flags), "sched.configure");
}

struct spin {
    volatile word_t count, ran; /* ran: nanoseconds, as it sees them itself */
    volatile bool stop;
};

/* Count, and add up the time that passes in small steps: gaps are others' time. */
static void spin(void *argument)
{
    struct spin *s = argument;
    word_t before = clock_ns();

    while (!s->stop) {
        word_t now = clock_ns();
        if (now - before < 20 * US)
            s->ran += now - before;
        before = now;
        s->count++;
    }
}

static void sleep_at_top(word_t ns)
{
    must(q_sched_set_priority(SLOT_SCHED, PRIORITY_MAX), "set_priority");
    clock_sleep(ns);
}

static void test_errors(void)
{
    cap_t s = make(OBJ_sched, 3, 0), weak = copy_of(s, SCHED_CONTROL);
    struct message m;

    m = sched_read(s);
    ok(m.words[2] == PRIORITY_MAX && m.words[3] == 0 && m.words[4] == 0,
       "sched.query: no limit, and the highest ceiling");
    REFUSED(q_sched_configure(s, 2 * MS, MS, 31, 0), ST_BAD_ARG, 0,
            "sched.configure BAD_ARG: budget over the period");
    REFUSED(q_sched_configure(s, 1, MS, 31, 0), ST_BAD_ARG, 0,
            "sched.configure BAD_ARG: budget under 10 us");
    REFUSED(q_sched_configure(s, MS, 0, 31, 0), ST_BAD_ARG, 0,
            "sched.configure BAD_ARG: budget without a period");
    REFUSED(q_sched_configure(s, MS, PERIOD_MAX_NS + 1, 31, 0), ST_BAD_ARG, 1,
            "sched.configure BAD_ARG: period too long");
    REFUSED(q_sched_configure(s, MS, MS, 32, 0), ST_BAD_ARG, 2,
            "sched.configure BAD_ARG: ceiling over 31");
    REFUSED(q_sched_configure(s, MS, MS, 31, 2), ST_BAD_ARG, 3,
            "sched.configure BAD_ARG: unknown flags");
    REFUSED(q_sched_configure(weak, MS, MS, 31, 0), ST_NO_RIGHT, SCHED_LIMITS,
            "sched.configure needs right LIMITS");
    must(q_sched_configure(s, 2 * MS, 10 * MS, 2, SCHED_REPORT), "configure");
    m = sched_read(s);
    ok(m.words[0] == 2 && m.words[2] == 2,
       "sched.configure: the priority is lowered to the ceiling");
    ok(m.words[3] == 2 * MS && m.words[4] == 10 * MS && m.words[5] == 0 && m.words[6] == 2 * MS &&
           m.words[7] == SCHED_REPORT,
       "sched.query: budget, period, nothing consumed, all left, flags");
    REFUSED(q_sched_set_priority(weak, 3), ST_DENIED, 2,
            "sched.set_priority DENIED: over the ceiling, detail is the ceiling");
    must(q_sched_set_priority(weak, 1), "set_priority below the ceiling");
    drop(weak);
    drop(s);
}

/* 2 ms of each 10 ms, over a second. */
static void test_share(void)
{
    struct spin *s = arena_new(2 * sizeof *s);
    struct worker *w = worker_new(&(struct worker_options){.priority = 2});
    struct worker *rest = WORKER(spin, &s[1], .priority = -1);
    word_t begin, consumed;

    limit(w, 2 * MS, 10 * MS, 0);
    begin = clock_ns();
    worker_start(w, spin, &s[0]);
    sleep_at_top(1000 * MS - (clock_ns() - begin));
    consumed = sched_read(w->sched).words[5];
    must(q_sched_set_priority(SLOT_SCHED, own), "set_priority");
    ok(consumed >= 198 * MS && consumed <= 202 * MS,
       "a thread that loops for ever takes its budget and no more: 200 ms of a second");
    note("consumed %lu us", consumed / 1000);
    ok(s[0].ran >= 190 * MS && s[0].ran <= 202 * MS, "as it sees itself");
    ok(s[1].ran >= 750 * MS, "the rest goes to who has less priority");
    note("%lu us, %lu us", s[0].ran / 1000, s[1].ran / 1000);

    must(q_thread_suspend(w->thread), "suspend");
    begin = sched_read(w->sched).words[5];
    sleep_at_top(35 * MS);
    same(sched_read(w->sched).words[5], begin, "a suspended thread consumes nothing");
    must(q_thread_resume(w->thread), "resume");
    sleep_at_top(9 * MS);
    consumed = sched_read(w->sched).words[5] - begin;
    ok(consumed > MS && consumed <= 2 * MS + 10 * US,
       "a resume does not give more than the budget");
    begin = sched_read(w->sched).words[5];
    for (unsigned i = 0; i < 40; i++)
        clock_sleep(500 * US); /* 20 ms: at most three periods */
    consumed = sched_read(w->sched).words[5] - begin;
    ok(consumed >= 2 * MS && consumed <= 6 * MS + 10 * US,
       "nor does it get more by being preempted often");
    must(q_sched_set_priority(SLOT_SCHED, own), "set_priority");
    s[0].stop = s[1].stop = true;
    limit(w, 0, 0, 0);
    clock_sleep(MS);
    ok(worker_wait(w) && worker_wait(rest), "without limit it ends at once");
    worker_drop(w);
    worker_drop(rest);
}

/* The handler hears BUDGET and gives more, twice. */
struct overrun {
    cap_t endpoint, sched;
    volatile word_t heard, status;
};

static void overrun_handler(void *argument)
{
    struct overrun *o = argument;
    struct message m;
    status_t status = q_recv(&m, 0);

    while (status == ST_OK) {
        o->heard++;
        o->status = message_label(&m);
        if (o->heard == 2)
            must(q_sched_configure(o->sched, 0, 0, PRIORITY_MAX, 0), "configure");
        else
            must(q_sched_configure(o->sched, 2 * MS, 1000 * MS, PRIORITY_MAX, SCHED_REPORT),
                 "configure");
        message_prepare(&m, 0, 0, 0);
        status = q_reply_recv(&m);
    }
}

static void test_report(void)
{
    struct overrun *o = arena_new(sizeof *o);
    struct spin *s = arena_new(sizeof *s);
    struct worker *handler, *w;
    word_t begin;

    o->endpoint = make(OBJ_endpoint, 0, 0);
    handler = WORKER(overrun_handler, o, .endpoint = o->endpoint, .priority = 2);
    w = worker_new(&(struct worker_options){.handler = o->endpoint, .priority = -1});
    o->sched = w->sched;
    limit(w, MS, 1000 * MS, SCHED_REPORT);
    begin = clock_ns();
    worker_start(w, spin, s);
    sleep_at_top(10 * MS);
    must(q_sched_set_priority(SLOT_SCHED, own), "set_priority");
    same(o->status, ST_BUDGET, "a thread that overran is reported to its handler: BUDGET");
    same(o->heard, 2, "who may give it more, each time");
    ok(s->ran > 8 * MS && clock_ns() - begin < 30 * MS, "and lets it go on");
    s->stop = true;
    clock_sleep(MS);
    ok(worker_wait(w), "to its end");
    worker_drop(w);
    worker_drop(handler);
    drop(o->endpoint);
}

/* ---- a server that works for a while ----*/

struct work {
    cap_t endpoint;
    volatile bool middle_ran, served_before_middle, started, go;
    volatile word_t served;
    word_t loops;
};

static void server(void *argument)
{
    struct work *k = argument;
    struct message m;
    status_t status = q_recv(&m, 0);

    while (status == ST_OK) {
        k->started = true;
        for (volatile word_t i = 0; i < k->loops; i++)
            ;
        k->served++;
        message_prepare(&m, 0, 0, 0);
        status = q_reply_recv(&m);
    }
}

static void client(void *argument)
{
    struct work *k = argument;
    struct message m = {0};

    message_prepare(&m, 1, 0, 0);
    (void)!q_call(k->endpoint, &m);
}

static void high_client(void *argument)
{
    struct work *k = argument;

    client(argument);
    k->served_before_middle = !k->middle_ran;
}

static void middle(void *argument)
{
    ((struct work *)argument)->middle_ran = true;
}

static struct work *work_new(word_t loops)
{
    struct work *k = arena_new(sizeof *k);

    k->endpoint = make(OBJ_endpoint, 0, 0);
    k->loops = loops;
    return k;
}

/* low calls the server, which works; high calls it too; middle becomes ready. */
static void test_inversion(bool passive)
{
    const char *kind = passive ? "passive" : "active";
    struct work *k = work_new(300000);
    struct worker *s =
        WORKER(server, k, .endpoint = k->endpoint, .passive = passive, .priority = 1);
    struct worker *low, *mid, *high;

    if (passive) { /* to its receive */
        struct work *none = k;
        word_t loops = k->loops;

        none->loops = 0;
        client(none);
        k->loops = loops;
        k->started = false;
        k->served = 0;
    }
    low = WORKER(client, k, .priority = -3);
    mid = worker_new(&(struct worker_options){.priority = -2});
    high = worker_new(&(struct worker_options){.priority = -1});
    sleep_at_top(300 * US); /* low has called, and the server works for it */
    ok(k->started && !k->served, "a %s server works for a client of low priority", kind);
    worker_start(high, high_client, k);
    worker_start(mid, middle, k);
    sleep_at_top(15 * MS);
    must(q_sched_set_priority(SLOT_SCHED, own), "set_priority");
    ok(high->done && k->served == 2, "a client of high priority is served (%s)", kind);
    ok(k->served_before_middle, "before one of middle priority runs: no inversion (%s)", kind);
    ok(worker_wait(low) && worker_wait(mid) && worker_wait(high), "all end (%s)", kind);
    worker_drop(low);
    worker_drop(mid);
    worker_drop(high);
    worker_drop(s);
    drop(k->endpoint);
}

/* The client runs out of budget, or dies, while the server works for it. */
static void test_stranding(bool dies)
{
    const char *kind = dies ? "dies" : "runs out of budget";
    struct work *k = work_new(0);
    struct worker *s = WORKER(server, k, .endpoint = k->endpoint, .passive = true);
    struct worker *first, *second;

    client(k);
    k->loops = 300000;
    k->served = 0;
    first = worker_new(&(struct worker_options){.priority = 1});
    second = worker_new(&(struct worker_options){.priority = -1});
    limit(first, 100 * US, 1000 * MS, 0);
    worker_start(first, client, k);
    sleep_at_top(MS);
    ok(!k->served && !first->done, "the server of a client that %s is not done", kind);
    if (dies)
        must(q_thread_stop(first->thread), "stop");
    worker_start(second, client, k);
    sleep_at_top(15 * MS);
    must(q_sched_set_priority(SLOT_SCHED, own), "set_priority");
    ok(second->done && k->served == 2,
       "a client that %s does not strand its server: the next helps", kind);
    same(first->done, !dies && first->done, "and it gets its reply when it has budget (%s)", kind);
    worker_drop(first);
    worker_drop(second);
    worker_drop(s);
    drop(k->endpoint);
}

/* A server with a context of its own needs nobody. */
static void test_own_context(void)
{
    struct work *k = work_new(300000);
    struct worker *s = WORKER(server, k, .endpoint = k->endpoint, .priority = 1);
    struct worker *c = worker_new(&(struct worker_options){.priority = 2});

    limit(c, 100 * US, 1000 * MS, 0);
    worker_start(c, client, k);
    sleep_at_top(15 * MS);
    must(q_sched_set_priority(SLOT_SCHED, own), "set_priority");
    same(k->served, 1, "a server whose client runs out of budget goes on with its own context");
    q_debug_check(kit.debug);
    worker_drop(c);
    worker_drop(s);
    drop(k->endpoint);
}

static void test_suspend(void)
{
    struct work *k = work_new(1000);
    struct worker *s = WORKER(server, k, .endpoint = k->endpoint, .priority = 1);
    struct worker *c = worker_new(&(struct worker_options){.priority = 1});
    struct message m = {0};

    let_run();
    must(q_thread_suspend(s->thread), "thread.suspend");
    same(thread_read(s->thread).state, THREAD_RECEIVING, "a suspended thread waits as before");
    (void)!q_operation(s->thread, OP_thread_query, 0, &m);
    same(m.words[4], 1, "thread.query tells that it is suspended");
    worker_start(c, client, k);
    let_run();
    same(thread_read(c->thread).state, THREAD_CALLING, "it is delivered to");
    same(thread_read(s->thread).state, THREAD_READY, "and would run");
    ok(!k->started, "but does not");
    message_prepare(&m, 1, 0, 0);
    same(q_call_within(k->endpoint, &m, SYS_TIMEOUT, MS), ST_TIMEOUT,
         "whoever waits for it may give up");
    q_debug_check(kit.debug);
    must(q_thread_resume(s->thread), "thread.resume");
    ok(worker_wait(c) && k->served == 1, "resumed it goes on where it was");
    must(q_thread_resume(s->thread), "resuming what is not suspended does nothing");
    must(q_thread_suspend(c->thread), "a stopped thread can be suspended");
    worker_start(c, client, k);
    let_run();
    ok(!c->done, "and started, but does not run");
    must(q_thread_stop(c->thread), "and stopped");
    must(q_thread_resume(c->thread), "and resumed");
    same(thread_read(c->thread).state, THREAD_STOPPED, "which does not start it");
    worker_drop(c);
    worker_drop(s);
    drop(k->endpoint);
}

/* A thread that suspends itself. */
static void suspend_self(void *argument)
{
    volatile word_t *step = argument;

    *step = 1;
    worker_self()->result = q_thread_suspend(worker_self()->thread).status;
    *step = 2;
}

static void test_suspend_self(void)
{
    volatile word_t *step = arena_new(64);
    struct worker *w = WORKER(suspend_self, (void *)step, .priority = 1);

    same(*step, 1, "a thread that suspends itself runs no further");
    let_run();
    must(q_thread_resume(w->thread), "resume");
    ok(worker_wait(w) && *step == 2 && w->result == ST_OK, "until it is resumed, and hears OK");
    worker_drop(w);
}

int main(void)
{
    word_t before;

    kit_begin();
    arena_new(64);
    clock_sleep(1);
    own = must(q_sched_query(SLOT_SCHED), "query");
    test_suspend_self();
    before = pages_used();
    test_errors();
    test_suspend();
    test_report();
    test_inversion(false);
    test_inversion(true);
    test_stranding(false);
    test_stranding(true);
    test_own_context();
    test_share();
    same(pages_used(), before, "budgets: every page is back");
    return tap_end();
}
