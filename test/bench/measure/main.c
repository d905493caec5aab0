/* SPDX-License-Identifier: MIT */
/*
 * measure: instructions retired by the operations that Quire is judged by.
 *
 * docs/performance.md has the method.  Each figure is the median of many rounds; what an empty
 * window costs is subtracted; a round in which the kernel idled or took a tick is thrown out, for
 * then the counter counted time; and what each round did is checked outside the window.  Prints
 * `bench KEY VALUE` lines for test/tools/bench.py.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/random.h"
#include "lib/pager/pager.h"
#include "test/bench/measure/loops.h"
#include "test/support/worker.h"

#define WARM   100
#define ROUNDS 1100

_Static_assert(OP_served_answer == 18 && OP_notification_wait == 2 && OP_notification_signal == 1 &&
                   OP_thread_stop == 3,
               "loops.S has these numbers by hand: enum constants do not reach the assembler");

/* ---------------------------------------------------------------------------------------- rounds */

static word_t figures[ROUNDS + WARM];
static word_t overhead;

static int by_size(const void *a, const void *b)
{
    word_t x = *(const word_t *)a, y = *(const word_t *)b;

    return (x > y) - (x < y);
}

/* One round: returns what the window counted; ends the program if its result is wrong. */
typedef word_t round_fn(void *context, unsigned n);

static void (*prepare)(void); /* before each round; NULL: nothing */

static word_t measure(const char *key, round_fn *round, void *context, unsigned rounds)
{
    unsigned kept = 0, thrown = 0;

    for (unsigned i = 0; i < WARM + rounds; i++) {
        struct counters before, after;
        word_t counted;

        if (prepare)
            prepare();
        before = counters_read();
        counted = round(context, i);
        after = counters_read();
        if (after.ticks != before.ticks || after.idle != before.idle)
            thrown++;
        else if (i >= WARM)
            figures[kept++] = counted;
    }
    if (kept < rounds - rounds / 10)
        bail("%s: %u rounds of %u had to be thrown out", key, thrown, rounds);
    qsort(figures, kept, sizeof figures[0], by_size);
    return figures[kept / 2] - overhead;
}

static word_t report(const char *key, round_fn *round, void *context)
{
    word_t figure = measure(key, round, context, 1000);

    printf("bench %s %lu\n", key, figure);
    console_flush();
    return figure;
}

static void check(bool right, const char *what)
{
    if (!right)
        bail("wrong result: %s", what);
}

static word_t empty_round(void *context, unsigned n)
{
    (void)context, (void)n;
    return window_empty();
}

static word_t loop_round(void *context, unsigned n)
{
    (void)context, (void)n;
    return window_loop_1000();
}

/* --------------------------------------------------------------------------- system calls and IPC */

static word_t null_round(void *context, unsigned n)
{
    word_t w[5] = {0};
    word_t counted = window_call(tag_make(SYS_CALL, OP_any_identify, 0, 0), SLOT_BANK, w);

    (void)context, (void)n;
    check(w[0] == OBJ_bank && tag_label(w[4]) == ST_OK, "identify");
    return counted;
}

struct call {
    cap_t endpoint;
    unsigned nwords;
};

static word_t call_round(void *context, unsigned n)
{
    struct call *c = context;
    word_t w[5] = {n, n + 1, n + 2, n + 3};
    word_t counted = window_call(tag_make(SYS_CALL, 0, c->nwords, 0), c->endpoint, w);

    check(tag_kind(w[4]) == MSG_REPLY && tag_label(w[4]) == ST_OK, "call");
    check(c->nwords == 0 || (w[0] == n && w[3] == n + 3), "the words that came back");
    return counted;
}

static void spin(void *unused)
{
    (void)unused;
    for (;;)
        ;
}

static void measure_ipc(void)
{
    struct call c = {.endpoint = make(OBJ_endpoint, 0, 0)};
    struct space *s = space_new(kit.bank);
    struct worker *server =
        WORKER(serve_echo, NULL, .space = s, .endpoint = c.endpoint, .priority = 1);
    struct worker *busy;

    report("ipc_round_trip_0w", call_round, &c);
    c.nwords = 4;
    report("ipc_round_trip_4w", call_round, &c);
    c.nwords = 0;
    busy = WORKER(spin, NULL, .priority = -1);
    report("ipc_round_trip_0w_busy", call_round, &c);
    worker_drop(busy);
    worker_drop(server);
    space_drop(s);
}

static word_t notify_round(void *context, unsigned n)
{
    struct serve_wait *w = context;

    (void)n;
    w->total = 0;
    window_signal(w->notification, &w->start);
    check(w->total != 0, "the waiter ran");
    return w->total - 1; /* the store of the start */
}

