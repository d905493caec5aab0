/* SPDX-License-Identifier: MIT */
/*
 * Claim: after aspace.fork the child shows at each address what the parent shows, shared memory is
 * shared, and of what is private neither sees what the other stores, through whole trees of forks; and
 * an object's server that wants to says what the child maps instead.
 *
 * The model is an array for each space of a tree.  It would fail if a region were left out or mapped
 * otherwise, if a store reached another space, if a chain of parents lost a page when one of them ended,
 * or if a fork that is refused half way could not go on.  SEED=... replays.
 */
#include "lib/base/random.h"
#include "test/support/script.h"

#define RW     (MAP_READ | MAP_WRITE)
#define PRW    (RW | MAP_PRIVATE)
#define NPAGES 16
#define DEPTH  21

static struct random rng;
static char *at; /* the private mapping of every space of a tree */

static struct result fork_into(cap_t parent, cap_t child, cap_t slot)
{
    return q_aspace_fork(parent, child, slot);
}
static struct space *forked(const struct space *parent, cap_t bank)
{
    struct space *c = arena_new(sizeof *c);

    c->aspace = make_in(bank, OBJ_aspace, 0, 0);
    must(fork_into(parent->aspace, c->aspace, 0), "aspace.fork");
    return c;
}
static word_t number_at(struct prober *p, const char *v)
{
    const struct touched *t = probe(p, PROBE_LOAD, v, 0);

    return t->status == ST_OK ? t->result : ~0ul - t->status;
}
static status_t store(struct prober *p, char *v, word_t value)
{
    return probe(p, PROBE_STORE, v, value)->status;
}

/* ---------------------------------------------------------------------------------- two programs */

/* Runs in the child, from the same text, with its own copy of the parent's private page. */
static void child_main(void *argument)
{
    word_t *counter = argument;

    for (unsigned i = 0; i < 1000; i++)
        ++*(volatile word_t *)counter;
    worker_self()->result = *counter;
}

/* The test's own program with its data made private, forked; parent and child both run and write. */
static void test_program(void)
{
    struct space *parent = space_new(kit.bank), *child;
    cap_t data = make(OBJ_anon, PAGE, 0);
    word_t *counter = fresh_range(PAGE);
    struct worker *w, *v;

    space_map(parent, counter, data, PAGE, 0, PRW);
    v = WORKER(child_main, counter, .space = parent);
    ok(worker_wait(v) && v->result == 1000, "fork: a program counts to 1,000 in memory of its own");
    worker_drop(v);
    child = forked(parent, kit.bank);
    same(region_count(child->aspace), region_count(parent->aspace),
         "fork: the child has the parent's mappings");
    w = WORKER(child_main, counter, .space = child);
    v = WORKER(child_main, counter, .space = parent);
    ok(worker_wait(w) && worker_wait(v) && w->result == 2000 && v->result == 2000,
       "fork: a thread of the child goes on from there, and so does the parent, side by side");
    q_debug_check(kit.debug);
    worker_drop(v);
    space_drop(parent);
    v = WORKER(child_main, counter, .space = child);
    ok(worker_wait(v) && v->result == 3000, "fork: the parent ends, and the child goes on");
    worker_drop(v);
    worker_drop(w);
    q_debug_check(kit.debug);
    space_drop(child);
    drop(data);
}

/* ---------------------------------------------------------------------------------- kinds of regions */

