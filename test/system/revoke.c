/* SPDX-License-Identifier: MIT */
/*
 * Claim: revoking a capability takes away exactly what was made from it, wherever that is, and what it
 * was used for ends: mappings, servers, handlers, bindings.  However much there is to take away, others
 * run meanwhile, and what has begun is finished even if whoever began it is gone.
 *
 * It would fail if a sibling or the capability itself went too, if a descendant stayed, or if a revoke
 * or a destruction that was interrupted left something behind.  The model of the tree is a list of
 * parents; the seed is printed.
 */
#include "lib/base/random.h"
#include "test/support/script.h"

#define RW (MAP_READ | MAP_WRITE)

/* ------------------------------------------------------------------------------ against a model */

#define NSPACES 3
#define NSLOTS  64 /* of each */
#define NNODES  (NSPACES * (NSLOTS - 1))
#define STEPS   4000

struct node {
    bool full;
    unsigned parent; /* index, or NNODES: the capability that the test itself holds */
    word_t rights, badge;
};

static struct random dice;
static struct node nodes[NNODES];
static cap_t spaces[NSPACES], root;

static cap_t space_of(unsigned i)
{
    return i == NNODES ? SLOT_CSPACE : spaces[i / (NSLOTS - 1)];
}
static word_t slot_of(unsigned i)
{
    return i == NNODES ? root : 1 + i % (NSLOTS - 1);
}

static unsigned any(bool full)
{
    for (unsigned tries = 0; tries < 1000; tries++) {
        unsigned i = (unsigned)random_below(&dice, NNODES);

        if (nodes[i].full == full)
            return i;
    }
    return NNODES;
}

static bool is_below(unsigned i, unsigned top)
{
    while (i != top && i != NNODES)
        i = nodes[i].parent;
    return i == top;
}

static void model_delete(unsigned at)
{
    for (unsigned i = 0; i < NNODES; i++)
        if (nodes[i].full && nodes[i].parent == at)
            nodes[i].parent = nodes[at].parent;
    nodes[at].full = false;
}

static unsigned model_revoke(unsigned top)
{
    bool dies[NNODES];
    unsigned n = 0;

    for (unsigned i = 0; i < NNODES; i++)
        dies[i] = nodes[i].full && i != top && is_below(i, top);
    for (unsigned i = 0; i < NNODES; i++)
        if (dies[i]) {
            nodes[i].full = false;
            n++;
        }
    return n;
}

static bool same_as_model(void)
{
    bool all = true;

    for (unsigned i = 0; i < NNODES; i++) {
        struct message m = {.words = {slot_of(i)}};
        bool right;

        must((struct result){q_operation(space_of(i), OP_cspace_query, 1, &m), 0}, "query");
        right = m.words[0] == (nodes[i].full ? OBJ_endpoint : 0) &&
                (!nodes[i].full || (m.words[1] == nodes[i].rights && m.words[2] == nodes[i].badge));
        if (!right && all)
            note("slot %lu of space %u is not as the model says", slot_of(i), i / (NSLOTS - 1));
        all = all && right;
    }
    return all;
}

/* A copy of any capability, with or without a badge. */
static void step_copy(void)
{
    unsigned from = random_below(&dice, 8) ? any(true) : NNODES, to = any(false);
    word_t rights = random_below(&dice, RIGHTS_ALL + 1), badge = random_below(&dice, 100);
    bool marked = from == NNODES || nodes[from].badge == 0;

    if (to == NNODES)
        return;
    if (marked)
        must(q_cspace_mint(space_of(to), slot_of(to), space_of(from), slot_of(from), rights, badge),
             "mint");
    else
        must(q_cspace_copy(space_of(to), slot_of(to), space_of(from), slot_of(from), rights),
             "copy");
    nodes[to] = (struct node){
        .full = true,
        .parent = from,
        .rights = rights & (from == NNODES ? RIGHTS_ALL : nodes[from].rights),
        .badge = marked ? badge : nodes[from].badge,
    };
}