static void measure_notification(void)
{
    struct serve_wait *w = arena_new(sizeof *w);
    struct space *s = space_new(kit.bank);
    struct worker *waiter;

    w->notification = make(OBJ_notification, 0, 0);
    waiter = WORKER(serve_wait, w, .space = s, .priority = 1);
    check(thread_reaches(waiter->thread, THREAD_WAITING), "the waiter waits");
    report("notify_wake", notify_round, w);
    worker_drop(waiter);
    space_drop(s);
}

/* ----------------------------------------------------------------------------------------- faults */

#define NPAGES (WARM + ROUNDS)
#define MARKER 0x6272d1e500000000

/* Loads from pages of an object, one page a round. */
struct loads {
    char *at;             /* the object, mapped here */
    word_t stride;        /* bytes from one round's page to the next one's */
    const word_t *places; /* or NULL; else the offset of each round's page */
    word_t marker;        /* page k of the source begins with marker + k; 0: with 0 */
    cap_t leaves;         /* an object that the page has to be gone from afterwards; 0: none */
};

static word_t load_round(void *context, unsigned n)
{
    const struct loads *l = context;
    word_t offset = l->places ? l->places[n] : n * l->stride;
    word_t number = l->places ? n + 1 : offset / PAGE, value;
    word_t counted = window_load((const volatile word_t *)(l->at + offset), &value);

    check(value == (l->marker ? l->marker + number : 0), "what the page begins with");
    if (l->leaves)
        check(page_read(l->leaves, number * PAGE).state == 0, "the page left its source");
    return counted;
}

/* Stores to pages of a private mapping that have been read, one page a round. */
static word_t copy_round(void *context, unsigned n)
{
    const struct loads *l = context;
    volatile word_t *at = (volatile word_t *)(l->at + n * l->stride);
    word_t number = n * l->stride / PAGE, counted;

    check(at[0] == l->marker + number, "what the page begins with");
    counted = window_store(at + 1, n + 1);
    check(at[0] == l->marker + number && at[1] == n + 1, "what the copy begins with");
    check(page_read(l->leaves, number * PAGE).mappings == 0, "the page is not shown any more");
    return counted;
}

/* An anon object whose page k begins with MARKER + k, all of it resident and mapped nowhere. */
static cap_t filled(word_t npages)
{
    cap_t object = make(OBJ_anon, npages * PAGE, 0);
    char *at = kit_map(object, npages * PAGE, 0, MAP_READ | MAP_WRITE);

    for (word_t k = 0; k < npages; k++)
        *(word_t *)(at + k * PAGE) = MARKER + k;
    kit_unmap(at, npages * PAGE);
    return object;
}

/* A server in another space, and the object that it serves, mapped here. */
struct service {
    struct serve_pages pages;
    cap_t endpoint;
    volatile char *there; /* where the source is mapped in the server's space; NULL: nowhere */
    word_t npages;
    struct space *space;
    struct worker *worker;
    struct loads loads;
    word_t length; /* of the object, bytes */
};

static void serve_mapped(void *service)
{
    struct service *v = service;

    for (word_t k = 0; k < v->npages; k++)
        (void)v->there[k * PAGE];
    serve_pages(&v->pages);
}

static struct service *service_new(word_t object_pages, word_t source_pages, word_t pages_each,
                                   bool mapped)
{
    const struct declaration d = {.flags = DECLARE_MAPPABLE,
                                  .shared = MAP_READ,
                                  .private = MAP_READ,
                                  .wants = 1 << MAPPING_resolve_fault,
                                  .records = 1,
                                  .name = "bench"};
    struct service *v = arena_new(sizeof *v);

    v->length = object_pages * PAGE;
    v->npages = source_pages;
    v->space = space_new(kit.bank);
    v->endpoint = make(OBJ_endpoint, 0, 0);
    v->pages.source = filled(source_pages);
    v->pages.object = make(OBJ_served, v->length, 1);
    v->pages.what = answer_what(ANSWER_MOVE, 0, pages_each);
    must(q_served_declare_all(v->pages.object, &d), "served.declare");
    must(q_served_attach(v->pages.object, v->endpoint), "served.attach");
    if (mapped) {
        v->there = fresh_range(source_pages * PAGE);
        space_map(v->space, (void *)v->there, v->pages.source, source_pages * PAGE, 0, MAP_READ);
    }
    v->loads = (struct loads){.at = kit_map(v->pages.object, v->length, 0, MAP_READ),
                              .stride = pages_each * PAGE,
                              .marker = MARKER,
                              .leaves = v->pages.source};
    return v;
}

static void service_start(struct service *v)
{
    v->worker = WORKER(v->there ? serve_mapped : serve_pages, v->there ? (void *)v : &v->pages,
                       .space = v->space, .endpoint = v->endpoint, .priority = 1);
    check(thread_reaches(v->worker->thread, THREAD_RECEIVING), "the server waits");
}