static void test_regions(void)
{
    struct script *s = script_new(space_new(kit.bank), 0);
    cap_t source = make(OBJ_anon, PAGES(NPAGES), 0), anon = make(OBJ_anon, PAGES(8), 0);
    cap_t o = script_object(s, 0, PAGES(NPAGES), 1),
          client = badged(o, MEMORY_READ | MEMORY_WRITE, 5);
    struct space *parent = space_new(kit.bank), *child;
    struct prober *p = prober_new(parent, 0), *c;
    char *fill = kit_map(source, PAGES(NPAGES), 0, RW), *v = fresh_range(PAGES(200));
    const struct heard *h;

    for (unsigned i = 0; i < NPAGES; i++)
        *(word_t *)(fill + PAGES(i)) = 0x900 + i;
    s->source = source;
    s->answer = SCRIPT_COPY;
    space_map(parent, v, anon, PAGES(8), 0, RW);
    space_map(parent, v + PAGES(10), anon, PAGES(4), PAGES(4), PRW);
    space_map(parent, v + PAGES(20), client, PAGES(8), PAGES(2), PRW);
    space_map(parent, v + PAGES(30), client, PAGES(2), 0, RW);
    space_map(parent, v + PAGES(40), client, PAGES(2), 0, MAP_READ | MAP_PRIVATE);
    space_map(parent, v + PAGES(50), kit.bundle, PAGES(2), 0, PRW);
    store(p, v + PAGES(11), 1), store(p, v + PAGES(21), 2), store(p, v + PAGES(50), 3);
    store(p, v + PAGES(30), 4);
    must(q_aspace_unmap(parent->aspace, (word_t)v + PAGES(23), PAGE), "unmap");
    must(q_aspace_protect(parent->aspace, (word_t)v + PAGES(25), PAGE, MAP_READ), "protect");
    script_clear(s);
    child = forked(parent, kit.bank);
    c = prober_new(child, 0);
    q_debug_check(kit.debug);
    ok(script_count(s, MAPPING_on_mapped) == 6,
       "fork: the server hears of each mapping of the child");
    h = script_nth(s, MAPPING_on_mapped, 0);
    ok(h && h->mapping.vaddr == (word_t)v + PAGES(20) && h->mapping.length == PAGES(3) &&
           h->mapping.offset == PAGES(2) && h->mapping.flags == PRW && h->mapping.badge == 5,
       "fork: with its range, permissions and badge");
    ok(number_at(c, v + PAGES(11)) == 1 && number_at(c, v + PAGES(21)) == 2 &&
           number_at(c, v + PAGES(50)) == 3 && number_at(c, v + PAGES(30)) == 4,
       "fork: the child sees what the parent stored");
    ok(store(p, v, 7) == ST_OK && number_at(c, v) == 7 && store(c, v + 8, 8) == ST_OK &&
           number_at(p, v + 8) == 8,
       "fork: shared memory is shared");
    ok(store(p, v + PAGES(11), 9) == ST_OK && number_at(c, v + PAGES(11)) == 1 &&
           store(c, v + PAGES(21), 6) == ST_OK && number_at(p, v + PAGES(21)) == 2 &&
           store(c, v + PAGES(50) + 8, 5) == ST_OK && number_at(p, v + PAGES(50) + 8) != 5,
       "fork: private memory is not, whatever is below it");
    ok(number_at(c, v + PAGES(22)) == 0x904 && number_at(c, v + PAGES(41)) == 0x901,
       "fork: what nobody stored to is the object's");
    ok(probe(c, PROBE_LOAD, v + PAGES(23), 0)->status == ST_NO_REGION &&
           store(c, v + PAGES(25), 1) == ST_FORBIDDEN,
       "fork: holes and permissions are the parent's");
    q_debug_check(kit.debug);
    prober_drop(p);
    space_drop(parent);
    q_debug_check(kit.debug);
    ok(number_at(c, v + PAGES(11)) == 1 && number_at(c, v + PAGES(21)) == 6 &&
           store(c, v + PAGES(24), 3) == ST_OK && number_at(c, v + PAGES(24)) == 3,
       "fork: the parent ends, the child is as it was");
    prober_drop(c);
    space_drop(child);
    script_settle(s);
    kit_unmap(fill, PAGES(NPAGES));
    drop(client), drop(o), drop(anon), drop(source);
    script_drop(s);
}

/* ------------------------------------------------------------------------------------- refusals */

