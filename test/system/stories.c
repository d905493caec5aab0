/* SPDX-License-Identifier: MIT */
/*
 * Claim: whatever goes away under whoever waits for it, everybody else goes on, is told, and nothing
 * is left behind.
 *
 * Each story ends with a look at the kernel's invariants (debug build) and at the bank that paid for
 * it.  It would fail if a death left a thread on a queue, a ticket without a waiter, a lent context
 * with the wrong thread, or a page with a bank that is gone.
 */
#include "test/support/script.h"

#define RW (MAP_READ | MAP_WRITE)

static struct script *s; /* a pager in its own space, paid by kit.bank */
static cap_t object;     /* its object: 16 pages, key 1 */
static struct prober *p; /* in the test's own space */

/* A probe that waits for a page of `at`. */
static bool begin_waiting(struct prober *who, char *at)
{
    s->answer = SCRIPT_SILENT;
    probe_start(who, PROBE_LOAD, (word_t)at, 0);
    return thread_reaches(who->worker->thread, THREAD_FAULTING);
}

static void check(void)
{
    q_debug_check(kit.debug);
}

/* ------------------------------------------------------------------------ memory that goes away */

static void test_memory_dies(void)
{
    cap_t bank = make(OBJ_bank, 40, 0), o = script_object(s, bank, PAGES(8), 2), copy;
    char *at = kit_map(o, PAGES(8), 0, RW);
    struct bank_state before;

    begin_waiting(p, at);
    must(q_bank_destroy(bank), "bank.destroy");
    ok(probe_wait(p) && p->touched.status == ST_NO_REGION,
       "the object's bank is destroyed under a waiter: it faults again and hears NO_REGION");
    forget(o);
    forget(bank);
    check();

    at = kit_map(object, PAGES(8), 0, RW);
    begin_waiting(p, at + PAGES(3));
    same(page_read(object, PAGES(3)).state, 2, "a page is awaited");
    kit_unmap(at, PAGES(8));
    ok(probe_wait(p) && p->touched.status == ST_NO_REGION,
       "the mapping goes under a waiter: it faults again and hears NO_REGION");
    same(page_read(object, PAGES(3)).state, 0, "and the ticket is cancelled");
    check();

    before = bank_read(kit.bank);
    o = script_object(s, 0, PAGES(8), 2);
    copy = copy_of(o, MEMORY_READ);
    at = kit_map(copy, PAGES(8), 0, MAP_READ);
    drop(o);
    drop(copy);
    begin_waiting(p, at);
    ok(is_mapped(at), "an object without capabilities lives by its mapping");
    kit_unmap(at, PAGES(8));
    ok(probe_wait(p) && p->touched.status == ST_NO_REGION, "and dies with it, under a waiter");
    same(bank_read(kit.bank).used, before.used, "and gives its pages back");
    check();
}

/* Two waiters of one page, in two spaces, through mappings at two addresses; one space dies. */
static void test_space_dies(void)
{
    cap_t bank = make(OBJ_bank, 400, 0);
    struct space *c = space_new(bank);
    struct prober *other = prober_new(c, bank);
    char *at = kit_map(object, PAGES(8), 0, RW), *there = fresh_range(PAGES(8));

    space_map(c, there, object, PAGES(8), 0, RW);
    begin_waiting(other, there + PAGE);
    begin_waiting(p, at + PAGE);
    must(q_bank_destroy(bank), "bank.destroy");
    prober_forget(other);
    forget(c->aspace);
    forget(bank);
    ok(page_read(object, PAGE).state == 2 &&
           thread_read(p->worker->thread).state == THREAD_FAULTING,
       "the first waiter's space dies: the second goes on waiting");
    must(q_served_answer(object, memory_read(object).epoch, answer_what(ANSWER_ZERO, 0, 1), PAGE, 0,
                         0),
         "answer");
    ok(probe_wait(p) && p->touched.status == ST_OK, "and gets the page");
    kit_unmap(at, PAGES(8));
    check();
}

/* --------------------------------------------------------------------------------- pagers that go */

