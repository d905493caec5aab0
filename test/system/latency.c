/* SPDX-License-Identifier: MIT */
/*
 * Claim: however much a thread has the kernel do for it, a thread of higher priority with a periodic
 * timer runs in time: it is never late by more than 20,000 instructions.
 *
 * Under -icount, by which the tests run, an instruction is a nanosecond.  It would fail if a loop over
 * what a program has made (capabilities, pages, page tables, waiting threads) had no preemption point,
 * or looked for interrupts too seldom.  A debug kernel checks and notes much on the way, and is given
 * three times as long.
 */
#include "test/support/worker.h"

#define BOUND   (CONFIG_DEBUG ? 60000ul : 20000ul) /* ns */
#define PERIOD  100000ul
#define NPAGES  16384ul /* 64 MiB */
#define COPIES  10000
#define RW      (MAP_READ | MAP_WRITE)
#define NTHREAD 60

static struct {
    volatile bool over;
    volatile word_t worst, rounds;
} * watch;

static void keep_time(void *argument)
{
    word_t next = clock_ns() + PERIOD;

    (void)argument;
    while (!watch->over) {
        word_t late;

        clock_sleep_until(next);
        late = clock_ns() - next;
        watch->worst = late > watch->worst ? late : watch->worst;
        watch->rounds++;
        next = (late > PERIOD ? clock_ns() : next) + PERIOD;
    }
}

/* What happens between these two is watched. */
static void begin(void)
{
    watch->worst = watch->rounds = 0;
}
static void in_time(const char *what)
{
    word_t worst = watch->worst, rounds = watch->rounds;

    ok(worst <= BOUND, "latency: while %s, never late by more than %lu instructions", what, BOUND);
    note("%s: %lu at most in %lu rounds", what, worst, rounds);
}

static void test_revoke(bool chain)
{
    cap_t bank = make(OBJ_bank, 1000, 0), e = make(OBJ_endpoint, 0, 0);
    cap_t table = many_copies(COPIES, bank, e, chain);

    begin();
    must(q_cspace_revoke(SLOT_CSPACE, e), "revoke");
    ok(watch->rounds > 2, "latency: a revoke takes several periods");
    in_time(chain ? "a chain of 10,000 capabilities is revoked" : "10,000 copies are revoked");
    must(q_bank_destroy(bank), "bank.destroy");
    forget(table);
    forget(bank);
    drop(e);
}

/* 64 MiB that were all touched, in a bank of their own, mapped here. */
static cap_t full_bank(cap_t *object, char **view)
{
    cap_t bank = make(OBJ_bank, NPAGES + 200, 0);

    *object = make_in(bank, OBJ_anon, PAGES(NPAGES), 0);
    *view = kit_map(*object, PAGES(NPAGES), 0, RW);
    for (word_t i = 0; i < NPAGES; i++)
        (*view)[PAGES(i)] = 1;
    return bank;
}

static void test_bank(void)
{
    word_t before = pages_used();
    cap_t object, bank, table, e;
    char *view;

    bank = full_bank(&object, &view);
    e = make_in(bank, OBJ_endpoint, 0, 0);
    table =
        many_copies(COPIES, kit.bank, e, false); /* and 10,000 capabilities to one of its objects */
    begin();
    must(q_bank_destroy(bank), "bank.destroy");
    ok(watch->rounds > 10, "latency: the end of a bank takes many periods");
    in_time("a bank of 64 MiB is destroyed");
    ok(!is_mapped(view), "latency: what was mapped of it is not any more");
    forget(object);
    forget(bank);
    forget(e);
    drop(table);
    same(pages_used(), before, "latency: every page of it is back");
}

static void test_ranges(void)
{
    cap_t object, bank;
    char *view;

    bank = full_bank(&object, &view);
    begin();
    must(q_aspace_protect(SLOT_ASPACE, (word_t)view, PAGES(NPAGES), MAP_READ), "protect");
    in_time("64 MiB are protected");
    begin();
    must(q_aspace_unmap(SLOT_ASPACE, (word_t)view, PAGES(NPAGES)), "unmap");
    in_time("64 MiB are unmapped");
    begin();
    same(must(q_memory_release(object, 0, PAGES(NPAGES)), "release"), NPAGES,
         "latency: 16,384 pages are given up");
    in_time("64 MiB are given up");
    must(q_bank_destroy(bank), "bank.destroy");
    forget(object);
    forget(bank);
}

static void test_table(void)
{
    cap_t table;

    begin();
    table = make(OBJ_cspace, 16, 0);
    in_time("a table of 65,536 slots is made");
    begin();
    drop(table);
    in_time("it is deleted");
}

static void call_for_ever(void *argument)
{
    struct message m = {0};

    message_prepare(&m, 1, 0, 0);
    worker_self()->result = q_call((cap_t)argument, &m);
}

static void sleep_for_ever(void *argument)
{
    (void)argument;
    for (;;)
        clock_sleep(1000000000);
}

/* Threads that wait for a server that goes. */
static void test_waiters(void)
{
    cap_t e = make(OBJ_endpoint, 0, 0);
    struct worker *server = worker_new(&(struct worker_options){.endpoint = e});
    struct worker *w[NTHREAD];
    bool all = true;

    worker_start(server, sleep_for_ever, NULL);
    for (unsigned i = 0; i < NTHREAD; i++) {
        w[i] = worker_new(&(struct worker_options){0});
        worker_start(w[i], call_for_ever, (void *)e);
    }
    for (unsigned i = 0; i < NTHREAD; i++)
        all = thread_reaches(w[i]->thread, THREAD_SENDING) && all;
    begin();
    worker_drop(server);
    in_time("60 callers lose their server");
    for (unsigned i = 0; i < NTHREAD; i++) {
        all = worker_wait(w[i]) && w[i]->result == ST_CANCELLED && all;
        worker_drop(w[i]);
    }
    ok(all, "latency: and hear CANCELLED");
    drop(e);
}

int main(void)
{
    struct worker *w;

    kit_begin();
    watch = arena_new(sizeof *watch);
    w = worker_new(&(struct worker_options){.priority = 1});
    worker_start(w, keep_time, NULL);
    begin();
    while (watch->rounds < 20)
        ;
    in_time("nothing else happens");
    test_revoke(false);
    test_revoke(true);
    test_bank();
    test_ranges();
    test_table();
    test_waiters();
    watch->over = true;
    worker_wait(w);
    worker_drop(w);
    return tap_end();
}