static void test_refused(void)
{
    cap_t bank = make(OBJ_bank, 40, 0), parent = make(OBJ_aspace, 0, 0), weak,
          full = make(OBJ_anon, 1, 0);
    cap_t child = make_in(bank, OBJ_aspace, 0, 0), anon = make(OBJ_anon, PAGES(8), 0);
    cap_t tiny = make(OBJ_bank, 3, 0), small;
    word_t v = (word_t)fresh_range(PAGES(64));
    struct script *s = script_new(space_new(kit.bank), 0);
    struct declaration d = script_declaration();
    cap_t o = script_object(s, 0, PAGES(4), 1);

    weak = copy_of(child, 0);
    must(q_aspace_map(parent, v, PAGES(4), anon, 0, RW), "map");
    REFUSED(fork_into(parent, weak, 0), ST_BAD_CAP, 0, "aspace.fork BAD_CAP: no right MAP");
    REFUSED(fork_into(parent, anon, 0), ST_BAD_CAP, 0, "aspace.fork BAD_CAP: no address space");
    REFUSED(fork_into(parent, parent, 0), ST_BAD_ARG, 0, "aspace.fork BAD_ARG: into itself");
    REFUSED(fork_into(parent, child, NO_SLOT), ST_BAD_ARG, 1,
            "aspace.fork BAD_ARG: a slot outside the cspace");
    REFUSED(fork_into(parent, child, full), ST_OCCUPIED, full, "aspace.fork OCCUPIED: a full slot");
    must(q_aspace_map(child, v + PAGE, PAGE, anon, 0, RW), "map");
    REFUSED(fork_into(parent, child, 0), ST_OVERLAP, v,
            "aspace.fork OVERLAP: the child has a mapping that ends inside one");
    must(q_aspace_unmap(child, v + PAGE, PAGE), "unmap");

    must(q_aspace_map(parent, v + PAGES(8), PAGES(2), o, 0, RW), "map");
    d.records = 1;
    declare(o, &d);
    (void)!fork_into(parent, child, 0).status;
    REFUSED(fork_into(parent, child, 0), ST_LIMIT, v + PAGES(8),
            "aspace.fork LIMIT: the owner takes no more, detail is the mapping's start");
    same(region_count(child), 1, "aspace.fork: what came before is mapped");
    d.records = 64;
    d.flags |= DECLARE_FORK;
    declare(o, &d);
    REFUSED(fork_into(parent, child, 0), ST_BAD_ARG, v + PAGES(8),
            "aspace.fork BAD_ARG: a slot is needed for what a server may answer");
    must(q_served_attach(o, 0), "detach");
    REFUSED(fork_into(parent, child, slot_new()), ST_OWNER_DEAD, v + PAGES(8),
            "aspace.fork OWNER_DEAD: nobody is there who could be asked");
    must(q_served_attach(o, s->endpoint), "attach");
    d.flags &= ~(word_t)DECLARE_FORK;
    declare(o, &d);
    same(must(fork_into(parent, child, 0), "fork"), 2, "aspace.fork: called again, it goes on");
    same(must(fork_into(parent, child, 0), "fork"), 2, "aspace.fork: and once more does nothing");

    small = make_in(tiny, OBJ_aspace, 0, 0);
    for (unsigned i = 0; i < 40; i++)
        must(q_aspace_map(parent, v + PAGES(16 + i), PAGE, anon, 0, i % 2 ? RW : PRW), "map");
    for (struct result r = {ST_OK, 0}; r.status == ST_OK;)
        r = fork_into(parent, small, 0);
    ok(fork_into(parent, small, 0).status == ST_NO_SPACE && region_count(small) > 2,
       "aspace.fork NO_SPACE: the child's bank is full");
    q_debug_check(kit.debug);
    must(q_bank_destroy(tiny), "bank.destroy");
    forget(small), forget(tiny);
    must(q_bank_destroy(bank), "bank.destroy");
    forget(child), forget(weak), forget(bank);
    drop(parent);
    script_settle(s);
    drop(o), drop(anon), drop(full);
    script_drop(s);
}

