/* SPDX-License-Identifier: MIT */
/*
 * Claim: whatever programs do in whatever order, the kernel's invariants hold and every page comes
 * back.
 *
 * Random operations on memory objects of three banks, mapped in two spaces, touched by four threads,
 * served by a pager that answers in every way and sometimes not at all.  `make test SEED=n` runs
 * another storm; the seed is printed.  It would fail if any order of map, unmap, fault, answer,
 * attach, stop, delete and destroy left a list, a counter or a page wrong.
 */
#include "lib/base/random.h"
#include "test/support/script.h"

#define STEPS    6000
#define NBANKS   3
#define NOBJECTS 5 /* of each bank: two anon, three served */
#define NPAGES   48
#define WINDOW   64 /* pages of each space that things are mapped in */
#define NPROBERS 4
#define RW       (MAP_READ | MAP_WRITE)

static struct random dice;
static struct script *s;
static cap_t banks[NBANKS], objects[NBANKS][NOBJECTS];
static cap_t spaces[2];
static struct prober *probers[NPROBERS];
static char *const window = (char *)0x3100000000; /* one page-table leaf */
static char *const anchor = (char *)0x3100000000 + PAGES(WINDOW + 30);

static word_t below(word_t n)
{
    return random_below(&dice, n);
}

static cap_t any_object(void)
{
    return objects[below(NBANKS)][below(NOBJECTS)];
}
static cap_t any_served(void)
{
    return objects[below(NBANKS)][2 + below(NOBJECTS - 2)];
}

/* ----------------------------------------------------------------------------- making and breaking */

static void make_object(unsigned b, unsigned i)
{
    struct declaration d = script_declaration();

    if (i < 2) {
        objects[b][i] = make_in(banks[b], OBJ_anon, PAGES(NPAGES) - 100 * i, 0);
        return;
    }
    objects[b][i] = make_in(banks[b], OBJ_served, PAGES(NPAGES) - 100 * i, b * 5 + i);
    s->objects[b * 5 + i] = objects[b][i];
    d.records = 6;
    declare(objects[b][i], &d);
    must(q_served_attach(objects[b][i], s->endpoint), "attach");
}

static void make_bank(unsigned b)
{
    banks[b] = make(OBJ_bank, 150, 0);
    for (unsigned i = 0; i < NOBJECTS; i++)
        make_object(b, i);
}

static void break_bank(unsigned b)
{
    must(q_bank_destroy(banks[b]), "bank.destroy");
    for (unsigned i = 0; i < NOBJECTS; i++)
        forget(objects[b][i]);
    forget(banks[b]);
}

/* ------------------------------------------------------------------------------------------ steps */

static void step_map(void)
{
    static const word_t flags[] = {MAP_READ, RW, RW, MAP_READ | MAP_EXEC, MAP_READ | MAP_PRIVATE};

    q_aspace_map(spaces[below(2)], (word_t)window + PAGES(below(WINDOW)), PAGES(1 + below(12)),
                 any_object(), PAGES(below(NPAGES + 2)), flags[below(5)]);
}

static void step_unmap(void)
{
    q_aspace_unmap(spaces[below(2)], (word_t)window + PAGES(below(WINDOW)), PAGES(1 + below(24)));
}

static void step_probe(void)
{
    static const enum probe_op ops[] = {PROBE_LOAD, PROBE_STORE, PROBE_AMO, PROBE_LR_SC,
                                        PROBE_LOAD1};
    struct prober *p = probers[below(NPROBERS)];

    if (thread_read(p->worker->thread).state == THREAD_STOPPED)
        probe_start(p, ops[below(5)], (word_t)window + PAGES(below(WINDOW)) + 8 * below(512) + 4,
                    below(1000));
}

static void step_stop(void)
{
    must(q_thread_stop(probers[below(NPROBERS)]->worker->thread), "thread.stop");
}

static void step_mode(void)
{
    static const status_t errors[] = {ST_IO, ST_INTEGRITY, ST_TIMEOUT, ST_DENIED};

    s->answer = below(5); /* up to SCRIPT_SILENT */
    s->status = errors[below(4)];
    s->source = any_object();
    s->shift = PAGES(below(3));
    s->npages = below(3);
}