static void step_move(void)
{
    unsigned from = any(true), to = any(false);

    if (from == NNODES || to == NNODES)
        return;
    must(q_cspace_move(space_of(to), slot_of(to), space_of(from), slot_of(from)), "move");
    nodes[to] = nodes[from];
    nodes[from].full = false;
    for (unsigned i = 0; i < NNODES; i++)
        if (nodes[i].full && nodes[i].parent == from)
            nodes[i].parent = to;
}

static void test_model(void)
{
    unsigned revoked = 0, most = 0;
    bool all = true;

    note("revoke: SEED=%lu", env_seed());
    dice.state = env_seed();
    for (unsigned i = 0; i < NSPACES; i++)
        spaces[i] = make(OBJ_cspace, 6, 0);
    root = make(OBJ_endpoint, 0, 0);
    for (unsigned step = 0; step < STEPS; step++) {
        word_t what = random_below(&dice, 20);
        unsigned at = any(true);

        if (what < 13) {
            step_copy();
        } else if (what < 15) {
            step_move();
        } else if (at != NNODES && what < 18) {
            must(q_cspace_delete(space_of(at), slot_of(at)), "delete");
            model_delete(at);
        } else if (at != NNODES) {
            unsigned n;

            if (random_below(&dice, 30) == 0)
                at = NNODES; /* all of them */
            must(q_cspace_revoke(space_of(at), slot_of(at)), "revoke");
            n = model_revoke(at);
            revoked += n;
            most = n > most ? n : most;
            all = same_as_model() && all;
        }
        if (step % 64 == 0)
            q_debug_check(kit.debug);
    }
    ok(all && revoked > 300 && most > 20,
       "revoke: %u capabilities, at most %u at once, went, and just those that the model names",
       revoked, most);
    for (unsigned i = 0; i < NSPACES; i++)
        drop(spaces[i]);
    ok(!slot_is_empty(root), "revoke: the capability itself stays");
    drop(root);
}

static void test_errors(void)
{
    cap_t blind = copy_of(SLOT_CSPACE, 0), empty = slot_new();

    REFUSED(q_cspace_revoke(SLOT_CSPACE, 0), ST_BAD_ARG, 0, "cspace.revoke BAD_ARG: slot 0");
    REFUSED(q_cspace_revoke(SLOT_CSPACE, NO_SLOT), ST_BAD_ARG, 0,
            "cspace.revoke BAD_ARG: a slot outside");
    REFUSED(q_cspace_revoke(SLOT_CSPACE, empty), ST_NOT_FOUND, empty,
            "cspace.revoke NOT_FOUND: detail is the empty slot");
    REFUSED(q_cspace_revoke(blind, 1), ST_NO_RIGHT, CSPACE_EDIT,
            "cspace.revoke without right EDIT is refused");
    drop(blind);
    slot_release(empty);
}

/* ------------------------------------------------------------------------------- what it ends */

static void test_mapping(void)
{
    cap_t object = make(OBJ_anon, PAGES(4), 0), middle = copy_of(object, RIGHTS_ALL);
    cap_t handle = copy_of(middle, RIGHTS_ALL);
    char *view = kit_map(handle, PAGES(4), 0, RW);

    view[0] = 7;
    drop(handle);
    ok(load(view) == 7 && is_mapped(view),
       "revoke: a mapping outlives the handle it was made with");
    must(q_cspace_revoke(SLOT_CSPACE, object), "revoke");
    ok(!is_mapped(view) && touch(PROBE_LOAD, view)->status == ST_NO_REGION,
       "revoke: and dies with the revoked ancestor of that handle");
    same(memory_read(object).resident, 1, "revoke: the object keeps its page");
    forget(middle);
    drop(object);
}

