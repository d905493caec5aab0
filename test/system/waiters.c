/* SPDX-License-Identifier: MIT */
/*
 * Claim: whoever waits for a page hurts nobody but himself, and whoever is asked for one can do no
 * harm but to those who ask: not by answering wrongly, twice or never, and not by dying at any step
 * of a fault.
 *
 * It would fail if a waiter that dies took others off the ticket, if a refused answer moved or woke
 * anything, or if a death between two steps left a page, a ticket or a thread behind.
 */
#include "test/support/script.h"

#define RW      (MAP_READ | MAP_WRITE)
#define NPAGES  32
#define ZERO(n) answer_what(ANSWER_ZERO, 0, n)

static struct script *s; /* a pager in its own space */
static cap_t object;     /* its object */
static char *view;       /* the object, mapped */

static struct result answer(word_t what, word_t offset, cap_t from, word_t at)
{
    return q_served_answer(object, memory_read(object).epoch, what, offset, from, at);
}

static bool begin_waiting(struct prober *p, const char *at)
{
    probe_start(p, PROBE_LOAD, (word_t)at, 0);
    return thread_reaches(p->worker->thread, THREAD_FAULTING);
}

static word_t state_of(const struct prober *p)
{
    return thread_read(p->worker->thread).state;
}

/* -------------------------------------------------------------------------------- eight threads */

static void test_eight(void)
{
    static const bool dies[8] = {true, true, false, true, false, true, false, false};
    struct prober *p[8];
    bool all = true;
    unsigned woken = 0;

    s->answer = SCRIPT_SILENT;
    script_clear(s);
    for (unsigned i = 0; i < 8; i++) {
        p[i] = prober_new(NULL, 0);
        all = begin_waiting(p[i], view) && all;
    }
    ok(all && script_count(s, MAPPING_resolve_fault) == 1,
       "waiters: eight threads on one page, one message");
    /* the first waiter is stopped, its heir deleted; and the same with two from the middle */
    must(q_thread_stop(p[0]->worker->thread), "stop");
    prober_drop(p[1]);
    must(q_thread_stop(p[3]->worker->thread), "stop");
    prober_drop(p[5]);
    q_debug_check(kit.debug);
    same(page_read(object, 0).state, 2, "waiters: four of eight die, the page is still awaited");
    for (unsigned i = 0; i < 8; i++)
        if (!dies[i])
            all = state_of(p[i]) == THREAD_FAULTING && all;
    ok(all && script_count(s, MAPPING_resolve_fault) == 1,
       "waiters: the other four go on waiting, and nothing is asked again");
    same(must(answer(ZERO(1), 0, 0, 0), "answer"), 1, "waiters: the answer is taken");
    for (unsigned i = 0; i < 8; i++)
        if (!dies[i])
            woken += probe_wait(p[i]) && p[i]->touched.status == ST_OK;
    ok(woken == 4 && state_of(p[0]) == THREAD_STOPPED && state_of(p[3]) == THREAD_STOPPED &&
           !p[0]->touched.done && !p[3]->touched.done,
       "waiters: it wakes exactly the four");
    q_debug_check(kit.debug);
    for (unsigned i = 0; i < 8; i++)
        if (i != 1 && i != 5)
            prober_drop(p[i]);
}

/* ------------------------------------------------------------------------------- wrong answers */

/* Each with a client that waits for the page, or for another one. */
static void test_wrong(void)
{
    struct prober *p = prober_new(NULL, 0);
    cap_t held = make(OBJ_anon, PAGES(2), 0);
    word_t *v = kit_map(held, PAGES(2), 0, RW), resident = memory_read(object).resident;
    struct message m = {0};

    v[0] = 77;
    s->answer = SCRIPT_SILENT;
    ok(begin_waiting(p, view + PAGES(2)), "waiters: a client waits for a page");
    REFUSED(answer(ZERO(1), PAGES(NPAGES), 0, 0), ST_PAST_END, 0,
            "waiters: an answer outside the object is refused");
    REFUSED(answer(answer_what(ANSWER_MOVE, 0, 1), PAGES(2), NO_SLOT, 0), ST_BAD_CAP, 0,
            "waiters: an answer with memory the pager does not hold is refused");
    m.words[0] = memory_read(object).epoch;
    for (unsigned i = 0; i < 4; i++) { /* the page itself, a neighbour twice, then one outside */
        message_set_word(&m, 1 + 4 * i, i ? ZERO(1) : answer_what(ANSWER_MOVE, 0, 1));
        message_set_word(&m, 2 + 4 * i, i == 3 ? PAGES(NPAGES) : PAGES(2 + i));
        message_set_word(&m, 3 + 4 * i, i ? 0 : held);
        message_set_word(&m, 4 + 4 * i, 0);
    }
    REFUSED(((struct result){q_operation(object, OP_served_answer, 17, &m), m.words[0]}),
            ST_PAST_END, 3, "waiters: the fourth extent of a vector is bad, detail is its index");
    ok(memory_read(object).resident == resident && page_read(held, 0).state == 1 && v[0] == 77 &&
           page_read(object, PAGES(2)).state == 2 && state_of(p) == THREAD_FAULTING,
       "waiters: refused answers give and take nothing, and wake nobody");
    same(must(answer(ZERO(2), PAGES(6), 0, 0), "answer"), 2,
         "waiters: pages that nobody asked for are taken");
    same(state_of(p), THREAD_FAULTING, "waiters: and wake nobody");
    same(must(answer(answer_what(ANSWER_MOVE, 0, 1), PAGES(2), held, 0), "answer"), 1,
         "waiters: the right answer is taken after all of them");
    ok(probe_wait(p) && p->touched.status == ST_OK && p->touched.result == 77,
       "waiters: and the client has its page");
    same(must(answer(ZERO(1), PAGES(2), 0, 0), "answer"), 0,
         "waiters: a second answer for it takes nothing");
    same(load(view + PAGES(2)), 77, "waiters: and changes nothing");
    kit_unmap(v, PAGES(2));
    drop(held);
    prober_drop(p);
    q_debug_check(kit.debug);
}