static void test_pager_dies(void)
{
    cap_t bank = make(OBJ_bank, 40, 0);
    struct script *mortal = script_new(NULL, bank), *heir;
    cap_t o = make(OBJ_served, PAGES(8), 3);
    struct declaration d = script_declaration();
    struct prober *second = prober_new(NULL, 0);
    char *at;

    declare(o, &d);
    must(q_served_attach(o, mortal->endpoint), "attach");
    mortal->objects[3] = o;
    mortal->answer = SCRIPT_SILENT;
    at = kit_map(o, PAGES(8), 0, RW);
    probe_start(p, PROBE_LOAD, (word_t)at, 0);
    probe_start(second, PROBE_STORE, (word_t)at + PAGES(5), 1);
    thread_reaches(p->worker->thread, THREAD_FAULTING);
    thread_reaches(second->worker->thread, THREAD_FAULTING);
    must(q_bank_destroy(bank), "bank.destroy");
    worker_forget(mortal->worker);
    forget(mortal->endpoint);
    forget(bank);
    ok(probe_wait(p) && probe_wait(second) && p->touched.status == ST_OWNER_DEAD &&
           second->touched.status == ST_OWNER_DEAD,
       "the pager's bank is destroyed: everybody who waits hears OWNER_DEAD");
    check();

    heir = script_new(NULL, 0);
    heir->objects[3] = o;
    must(q_served_attach(o, heir->endpoint), "attach");
    ok(touch(PROBE_LOAD, at)->status == ST_OK && touch(PROBE_STORE, at + PAGES(5))->status == ST_OK,
       "a successor attaches: the same pages are served again");
    kit_unmap(at, PAGES(8));
    same(script_count(heir, MAPPING_on_unmapped), 1,
         "and it hears the end of a mapping that its predecessor heard of");
    prober_drop(second);
    script_drop(heir);
    drop(o);
    check();
}

/* A pager that stops itself in the middle of a fault, as a crash would. */
static void test_pager_stops(void)
{
    struct script *mortal = script_new(NULL, 0);
    cap_t o = script_object(mortal, 0, PAGES(4), 3);
    char *at = kit_map(o, PAGES(4), 0, RW);

    mortal->answer = SCRIPT_DIE;
    probe_start(p, PROBE_LOAD, (word_t)at, 0);
    thread_reaches(mortal->worker->thread, THREAD_STOPPED);
    let_run();
    same(thread_read(p->worker->thread).state, THREAD_FAULTING,
         "a pager that stopped but exists keeps its clients waiting, and them alone");
    check();
    worker_drop(mortal->worker);
    ok(probe_wait(p) && p->touched.status == ST_OWNER_DEAD, "until it is deleted: OWNER_DEAD");
    kit_unmap(at, PAGES(4));
    drop(mortal->endpoint);
    drop(o);
    check();
}

/* ------------------------------------------------------------------------------- frames that travel */

static void test_chain(void)
{
    cap_t a = script_object(s, 0, PAGES(4), 4), b = script_object(s, 0, PAGES(4), 5);
    cap_t anon = make(OBJ_anon, PAGES(4), 0);
    word_t *v = kit_map(anon, PAGES(4), 0, RW), *in_a[2], *in_b, paddr, faults;

    v[0] = 0x1234;
    paddr = page_read(anon, 0).paddr;
    must(q_served_answer(a, 1, answer_what(ANSWER_MOVE, 0, 1), PAGE, anon, 0), "answer");
    in_a[0] = kit_map(a, PAGES(4), 0, RW);
    in_a[1] = kit_map(a, PAGES(2), PAGE, MAP_READ);
    in_b = kit_map(b, PAGES(4), 0, RW);
    ok(load(in_a[0] + 512) == 0x1234 && load(in_a[1]) == 0x1234 && page_read(a, PAGE).mappings == 2,
       "a moved page is seen through two mappings");
    must(q_served_answer(b, 1, answer_what(ANSWER_MOVE, 0, 1), PAGES(3), a, PAGE), "answer");
    ok(page_read(b, PAGES(3)).paddr == paddr && page_read(a, PAGE).state == 0,
       "and moved on from one served object to another it is the same frame");
    same(load(in_b + 3 * 512), 0x1234, "with what was in it");
    s->answer = SCRIPT_ZERO;
    faults = script_count(s, MAPPING_resolve_fault);
    ok(load(in_a[1]) == 0 && script_count(s, MAPPING_resolve_fault) == faults + 1,
       "it left every mapping of the first: the next access asks the pager");
    REFUSED(q_served_answer(b, 1, answer_what(ANSWER_COPY, 0, PAGE), 0, a, PAGES(2)),
            ST_SOURCE_MISSING, 0,
            "served.answer SOURCE_MISSING: a source that has a pager of its own");
    kit_unmap(in_a[0], PAGES(4));
    kit_unmap(in_a[1], PAGES(2));
    kit_unmap(in_b, PAGES(4));
    kit_unmap(v, PAGES(4));
    drop(a);
    drop(b);
    drop(anon);
    check();
}