/* ------------------------------------------------------------------------------------ fork_clone */

static void test_clone(void)
{
    struct script *s = script_new(space_new(kit.bank), 0), *mortal;
    cap_t o = script_object(s, 0, PAGES(8), 2), clone = script_object(s, 0, PAGES(8), 3), answer;
    cap_t small = script_object(s, 0, PAGE, 4), rich, reader;
    struct declaration d = script_declaration();
    struct space *parent = space_new(kit.bank), *child;
    struct prober *p = prober_new(parent, 0), *c;
    char *v = fresh_range(PAGES(40));
    const struct heard *h;
    word_t regions, start;

    d.flags |= DECLARE_FORK;
    declare(o, &d);
    answer = slot_new();
    reader = copy_of(clone, MEMORY_READ);
    rich = badged(o, MEMORY_READ | MEMORY_WRITE, 11);
    s->answer = SCRIPT_ZERO;
    space_map(parent, v, rich, PAGES(4), PAGES(1), RW);
    space_map(parent, v + PAGES(10), rich, PAGES(4), PAGES(2), PRW);
    store(p, v, 1), store(p, v + PAGES(10), 2), store(p, v + PAGES(11), 3);
    start = (word_t)v;
    script_clear(s);
    s->clone = clone;
    child = arena_new(sizeof *child);
    child->aspace = make(OBJ_aspace, 0, 0);
    ok(fork_into(parent->aspace, child->aspace, answer).status == ST_OK && slot_is_empty(answer),
       "fork_clone served: the server answers, and the slot is empty again");
    h = script_nth(s, MAPPING_fork_clone, 0);
    ok(h && script_count(s, MAPPING_fork_clone) == 2 && h->key == 2 && h->ask.offset == PAGE &&
           h->ask.length == PAGES(4) && h->ask.is_shared == 1 && h->ask.permissions == RW &&
           h->ask.badge == 11,
       "fork_clone served: it was told of each mapping: range, sharing, permissions and badge");
    h = script_nth(s, MAPPING_fork_clone, 1);
    ok(h && h->ask.is_shared == 0 && h->ask.offset == PAGES(2),
       "fork_clone served: the private one too");
    c = prober_new(child, 0);
    ok(number_at(c, v) == 0 && store(c, v + PAGE, 5) == ST_OK && number_at(p, v + PAGE) == 0 &&
           number_at(p, v) == 1,
       "fork_clone served: the child maps the other object");
    ok(number_at(c, v + PAGES(10)) == 2 && number_at(c, v + PAGES(11)) == 3 &&
           store(c, v + PAGES(10), 6) == ST_OK && number_at(p, v + PAGES(10)) == 2,
       "fork_clone served: with what the parent had stored privately");
    ok(memory_read(clone).mappings == 2 && memory_read(o).mappings == 2,
       "fork_clone served: each object has its mappings");
    q_debug_check(kit.debug);
    prober_drop(c);
    space_drop(child);
    ok(memory_read(clone).mappings == 0, "fork_clone served: the child ends");

    s->clone = 0;
    child->aspace = make(OBJ_aspace, 0, 0);
    must(fork_into(parent->aspace, child->aspace, answer), "fork");
    same(memory_read(o).mappings, 4,
         "fork_clone served: without a capability the same object is mapped");
    space_drop(child);

    child->aspace = make(OBJ_aspace, 0, 0);
    s->clone = reader;
    fork_into(parent->aspace, child->aspace, answer); /* the pager's first refusal */
    script_settle(s);
    REFUSED(fork_into(parent->aspace, child->aspace, answer), ST_DENIED, start,
            "aspace.fork DENIED: a clone that may not be written in place of one that may");
    regions = region_count(child->aspace);
    s->clone = small;
    REFUSED(fork_into(parent->aspace, child->aspace, answer), ST_DENIED, start,
            "aspace.fork DENIED: a clone that ends before the mapping begins");
    s->clone = s->endpoint;
    REFUSED(fork_into(parent->aspace, child->aspace, answer), ST_DENIED, start,
            "aspace.fork DENIED: a clone that is no memory object");
    s->clone = 0;
    s->permit = ST_IO;
    REFUSED(fork_into(parent->aspace, child->aspace, answer), ST_DENIED, start,
            "aspace.fork DENIED: the owner refuses");
    ok(slot_is_empty(answer) && region_count(child->aspace) == regions,
       "aspace.fork: what is refused leaves the slot empty");
    s->permit = ST_OK;
    s->asked = SCRIPT_SILENT;
    REFUSED(fork_into(parent->aspace, child->aspace, answer), ST_ABANDONED, 0,
            "aspace.fork ABANDONED: the owner, asked, goes on without a reply");
    s->asked = SCRIPT_ZERO;
    mortal = script_new(NULL, 0);
    mortal->asked = SCRIPT_DIE;
    must(q_served_attach(o, mortal->endpoint), "attach");
    REFUSED(fork_into(parent->aspace, child->aspace, answer), ST_CANCELLED, 0,
            "aspace.fork CANCELLED: the owner, asked, dies");
    worker_drop(mortal->worker);
    drop(mortal->endpoint);
    must(q_served_attach(o, s->endpoint), "attach");
    s->grow = PAGES(9); /* raises the epoch between the question and the reply */
    s->clone = clone;
    script_clear(s);
    must(fork_into(parent->aspace, child->aspace, answer), "fork");
    ok(script_count(s, MAPPING_fork_clone) == 3 && memory_read(clone).mappings == 2 &&
           slot_is_empty(answer),
       "fork_clone served: an answer for an object that has changed since is asked for again");
    q_debug_check(kit.debug);
    prober_drop(p);
    space_drop(child);
    space_drop(parent);
    script_settle(s);
    drop(rich), drop(reader), drop(o), drop(clone), drop(small);
    script_drop(s);
}