/* A thread's number in debug.thread does not matter: find it by name. */
static word_t ticks_waited(word_t name)
{
    for (word_t i = 0;; i++) {
        struct message m = {.words = {i}};

        must((struct result){q_operation(kit.debug, OP_debug_thread, 1, &m), 0}, "debug.thread");
        if (message_nwords(&m) == 0)
            return ~0ul;
        if (m.words[2] == name && m.words[1] == THREAD_FAULTING)
            return message_word(&m, 7 + OWNER_NAME_BYTES / 8);
    }
}

static void test_never(void)
{
    const word_t name = 0x746e6569746170; /* patient */
    word_t before = bank_read(kit.bank).used, since, first, then, ticks;
    cap_t bank = make(OBJ_bank, 400, 0);
    struct space *c = space_new(bank);
    struct prober *p = prober_new(c, bank);
    char *there = fresh_range(PAGES(NPAGES));

    space_map(c, there, object, PAGES(NPAGES), 0, RW);
    must(q_thread_name(p->worker->thread, name, 0), "name");
    s->answer = SCRIPT_SILENT;
    since = counters_read().ticks;
    ok(begin_waiting(p, there + PAGES(10)), "waiters: a client is never answered");
    s->answer = SCRIPT_ZERO;
    ok(touch(PROBE_LOAD, view + PAGES(11))->status == ST_OK,
       "waiters: others go on, with the same pager");
    first = ticks_waited(name);
    ticks = counters_read().ticks;
    for (unsigned i = 0; i < 3000000 && counters_read().ticks < ticks + 5; i++)
        ;
    then = ticks_waited(name);
    ok(first <= ticks - since && then >= first + 5 && then <= counters_read().ticks - since,
       "waiters: debug.thread tells for how many ticks it has waited");
    same(state_of(p), THREAD_FAULTING, "waiters: it still waits");
    must(q_bank_destroy(bank), "bank.destroy");
    prober_forget(p);
    forget(c->aspace);
    forget(bank);
    same(page_read(object, PAGES(10)).state, 0, "waiters: when it is killed its ticket is gone");
    script_settle(s);
    ok(bank_read(kit.bank).used <= before + 1, "waiters: and all that it had is back");
    q_debug_check(kit.debug);
}

/* ------------------------------------------------------------------ deaths at each step of a fault */

/* A pager that does one thing each time it is told to: receive, answer, receive, answer. */
struct stepper {
    struct worker *worker;
    cap_t bank, endpoint, bell, object;
    cap_t victim;      /* a client that it kills as soon as it has answered; 0: none */
    cap_t victim_bank; /* by destroying this; 0: by stopping it */
    word_t victim_state;
    volatile unsigned step;
};

/* Runs in the pager, above the client: answered it is READY, but has not gone on. */
static void kill_client(struct stepper *t)
{
    t->victim_state = thread_read(t->victim).state;
    if (t->victim_bank)
        q_bank_destroy(t->victim_bank);
    else
        q_thread_stop(t->victim);
    t->victim = 0;
}

static void step_through(void *argument)
{
    struct stepper *t = argument;
    struct message m = {0};

    for (;;) {
        (void)!q_notification_wait(t->bell).status;
        if (q_recv(&m, 0) != ST_OK)
            return;
        t->step++;
        (void)!q_notification_wait(t->bell).status;
        (void)!q_served_answer(t->object, m.fault.epoch, ZERO(1), m.fault.offset, 0, 0).status;
        if (t->victim)
            kill_client(t);
        t->step++;
    }
}

static struct stepper *stepper_new(void)
{
    struct stepper *t = arena_new(sizeof *t);
    struct declaration d = script_declaration();