static void service_end(struct service *v)
{
    kit_unmap(v->loads.at, v->length);
    worker_drop(v->worker);
    space_drop(v->space);
    drop(v->pages.object);
    drop(v->pages.source);
    drop(v->endpoint);
}

/* The first page of each 2 MiB makes nodes: one in 512 rounds, which the median does not see. */
static word_t measure_moves(const char *key, word_t pages_each, bool mapped)
{
    struct service *v = service_new(NPAGES * pages_each, NPAGES * pages_each, pages_each, mapped);
    word_t figure;

    service_start(v);
    figure = measure(key, load_round, &v->loads, 1000);
    if (pages_each == 1)
        printf("bench %s %lu\n", key, figure);
    service_end(v);
    return figure;
}

/* Random pages of 1 GiB: no two faults fall near each other.  Frames come from the source in order;
 * one round before the measured ones touches each 2 MiB, so that all nodes are there. */
static void measure_random(void)
{
    const word_t npages = (1ul << 30) / PAGE, nleaves = npages / 512;
    word_t *places = arena_new((nleaves + NPAGES) * sizeof *places);
    struct service *v = service_new(npages, nleaves + NPAGES + 1, 1, false);
    struct random r = {.state = env_seed()};

    for (word_t k = 0; k < nleaves; k++)
        places[k] = k * 512 * PAGE;
    for (word_t k = 0; k < NPAGES; k++) { /* no page twice: k / 511 and k % 511 are in the number */
        word_t leaf = random_below(&r, nleaves / 4) * 4 + k / 511;
        places[nleaves + k] = (leaf * 512 + 1 + k % 511) * PAGE;
    }
    v->pages.next = PAGE;
    v->loads.places = places;
    service_start(v);
    for (word_t k = 0; k < nleaves; k++)
        load_round(&v->loads, k);
    v->loads.places = places + nleaves;
    v->loads.marker = MARKER + nleaves;
    v->loads.leaves = 0;
    report("fault_move_1_random", load_round, &v->loads);
    service_end(v);
}

/* The same as fault_move_1 with a pager written as lib/pager has it. */
static struct pager_object libpager_object;
static cap_t libpager_source;

static void libpager_fill(struct pager_object *o, const struct pager_access *access,
                          const struct pager_map *map, struct page_answer *answer)
{
    (void)o, (void)access;
    answer_move(answer, libpager_source, map->offset, 1);
}

struct libpager {
    cap_t source, object;
};

/* The object is made by the client, for both have one cspace and the slot allocator is per space. */
static void libpager_main(void *context)
{
    static const struct pager_ops ops = {.resolve_fault = libpager_fill};
    const struct libpager *p = context;

    libpager_source = p->source;
    libpager_object = (struct pager_object){
        .ops = &ops, .size = NPAGES * PAGE, .name = "bench", .cap = p->object};
    need((struct result){pager_declare(&libpager_object), 0}, "pager_declare");
    pager_serve(NULL);
}

static void measure_libpager(void)
{
    struct libpager *p = arena_new(sizeof *p);
    struct space *s = space_new(kit.bank);
    struct loads l = {.stride = PAGE, .marker = MARKER};
    struct worker *w;

    p->source = l.leaves = filled(NPAGES);
    p->object = make(OBJ_served, NPAGES * PAGE, (word_t)&libpager_object);
    must(q_served_attach(p->object, SLOT_ENDPOINT), "served.attach");
    w = WORKER(libpager_main, p, .space = s, .endpoint = SLOT_ENDPOINT, .priority = 1);
    check(thread_reaches(w->thread, THREAD_RECEIVING), "the pager serves");
    l.at = kit_map(p->object, NPAGES * PAGE, 0, MAP_READ);
    report("fault_move_1_libpager", load_round, &l);
    kit_unmap(l.at, NPAGES * PAGE);
    worker_drop(w);
    space_drop(s);
    drop(p->object);
    drop(p->source);
}

/* The hart idles, and cleans frames. */
static void let_idle(void)
{
    clock_sleep(50000);
}