/* ------------------------------------------------------------------------------------------ trees */

static struct node {
    struct space *space; /* NULL: none */
    struct prober *prober;
    word_t pages[NPAGES];
} nodes[DEPTH];

static void node_begin(unsigned i, unsigned parent)
{
    if (nodes[i].space) /* a struct that was used before */
        nodes[i].space->aspace = make(OBJ_aspace, 0, 0);
    else
        nodes[i].space = arena_new(sizeof *nodes[i].space),
        nodes[i].space->aspace = make(OBJ_aspace, 0, 0);
    must(fork_into(nodes[parent].space->aspace, nodes[i].space->aspace, 0), "aspace.fork");
    nodes[i].prober = prober_new(nodes[i].space, 0);
    for (unsigned p = 0; p < NPAGES; p++)
        nodes[i].pages[p] = nodes[parent].pages[p];
}
static void node_end(unsigned i)
{
    prober_drop(nodes[i].prober);
    space_drop(nodes[i].space);
    nodes[i].prober = NULL;
}
static bool node_is_right(unsigned i)
{
    for (unsigned p = 0; p < NPAGES; p++)
        if (number_at(nodes[i].prober, at + PAGES(p)) != nodes[i].pages[p]) {
            note("space %u, page %u: %lx, not %lx (SEED=%lu)", i, p,
                 number_at(nodes[i].prober, at + PAGES(p)), nodes[i].pages[p], env_seed());
            return false;
        }
    return true;
}
static void random_stores(unsigned n, unsigned count, unsigned step)
{
    for (unsigned k = 0; k < count; k++) {
        unsigned i = (unsigned)random_below(&rng, n), p = (unsigned)random_below(&rng, NPAGES);

        if (!nodes[i].prober)
            continue;
        nodes[i].pages[p] = step * 1000 + k;
        if (store(nodes[i].prober, at + PAGES(p), step * 1000 + k) != ST_OK)
            bail("a store in space %u", i);
    }
}