    d.wants = 1 << MAPPING_resolve_fault;
    t->bank = make(OBJ_bank, 60, 0);
    t->endpoint = make_in(t->bank, OBJ_endpoint, 0, 0);
    t->bell = make(OBJ_notification, 0, 0);
    t->object = make(OBJ_served, PAGES(8), 1);
    declare(t->object, &d);
    must(q_served_attach(t->object, t->endpoint), "attach");
    t->worker = WORKER(step_through, t, .bank = t->bank, .endpoint = t->endpoint, .priority = 1);
    return t;
}

static void stepper_go(struct stepper *t, unsigned step)
{
    while (t->step < step) {
        unsigned before = t->step;

        must(q_notification_signal(t->bell, 1), "signal");
        for (unsigned i = 0; i < 1000 && t->step == before; i++)
            sys_yield();
        if (t->step == before)
            bail("the pager does not take step %u", before + 1);
    }
}

static void stepper_kill(struct stepper *t)
{
    must(q_bank_destroy(t->bank), "bank.destroy");
    worker_forget(t->worker);
    forget(t->endpoint);
    forget(t->bank);
}

static const char *const steps[] = {"before delivery", "after delivery", "after the answer"};

/* The client is killed, by deletion or with its bank; another one of the same page stays. */
static void client_dies(unsigned step, bool with_bank)
{
    word_t before = pages_used();
    struct stepper *t = stepper_new();
    char *at = kit_map(t->object, PAGES(8), 0, RW);
    cap_t bank = make(OBJ_bank, 60, 0);
    struct prober *victim = prober_new(NULL, bank), *other = prober_new(NULL, 0);
    bool waits = begin_waiting(victim, at), right;

    waits = begin_waiting(other, at + 8) && waits;
    if (step == 2) {
        t->victim_bank = with_bank ? bank : 0;
        t->victim = victim->worker->thread;
        stepper_go(t, step);
        right = t->victim_state == THREAD_READY;
    } else {
        stepper_go(t, step);
        right = state_of(victim) == THREAD_FAULTING;
    }
    right = right && !victim->touched.done;
    if (with_bank) {
        if (step < 2)
            must(q_bank_destroy(bank), "bank.destroy");
        prober_forget(victim);
        forget(bank);
    } else {
        prober_drop(victim);
        drop(bank);
    }
    q_debug_check(kit.debug);
    stepper_go(t, 2);
    ok(waits && right && probe_wait(other) && other->touched.status == ST_OK,
       "deaths: a client dies %s%s, another one of the page gets it", steps[step],
       with_bank ? " with its bank" : "");
    ok(begin_waiting(other, at + PAGE), "deaths: and the pager goes on");
    stepper_go(t, 4);
    probe_wait(other);
    prober_drop(other);
    kit_unmap(at, PAGES(8));
    stepper_kill(t);
    drop(t->object);
    drop(t->bell);
    same(pages_used(), before, "deaths: a client %s: every page is back", steps[step]);
    q_debug_check(kit.debug);
}

/* The pager is killed with two clients at two pages; one of them has its answer at step 2. */
static void pager_dies(unsigned step)
{
    static const char *const when[] = {"before receive", "after receive", "between two answers"};
    word_t before = pages_used();
    struct stepper *t = stepper_new();
    char *at = kit_map(t->object, PAGES(8), 0, RW);
    struct prober *p[2] = {prober_new(NULL, 0), prober_new(NULL, 0)};
    bool waits = begin_waiting(p[0], at);

    waits = begin_waiting(p[1], at + PAGES(3)) && waits;
    stepper_go(t, step);
    stepper_kill(t);
    q_debug_check(kit.debug);
    ok(waits && probe_wait(p[0]) && probe_wait(p[1]) &&
           p[0]->touched.status == (step < 2 ? ST_OWNER_DEAD : ST_OK) &&
           p[1]->touched.status == ST_OWNER_DEAD,
       "deaths: a pager dies %s, who has no answer hears OWNER_DEAD", when[step]);
    s->answer = SCRIPT_ZERO;
    ok(touch(PROBE_LOAD, view + PAGES(20 + step))->status == ST_OK,
       "deaths: a pager dies %s, another one goes on", when[step]);
    prober_drop(p[0]);
    prober_drop(p[1]);
    kit_unmap(at, PAGES(8));
    drop(t->object);
    drop(t->bell);
    ok(pages_used() <= before + 1, "deaths: a pager %s: every page is back", when[step]);
    q_debug_check(kit.debug);
}

int main(void)
{
    kit_begin();
    load((void *)0x10000);
    s = script_new(space_new(kit.bank), 0);
    object = script_object(s, 0, PAGES(NPAGES), 1);
    view = kit_map(object, PAGES(NPAGES), 0, RW);
    script_settle(s);
    test_eight();
    test_wrong();
    test_never();
    for (unsigned step = 0; step < 3; step++) {
        client_dies(step, false);
        client_dies(step, true);
    }
    for (unsigned step = 0; step < 3; step++)
        pager_dies(step);
    return tap_end();
}