static void test_server(void)
{
    struct script *s = script_new(space_new(kit.bank), 0);
    cap_t object = script_object(s, 0, PAGES(4), 1), given;
    char *view = kit_map(object, PAGES(4), 0, MAP_READ);
    struct prober *p = prober_new(NULL, 0);

    s->answer = SCRIPT_ZERO;
    given = copy_of(s->endpoint, ENDPOINT_RECEIVE);
    must(q_served_attach(object, given), "attach");
    ok(load(view) == 0, "revoke: a served object has a page");
    s->answer = SCRIPT_SILENT;
    probe_start(p, PROBE_LOAD, (word_t)view + PAGES(1), 0);
    ok(thread_reaches(p->worker->thread, THREAD_FAULTING), "revoke: a client waits for another");
    must(q_cspace_revoke(SLOT_CSPACE, given), "revoke");
    ok(probe_wait(p) && p->touched.status == ST_OWNER_DEAD,
       "revoke: the server's capability is taken away, who waits hears OWNER_DEAD");
    ok(touch(PROBE_LOAD, view + PAGES(2))->status == ST_OWNER_DEAD && load(view) == 0,
       "revoke: so do later faults, and pages that are there stay");
    must(q_served_attach(object, s->endpoint), "attach");
    s->answer = SCRIPT_ZERO;
    ok(load(view + PAGES(2)) == 0, "revoke: a new server is heard");
    prober_drop(p);
    kit_unmap(view, PAGES(4));
    drop(given);
    drop(object);
    script_drop(s);
}

static void call_once(void *argument)
{
    struct message m = {0};
    struct worker *w = worker_self();

    message_prepare(&m, 1, 0, 0);
    w->result = q_call((cap_t)argument, &m);
}

static void receive_once(void *argument)
{
    struct message m = {0};

    (void)argument;
    worker_self()->result = q_recv(&m, 0);
}

static void stumble(void *argument)
{
    (void)argument;
    __asm__ volatile("unimp");
}

/* The capability by which a thread has its handler: without it an exception stops the thread. */
static void test_handler(void)
{
    cap_t e = make(OBJ_endpoint, 0, 0), given = badged(e, ENDPOINT_SEND, 3);
    struct worker *server = WORKER(receive_once, NULL, .endpoint = e);
    struct worker *w = worker_new(&(struct worker_options){.handler = given});

    ok(thread_reaches(server->thread, THREAD_RECEIVING), "revoke: a handler waits");
    must(q_cspace_revoke(SLOT_CSPACE, given), "revoke"); /* the thread's own, made from it */
    worker_start(w, stumble, NULL);
    ok(thread_reaches(w->thread, THREAD_STOPPED) &&
           thread_read(server->thread).state == THREAD_RECEIVING,
       "revoke: the handler's capability is taken away, and it does not hear the next exception");
    worker_drop(w);
    worker_drop(server);
    drop(given);
    drop(e);
}

/* A thread that uses what was revoked, one that is bound by it, and one that runs on it. */
static void test_threads(void)
{
    cap_t e = make(OBJ_endpoint, 0, 0), given = copy_of(e, RIGHTS_ALL), used;
    struct worker *w = worker_new(&(struct worker_options){.endpoint = given});
    struct worker *caller = worker_new(&(struct worker_options){0});
    struct prober *p = prober_new(NULL, 0);

    used = badged(given, ENDPOINT_SEND, 5);
    worker_start(w, receive_once, NULL);
    ok(thread_reaches(w->thread, THREAD_RECEIVING), "revoke: a thread receives");
    must(q_cspace_revoke(SLOT_CSPACE, e), "revoke");
    ok(worker_wait(w) && w->result == ST_CANCELLED,
       "revoke: the capability it is bound by goes, it hears CANCELLED");
    worker_start(caller, call_once, (void *)used);
    ok(worker_wait(caller) && caller->result == ST_BAD_CAP,
       "revoke: a thread that calls through a revoked capability hears BAD_CAP");
    probe_start(p, PROBE_ILLEGAL, 0, 0);
    ok(probe_wait(p) && p->touched.status == ST_ILLEGAL, "revoke: a handler hears");
    test_handler();
    worker_drop(w);
    worker_drop(caller);
    prober_drop(p);
    forget(given);
    forget(used);
    drop(e);

    w = worker_new(&(struct worker_options){0});
    worker_start(w, receive_once, NULL);
    must(q_cspace_revoke(SLOT_CSPACE, w->sched), "revoke");
    same(must(q_sched_query(w->sched), "query"), must(q_sched_query(w->sched), "query"),
         "revoke: a context that nobody runs on any more can be asked");
    worker_drop(w);
}