static void step_answer(void)
{
    cap_t to = any_served(), from = any_object();
    static const word_t kinds[] = {ANSWER_ZERO, ANSWER_COPY, ANSWER_MOVE, ANSWER_MOVE,
                                   ANSWER_ERROR};
    struct message m = {0};
    unsigned n = 1 + below(3);

    m.words[0] = memory_read(to).epoch;
    for (unsigned i = 0; i < n; i++) {
        word_t kind = kinds[below(5)], count = 1 + below(6);
        message_set_word(&m, 1 + 4 * i,
                         answer_what(kind, kind == ANSWER_ERROR ? ST_IO : 0,
                                     kind == ANSWER_COPY ? count * 1000 : count));
        message_set_word(&m, 2 + 4 * i, PAGES(below(NPAGES)));
        message_set_word(&m, 3 + 4 * i, from);
        message_set_word(&m, 4 + 4 * i, PAGES(below(NPAGES)));
    }
    (void)!q_operation(to, OP_served_answer, 1 + 4 * n, &m);
}

static void step_attach(void)
{
    must(q_served_attach(any_served(), below(3) ? s->endpoint : 0), "served.attach");
}

static void step_object(void)
{
    unsigned b = below(NBANKS), i = below(NOBJECTS);

    drop(objects[b][i]);
    make_object(b, i);
}

static void step_bank(void)
{
    unsigned b = below(NBANKS);

    break_bank(b);
    make_bank(b);
}

static void step_run(void)
{
    for (unsigned i = below(6); i > 0; i--)
        sys_yield();
}

static const struct {
    void (*step)(void);
    unsigned weight;
} steps[] = {
    {step_map, 20},    {step_unmap, 8},  {step_probe, 30}, {step_stop, 3}, {step_mode, 6},
    {step_answer, 12}, {step_attach, 3}, {step_object, 2}, {step_bank, 1}, {step_run, 25},
};
#define NSTEPS (sizeof steps / sizeof *steps)

static void one_step(void)
{
    unsigned sum = 0, i = 0;
    word_t at;

    for (unsigned k = 0; k < NSTEPS; k++)
        sum += steps[k].weight;
    at = below(sum);
    while (at >= steps[i].weight)
        at -= steps[i++].weight;
    steps[i].step();
}

int main(void)
{
    struct counters before_storm, after_storm;
    struct space *c;
    word_t before;

    kit_begin();
    dice.state = env_seed();
    note("storm of %u steps, SEED=%lu", STEPS, env_seed());
    c = space_new(kit.bank);
    spaces[0] = SLOT_ASPACE;
    spaces[1] = c->aspace;
    s = script_new(space_new(kit.bank), 0);
    for (unsigned i = 0; i < NPROBERS; i++)
        probers[i] = prober_new(i % 2 ? c : NULL, 0);
    for (unsigned b = 0; b < NBANKS; b++)
        make_bank(b);
    /* the tables of both windows, as long as something is mapped in them */
    for (unsigned i = 0; i < 2; i++) {
        cap_t page = make(OBJ_anon, PAGE, 0);
        must(q_aspace_map(spaces[i], (word_t)anchor, PAGE, page, 0, MAP_READ), "anchor");
        drop(page);
        probe(probers[i], PROBE_LOAD, anchor, 0);
    }
    for (unsigned b = 0; b < NBANKS; b++)
        break_bank(b);
    before = pages_used();
    for (unsigned b = 0; b < NBANKS; b++)
        make_bank(b);

    before_storm = counters_read();
    for (unsigned i = 0; i < STEPS; i++) {
        one_step();
        if (i % 16 == 0)
            q_debug_check(kit.debug);
    }
    after_storm = counters_read();
    ok(after_storm.faults - before_storm.faults > STEPS / 20,
       "storm: the threads really touched memory");
    note("%lu faults, %u events", after_storm.faults - before_storm.faults, s->nheard);

    for (unsigned b = 0; b < NBANKS; b++)
        break_bank(b);
    for (unsigned i = 0; i < NPROBERS; i++)
        ok(thread_reaches(probers[i]->worker->thread, THREAD_STOPPED),
           "storm: when all memory is gone thread %u waits for none of it", i);
    ok(must(q_debug_check(kit.debug), "check") == CONFIG_DEBUG,
       "storm: the invariants held all the time");
    same(pages_used(), before, "storm: every page is back");
    return tap_end();
}