/* A chain of forks, each of the last, with stores in all of them; then they end in some order. */
static void test_depth(unsigned depth)
{
    cap_t object = make(OBJ_anon, PAGES(NPAGES), 0);
    struct space *root = space_new(kit.bank);
    word_t used;
    bool right = true;

    space_map(root, at, object, PAGES(NPAGES), 0, PRW);
    nodes[0].space = root;
    nodes[0].prober = prober_new(root, 0);
    for (unsigned p = 0; p < NPAGES; p++)
        nodes[0].pages[p] = 0;
    random_stores(1, 12, 1);
    node_is_right(0); /* tables */
    used = pages_used();
    for (unsigned i = 1; i <= depth; i++) {
        node_begin(i, i - 1);
        random_stores(i + 1, 6, i + 1);
    }
    q_debug_check(kit.debug);
    for (unsigned i = 0; i <= depth; i++)
        right = right && node_is_right(i);
    for (unsigned i = 1; i <= depth; i++) { /* every order: multiples of a prime */
        unsigned k = 1 + (unsigned)((i * 11) % (depth + 1));

        for (k = k > depth ? 1 : k; !nodes[k].prober; k = k % depth + 1)
            ;
        node_end(k);
        if (i % 4 == 0) {
            q_debug_check(kit.debug);
            right = right && node_is_right(0);
        }
    }
    q_debug_check(kit.debug);
    right = right && node_is_right(0);
    ok(right, "fork: %u deep, with random stores, as a model says", depth);
    ok(pages_used() <= used + NPAGES, "fork: %u deep, and the memory is back", depth);
    node_end(0);
    drop(object);
    for (unsigned i = 0; i < DEPTH; i++)
        nodes[i].space = NULL;
}

/* Forks of any, stores to any, ends of any. */
static void test_tree(void)
{
    cap_t object = make(OBJ_anon, PAGES(NPAGES), 0);
    struct space *root = space_new(kit.bank);
    unsigned alive = 1;
    bool right = true;
    word_t used;

    space_map(root, at, object, PAGES(NPAGES), 0, PRW);
    nodes[0].space = root;
    nodes[0].prober = prober_new(root, 0);
    for (unsigned p = 0; p < NPAGES; p++)
        nodes[0].pages[p] = 0;
    used = pages_used();
    for (unsigned step = 0; step < 400 && right; step++) {
        unsigned i = (unsigned)random_below(&rng, DEPTH), k = (unsigned)random_below(&rng, DEPTH);

        if (!nodes[i].prober && nodes[k].prober)
            node_begin(i, k), alive++;
        else if (nodes[i].prober && alive > 1 && random_below(&rng, 3) == 0)
            node_end(i), alive--;
        random_stores(DEPTH, 8, step);
        for (i = 0; i < DEPTH && step % 5 == 0; i++)
            right = right && (!nodes[i].prober || node_is_right(i));
        if (step % 16 == 0)
            q_debug_check(kit.debug);
    }
    ok(right, "fork: 400 random forks and ends, with random stores, are as a model says");
    for (unsigned i = 0; i < DEPTH; i++)
        if (nodes[i].prober)
            node_end(i);
    q_debug_check(kit.debug);
    ok(pages_used() <= used, "fork: and then every page is back");
    drop(object);
}

int main(void)
{
    kit_begin();
    load((void *)0x10000);
    rng.state = env_seed();
    note("SEED=%lu", env_seed());
    at = fresh_range(PAGES(NPAGES));
    test_program();
    test_regions();
    test_refused();
    test_clone();
    for (unsigned depth = 1; depth < DEPTH; depth++)
        test_depth(depth);
    test_tree();
    return tap_end();
}