/* -------------------------------------------------------------- interrupted, and gone on with */

#define COPIES 10000
#define TICK   100000 /* of the time CSR: 10 ms at 10 MHz */

static word_t now(void)
{
    word_t t;

    __asm__ volatile("rdtime %0" : "=r"(t));
    return t;
}

/* Just before a tick, so that what is begun now is interrupted by it. */
static void before_tick(void)
{
    word_t ticks = counters_read().ticks, begin;

    while (counters_read().ticks == ticks)
        ;
    begin = now();
    while (now() - begin < TICK - 300)
        ;
}

static struct {
    cap_t bank;
    volatile bool over;
    volatile word_t tries, dying, other;
} * watcher;

/* At the priority of the test: its turn comes with the tick. */
static void watch(void *argument)
{
    (void)argument;
    while (!watcher->over) {
        struct result r = q_bank_create(watcher->bank, OBJ_endpoint, 900, 0, 0, 0);

        watcher->tries++;
        if (r.status == ST_DYING)
            watcher->dying++;
        else if (r.status != ST_BAD_CAP && r.status != ST_BAD_ARG)
            watcher->other++;
        sys_yield();
    }
}

/* A bank with 10,000 capabilities to one of its objects is destroyed across a tick. */
static void test_dying(void)
{
    word_t before = bank_read(kit.bank).used, ticks, tried;
    cap_t bank = make(OBJ_bank, 1000, 0), e = make_in(bank, OBJ_endpoint, 0, 0), table;
    struct worker *w = worker_new(&(struct worker_options){0});

    watcher->bank = copy_of(bank, RIGHTS_ALL);
    table = many_copies(COPIES, bank, e, false);
    watcher->over = false;
    before_tick();
    worker_start(w, watch, NULL);
    ticks = counters_read().ticks;
    tried = watcher->tries;
    must(q_bank_destroy(bank), "bank.destroy");
    ok(counters_read().ticks > ticks && watcher->tries > tried,
       "revoke: others run while a bank is destroyed");
    watcher->over = true;
    worker_wait(w);
    ok(watcher->dying > 0, "bank.create DYING: from a bank that is being destroyed");
    ok(watcher->other == 0, "revoke: nothing else came of it");
    worker_drop(w);
    forget(watcher->bank);
    forget(bank);
    forget(e);
    forget(table);
    same(bank_read(kit.bank).used, before, "revoke: every page of it is back");
}

static void revoke_all(void *argument)
{
    worker_self()->result = q_cspace_revoke(SLOT_CSPACE, (cap_t)argument).status;
}

/* A revoke that is interrupted, and whose thread is then destroyed, is finished by another. */
static void test_interrupted(bool chain)
{
    const char *what = chain ? "a chain" : "a bush";
    cap_t bank = make(OBJ_bank, 1000, 0), e = make(OBJ_endpoint, 0, 0), table;
    word_t before = bank_read(kit.bank).used;
    struct worker *w;
    word_t left = 0, ticks;

    table = many_copies(COPIES, bank, e, chain);
    w = worker_new(&(struct worker_options){.bank = bank, .priority = -1});
    worker_start(w, revoke_all, (void *)e);
    before_tick();
    ticks = counters_read().ticks;
    while (counters_read().ticks == ticks) /* it runs in what we leave of the time */
        sys_yield();
    must(q_cspace_revoke(SLOT_CSPACE, e), "revoke");
    for (word_t i = 1; i <= COPIES; i += 37)
        left += must(q_cspace_query(table, i), "query") != 0;
    same(left, 0, "revoke: %u capabilities in %s are gone", COPIES, what);
    must(q_bank_destroy(bank), "bank.destroy");
    worker_forget(w);
    forget(table);
    forget(bank);
    drop(e);
    ok(bank_read(kit.bank).used < before, "revoke: and %s has given its pages back", what);
    q_debug_check(kit.debug);
}