/* Two objects of one pager, two clients each: keys and pages do not get mixed up. */
static void test_two_objects(void)
{
    cap_t source = make(OBJ_anon, PAGES(16), 0);
    cap_t o[2] = {script_object(s, 0, PAGES(8), 6), script_object(s, 0, PAGES(8), 7)};
    word_t *v = kit_map(source, PAGES(16), 0, RW);
    char *at[2] = {kit_map(o[0], PAGES(8), 0, RW), kit_map(o[1], PAGES(8), 0, RW)};
    struct prober *q[4];
    bool right = true;
    const struct heard *h;

    for (unsigned i = 0; i < 16; i++)
        v[i * 512] = 0x70 + i;
    script_clear(s);
    s->answer = SCRIPT_COPY;
    s->source = source;
    for (unsigned i = 0; i < 4; i++) {
        q[i] = prober_new(NULL, 0);
        probe_start(q[i], PROBE_LOAD, (word_t)at[i % 2] + PAGES(2 * i), 0);
    }
    for (unsigned i = 0; i < 4; i++)
        right = probe_wait(q[i]) && q[i]->touched.result == 0x70 + 2 * i && right;
    ok(right, "four clients of two objects of one pager each get their page");
    right = true;
    for (unsigned i = 0; (h = script_nth(s, MAPPING_resolve_fault, i)); i++)
        right = right && h->key == 6 + h->fault.offset / PAGES(2) % 2;
    ok(right && script_count(s, MAPPING_resolve_fault) == 4, "each question has its object's key");
    for (unsigned i = 0; i < 4; i++)
        prober_drop(q[i]);
    for (unsigned i = 0; i < 2; i++) {
        kit_unmap(at[i], PAGES(8));
        drop(o[i]);
    }
    kit_unmap(v, PAGES(16));
    drop(source);
    check();
}

/* --------------------------------------------------------------------------------------- handlers */

/* A handler that maps what is missing and lets the instruction be done again. */
struct mapper {
    cap_t object;
    volatile unsigned n;
};

static void map_and_go_on(void *argument)
{
    struct mapper *h = argument;
    struct message m = {0};
    status_t status = q_recv(&m, 0);

    while (status == ST_OK && message_kind(&m) == MSG_EXCEPTION) {
        word_t page = m.words[1] & -PAGE;
        h->n++;
        (void)!q_aspace_map(SLOT_ASPACE, page, PAGE, h->object, 0, RW).status;
        message_prepare(&m, 0, 0, 0);
        status = q_reply_recv(&m);
    }
}

static void load_there(void *argument)
{
    worker_self()->result = *(volatile word_t *)argument;
}

static void test_handler_maps(void)
{
    struct mapper *h = arena_new(sizeof *h);
    cap_t e = make(OBJ_endpoint, 0, 0);
    struct worker *handler, *w;
    word_t *at = fresh_range(PAGE), *v;

    h->object = make(OBJ_anon, PAGE, 0);
    v = kit_map(h->object, PAGE, 0, RW);
    *v = 99;
    handler = WORKER(map_and_go_on, h, .endpoint = e);
    w = worker_new(&(struct worker_options){.handler = e});
    worker_start(w, load_there, at);
    ok(worker_wait(w) && w->result == 99 && h->n == 1,
       "a handler maps what was missing, and the same instruction is done again");
    kit_unmap(at, PAGE);
    worker_drop(handler);
    worker_start(w, load_there, at);
    ok(thread_reaches(w->thread, THREAD_STOPPED) && !w->done,
       "when the handler is gone the thread is stopped, and reported");
    worker_drop(w);
    kit_unmap(v, PAGE);
    drop(h->object);
    drop(e);
    check();
}

static void receive_and_wait(void *argument)
{
    struct message m = {0};

    (void)!q_recv(&m, 0);
    (void)!q_notification_wait(*(cap_t *)argument).status;
    message_prepare(&m, 0, 0, 0);
    worker_self()->result = q_reply_recv(&m); /* to a caller that is gone */
}

static void call_there(void *argument)
{
    struct message m = {0};

    message_prepare(&m, 1, 0, 0);
    worker_self()->result = q_call(*(cap_t *)argument, &m);
}

static void test_caller_dies(void)
{
    cap_t *n = arena_new(sizeof *n), *e = arena_new(sizeof *e);
    struct worker *server, *caller;
    struct message m = {0};

    *n = make(OBJ_notification, 0, 0);
    *e = make(OBJ_endpoint, 0, 0);
    server = WORKER(receive_and_wait, n, .endpoint = *e);
    caller = WORKER(call_there, e, 0);
    ok(thread_reaches(caller->thread, THREAD_CALLING) &&
           thread_reaches(server->thread, THREAD_WAITING),
       "a server waits for something else while it owes a reply");
    worker_drop(caller);
    check();
    must(q_notification_signal(*n, 1), "signal");
    ok(thread_reaches(server->thread, THREAD_RECEIVING),
       "a reply to a caller that is gone is no error");
    message_prepare(&m, 1, 0, 0);
    ok(q_send(*e, &m, SYS_NONBLOCK) == ST_OK && worker_wait(server) && server->result == ST_OK,
       "and the server hears the next message");
    worker_drop(server);
    drop(*n);
    drop(*e);
    check();
}