static void measure_faults(void)
{
    word_t one = measure_moves("fault_move_1", 1, false);
    struct loads l = {.stride = PAGE, .marker = MARKER};
    cap_t object = filled(NPAGES);

    measure_moves("fault_move_1_mapped", 1, true);
    printf("bench fault_move_16_per_page %lu\n",
           (measure_moves("fault_move_16", 16, false) - one) / 15);
    measure_libpager();
    measure_random();

    l.at = kit_map(object, NPAGES * PAGE, 0, MAP_READ);
    report("fault_resident", load_round, &l);
    kit_unmap(l.at, NPAGES * PAGE);

    l.leaves = object;
    l.at = kit_map(object, NPAGES * PAGE, 0, MAP_READ | MAP_WRITE | MAP_PRIVATE);
    report("fault_cow", copy_round, &l);
    kit_unmap(l.at, NPAGES * PAGE);
    l.leaves = 0;
    drop(object);

    object = make(OBJ_anon, NPAGES * PAGE, 0);
    l.marker = 0;
    l.at = kit_map(object, NPAGES * PAGE, 0, MAP_READ);
    report("fault_anon_zero", load_round, &l);
    kit_unmap(l.at, NPAGES * PAGE);
    drop(object);

    object = make(OBJ_anon, NPAGES * PAGE, 0);
    l.at = kit_map(object, NPAGES * PAGE, 0, MAP_READ);
    prepare = let_idle;
    report("fault_anon_prezeroed", load_round, &l);
    prepare = NULL;
    kit_unmap(l.at, NPAGES * PAGE);
    drop(object);
}

static word_t exception_round(void *context, unsigned n)
{
    word_t value;

    (void)n;
    return window_load(context, &value); /* nothing is mapped there; the load is passed over */
}

/* Runs in a worker, whose exceptions go to the server. */
static void exception_client(void *nowhere)
{
    report("fault_round_trip_nomap", exception_round, nowhere);
}

static void measure_exception(void)
{
    cap_t endpoint = make(OBJ_endpoint, 0, 0);
    struct space *s = space_new(kit.bank);
    struct worker *server =
        WORKER(serve_exception, NULL, .space = s, .endpoint = endpoint, .priority = 2);
    struct worker *client;

    check(thread_reaches(server->thread, THREAD_RECEIVING), "the handler waits");
    client = WORKER(exception_client, fresh_range(PAGE), .handler = endpoint, .priority = 1);
    check(worker_wait(client), "the client came through");
    worker_drop(client);
    worker_drop(server);
    space_drop(s);
}

/* ------------------------------------------------------------------------------ other operations */

struct map_calls {
    word_t map[7], unmap[7];
};

static word_t map_round(void *context, unsigned n)
{
    struct map_calls *c = context;
    word_t tags[2];
    word_t counted = window_two_calls(c->map, c->unmap, tags);

    (void)n;
    check(tag_label(tags[0]) == ST_OK && tag_label(tags[1]) == ST_OK, "map and unmap");
    return counted - 15; /* loading the registers of two calls */
}

static void measure_map(void)
{
    cap_t object = make(OBJ_anon, PAGE, 0);
    word_t at = (word_t)fresh_range(PAGE);
    struct map_calls c = {
        .map = {tag_make(SYS_CALL, OP_aspace_map, 5, 0), SLOT_ASPACE, at, PAGE, object, 0,
                MAP_READ | MAP_WRITE},
        .unmap = {tag_make(SYS_CALL, OP_aspace_unmap, 2, 0), SLOT_ASPACE, at, PAGE},
    };

    report("map_unmap_1", map_round, &c);
    drop(object);
}

struct newborn {
    volatile word_t first; /* instret at its first instruction */
    cap_t thread;
    cap_t sched;
};

/* Create, configure, start to the first instruction, delete. */
static word_t thread_round(void *context, unsigned n)
{
    struct newborn *b = context;
    word_t begin = window_now(), middle, end;
    bool done;

    (void)n;
    done = q_bank_create(kit.bank, OBJ_thread, b->thread, 0, 0, 0).status == ST_OK &&
           q_thread_configure(b->thread, SLOT_CSPACE, SLOT_ASPACE, 0, b->sched).status == ST_OK &&
           q_thread_start(b->thread, (word_t)first_instruction, 0, (word_t)b, 0).status == ST_OK;
    middle = window_now();
    done = done && q_cspace_delete(SLOT_CSPACE, b->thread).status == ST_OK;
    end = window_now();
    check(done && b->first > begin && b->first < middle, "the thread's life");
    return b->first - begin + end - middle;
}

static void measure_thread(void)
{
    struct newborn *b = arena_new(sizeof *b);

    b->thread = slot_new();
    b->sched = make(OBJ_sched, 11, 0);
    report("thread_create", thread_round, b);
    drop(b->sched);
}

int main(void)
{
    kit_begin();
    overhead = 0;
    overhead = measure("empty", empty_round, NULL, 1000);
    printf("bench window_overhead %lu\n", overhead);
    report("loop_1000", loop_round, NULL);
    report("null_syscall", null_round, NULL);
    measure_ipc();
    measure_notification();
    measure_faults();
    measure_exception();
    measure_map();
    measure_thread();
    console_flush();
    return 0;
}