/* Whoever ends its own bank is not there to finish: it is done all the same. */
static void end_own_bank(void *argument)
{
    must(q_bank_destroy((cap_t)argument), "bank.destroy");
}

static void test_own_end(void)
{
    word_t before = bank_read(kit.bank).used, ticks;
    cap_t bank = make(OBJ_bank, 1000, 0), e = make_in(bank, OBJ_endpoint, 0, 0);
    cap_t table = many_copies(COPIES, bank, e, true);
    struct worker *w = worker_new(&(struct worker_options){.bank = bank});

    before_tick();
    worker_start(w, end_own_bank, (void *)bank);
    sys_yield();
    ticks = counters_read().ticks;
    while (bank_read(kit.bank).used != before && counters_read().ticks < ticks + 400)
        ;
    same(bank_read(kit.bank).used, before,
         "revoke: a bank that ends with the thread that ends it gives all back");
    worker_forget(w);
    forget(table);
    forget(e);
    forget(bank);
}

/* Moved and deleted, a capability with 10,000 children takes time as well. */
static void test_many_children(void)
{
    cap_t bank = make(OBJ_bank, 1000, 0), e = make(OBJ_endpoint, 0, 0);
    cap_t table = many_copies(COPIES, bank, e, false), to = slot_new();
    word_t ticks;

    before_tick();
    ticks = counters_read().ticks;
    must(q_cspace_move(SLOT_CSPACE, to, table, 1), "move");
    ok(counters_read().ticks == ticks + 1 && must(q_cspace_query(table, 1), "query") == 0 &&
           must(q_cspace_query(SLOT_CSPACE, to), "query") == OBJ_endpoint,
       "revoke: a capability with %u children is moved across a tick", COPIES - 1);
    must(q_cspace_delete(SLOT_CSPACE, to), "delete");
    slot_release(to);
    same(must(q_cspace_query(table, 2), "query"), OBJ_endpoint,
         "revoke: deleted, it leaves its children");
    must(q_cspace_revoke(SLOT_CSPACE, e), "revoke");
    same(must(q_cspace_query(table, 2), "query"), 0,
         "revoke: which are its parent's now, and go with that");
    must(q_bank_destroy(bank), "bank.destroy");
    forget(table);
    forget(bank);
    drop(e);
}

/* ------------------------------------------------------------------------------ banks in banks */

static void test_nesting(void)
{
    cap_t banks[40];
    word_t before = bank_read(kit.bank).used;
    struct result r = {ST_OK, 0};
    unsigned n = 0;

    banks[0] = make(OBJ_bank, 400, 0);
    while (r.status == ST_OK && n < 38) {
        cap_t slot = slot_new();

        r = q_bank_create(banks[n], OBJ_bank, slot, bank_read(banks[n]).limit - 4, 0, 0);
        if (r.status == ST_OK)
            banks[++n] = slot;
        else
            slot_release(slot);
    }
    ok(r.status == ST_LIMIT && r.value == 32,
       "bank.create LIMIT: banks in banks, detail is how many");
    for (unsigned i = 0; i <= n; i += 2) /* every second capability goes: the banks stay */
        must(q_cspace_delete(SLOT_CSPACE, banks[i]), "delete");
    must(q_bank_destroy(banks[n - n % 2 - 1]), "bank.destroy"); /* from within, then from outside */
    q_debug_check(kit.debug);
    must(q_bank_destroy(banks[1]), "bank.destroy");
    for (unsigned i = 0; i <= n; i++)
        forget(banks[i]);
    same(bank_read(kit.bank).used, before, "revoke: nested banks go in any order");
}

int main(void)
{
    kit_begin();
    watcher = arena_new(sizeof *watcher);
    test_errors();
    test_model();
    test_mapping();
    test_server();
    test_threads();
    test_nesting();
    test_dying();
    test_interrupted(true);
    test_interrupted(false);
    test_own_end();
    test_many_children();
    probe_end();
    return tap_end();
}