/* ------------------------------------------------------------------------------- lent contexts */

static void spin(void *argument)
{
    volatile bool *stop = argument;

    while (!*stop)
        ;
}

static void echo(void *argument)
{
    struct message m = {0};
    status_t status = q_recv(&m, 0);

    (void)argument;
    while (status == ST_OK) {
        message_prepare(&m, 0, 0, 0);
        status = q_reply_recv(&m);
    }
}

/* A thread that hogs the hart between client and server: only on the client's context does the
 * server run at all. */
static void test_lending(void)
{
    volatile bool *stop = arena_new(64);
    cap_t *e = arena_new(sizeof *e);
    struct worker *server, *hog, *client;
    word_t own = must(q_sched_query(SLOT_SCHED), "query");
    struct script *low;
    cap_t o;
    char *at;

    *e = make(OBJ_endpoint, 0, 0);
    server = WORKER(echo, NULL, .endpoint = *e);
    client = worker_new(&(struct worker_options){0});
    thread_reaches(server->thread, THREAD_RECEIVING);
    must(q_sched_set_priority(server->sched, own - 3), "set_priority");
    low = script_new(NULL, 0);
    o = script_object(low, 0, PAGES(4), 8);
    at = kit_map(o, PAGES(4), 0, RW);
    script_settle(low);
    must(q_sched_set_priority(low->worker->sched, own - 3), "set_priority");
    hog = WORKER(spin, (void *)stop, .priority = -2);

    worker_start(client, call_there, e);
    ok(worker_wait(client) && client->result == ST_OK,
       "a call lends the caller's priority: a hog between client and server does not matter");
    low->answer = SCRIPT_ZERO;
    probe_start(p, PROBE_LOAD, (word_t)at, 0);
    ok(probe_wait(p) && p->touched.status == ST_OK,
       "a fault lends the client's priority: a hog between client and pager does not matter");
    *stop = true;
    kit_unmap(at, PAGES(4));
    drop(o);
    script_drop(low);
    worker_drop(hog);
    worker_drop(client);
    worker_drop(server);
    drop(*e);
    check();
}

/* ------------------------------------------------------------------- what a thread stands on goes */

static void destroy_bank(void *argument)
{
    q_bank_destroy(*(cap_t *)argument);
    worker_self()->result = 1;
}

static void test_ground_goes(void)
{
    volatile bool *stop = arena_new(64);
    cap_t *bank = arena_new(sizeof *bank), t, sc;
    word_t before = pages_used();
    struct worker *w;
    struct space *c;
    cap_t small = make(OBJ_bank, 600, 0);

    *bank = make(OBJ_bank, 60, 0);
    w = WORKER(destroy_bank, bank, .bank = *bank);
    let_run();
    ok(slot_is_empty(*bank) && slot_is_empty(w->thread) && w->result == 0,
       "a thread destroys its own bank and is never heard of again");
    worker_forget(w);
    forget(*bank);
    check();

    c = space_new(small);
    w = WORKER(spin, (void *)stop, .space = c);
    let_run();
    must(q_bank_destroy(small), "bank.destroy");
    same(thread_read(w->thread).state, THREAD_STOPPED,
         "the address space is destroyed under a running thread: it is stopped");
    REFUSED(q_thread_start(w->thread, 0x10000, 0, 0, 0), ST_BAD_STATE, 0,
            "thread.start BAD_STATE: its address space is gone");
    worker_drop(w);
    forget(c->aspace);
    forget(small);
    check();

    small = make(OBJ_bank, 20, 0);
    sc = make_in(small, OBJ_sched, must(q_sched_query(SLOT_SCHED), "query"), 0);
    t = make(OBJ_thread, 0, 0);
    must(q_thread_configure(t, SLOT_CSPACE, SLOT_ASPACE, 0, sc), "configure");
    must(q_thread_start(t, (word_t)spin & ~1ul, 0, (word_t)stop, 0), "start");
    must(q_bank_destroy(small), "bank.destroy");
    let_run();
    same(thread_read(t).state, THREAD_READY,
         "the context is destroyed under a running thread: it waits for somebody to lend");
    drop(t);
    forget(sc);
    forget(small);
    same(pages_used(), before, "and every page is back");
    check();
}

int main(void)
{
    kit_begin();
    load((void *)0x10000);
    s = script_new(space_new(kit.bank), 0);
    object = script_object(s, 0, PAGES(16), 1);
    p = prober_new(NULL, 0);
    test_memory_dies();
    test_space_dies();
    test_pager_dies();
    test_pager_stops();
    test_chain();
    test_two_objects();
    test_handler_maps();
    test_caller_dies();
    test_lending();
    test_ground_goes();
    return tap_end();
}
