/* SPDX-License-Identifier: MIT */
/*
 * Claim: any range of an address space is unmapped or gets other permissions, at once and without a
 * trace of what was there; the object's server hears each range, and nothing it was told goes wrong
 * in silence; one answer may hold extents of every kind.
 *
 * It would fail if a piece showed a wrong page or kept a permission, if a thread that waits were left
 * with a region that is gone, if a server heard of a mapping that it never knew, or if a change that
 * no record can tell were not told as RESYNC.
 */
#include "test/support/script.h"

#define RW       (MAP_READ | MAP_WRITE)
#define RX       (MAP_READ | MAP_EXEC)
#define NPAGES   64
#define RTC_BASE 0x101000 /* of QEMU's virt machine */

static struct script *s;
static cap_t object, deaf; /* deaf: an endpoint where nobody listens */

static struct result map_at(word_t vaddr, word_t length, cap_t o, word_t offset, word_t flags)
{
    return q_aspace_map(SLOT_ASPACE, vaddr, length, o, offset, flags);
}
static struct result unmap_at(const void *vaddr, word_t length)
{
    return q_aspace_unmap(SLOT_ASPACE, (word_t)vaddr, length);
}
static struct result protect_at(const void *vaddr, word_t length, word_t flags)
{
    return q_aspace_protect(SLOT_ASPACE, (word_t)vaddr, length, flags);
}

/* Was the n-th thing heard an event of that kind for that range? */
static bool heard(unsigned n, unsigned what, word_t id, const void *vaddr, word_t length,
                  word_t offset)
{
    const struct heard *h = &s->heard[n];
    bool right = n < s->nheard && h->what == what && h->mapping.mapping == id &&
                 h->mapping.vaddr == (word_t)vaddr && h->mapping.length == length &&
                 h->mapping.offset == offset;

    if (!right && n < s->nheard)
        note("heard %u as number %u: mapping %lu at %#lx, %#lx bytes from %#lx", h->what, n,
             h->mapping.mapping, h->mapping.vaddr, h->mapping.length, h->mapping.offset);
    return right;
}

/* Start, length, offset, flags and id of the region at or after an address. */
static bool region_is(const void *at, const void *start, word_t length, word_t offset, word_t flags,
                      word_t id)
{
    struct message m = {.words = {(word_t)at}};

    return q_operation(SLOT_ASPACE, OP_aspace_query, 1, &m) == ST_OK &&
           m.words[0] == (word_t)start && m.words[1] == length && m.words[2] == offset &&
           m.words[3] == flags && m.words[4] == id;
}

/* A mapping of the object with a number in each page. */
static char *mapped(word_t npages, word_t offset, word_t flags, word_t *id)
{
    char *v = fresh_range(PAGES(npages));

    *id = must(map_at((word_t)v, PAGES(npages), object, offset, flags), "map");
    script_clear(s);
    return v;
}

static word_t number_at(const char *v)
{
    const struct touched *t = touch(PROBE_LOAD, v);

    return t->status == ST_OK ? t->result : ~0ul;
}

/* ------------------------------------------------------------------------------------ unmapping */

static void test_unmap(void)
{
    word_t id;
    char *v = mapped(16, PAGES(8), RW, &id);

    number_at(v), number_at(v + PAGES(15));
    same(must(unmap_at(v, PAGES(2)), "unmap"), PAGES(2), "aspace.unmap: the head of a mapping");
    script_settle(s);
    ok(heard(s->nheard - 1, MAPPING_on_unmapped, id, v, PAGES(2), PAGES(8)) &&
           script_count(s, MAPPING_on_split) == 0,
       "on_unmapped: the head, its range and offset; nothing was split");
    ok(region_is(v, v + PAGES(2), PAGES(14), PAGES(10), RW, id) && number_at(v) == ~0ul &&
           number_at(v + PAGES(2)) == 0x900 + 10,
       "what remains of it begins later, with the same id and the same pages");

    script_clear(s);
    must(unmap_at(v + PAGES(13), PAGES(3)), "unmap");
    script_settle(s);
    ok(s->nheard == 1 && heard(0, MAPPING_on_unmapped, id, v + PAGES(13), PAGES(3), PAGES(21)),
       "on_unmapped: the tail, its range and offset; nothing was split");
    ok(region_is(v, v + PAGES(2), PAGES(11), PAGES(10), RW, id) &&
           touch(PROBE_LOAD, v + PAGES(15))->status == ST_NO_REGION,
       "aspace.unmap: the tail of a mapping is gone at once");

    number_at(v + PAGES(6)), number_at(v + PAGES(9));
    script_clear(s);
    must(unmap_at(v + PAGES(5), PAGES(3)), "unmap");
    script_settle(s);
    ok(s->nheard == 2 && heard(0, MAPPING_on_split, id, v + PAGES(8), PAGES(5), PAGES(16)) &&
           heard(1, MAPPING_on_unmapped, id, v + PAGES(5), PAGES(3), PAGES(13)),
       "on_split: the upper piece of a mapping that lost its middle; on_unmapped: the middle");
    ok(region_is(v, v + PAGES(2), PAGES(3), PAGES(10), RW, id) &&
           region_is(v + PAGES(5), v + PAGES(8), PAGES(5), PAGES(16), RW, id),
       "aspace.unmap: the middle; both pieces keep the mapping id");
    ok(number_at(v + PAGES(6)) == ~0ul && number_at(v + PAGES(9)) == 0x900 + 17 &&
           number_at(v + PAGES(10)) == 0x900 + 18 && number_at(v + PAGES(3)) == 0x900 + 11,
       "each piece shows its own pages, old and new");
    same(memory_read(object).mappings, 2, "the object counts both pieces");

    script_clear(s);
    must(map_at((word_t)v + PAGES(5), PAGES(3), object, 0, MAP_READ), "map");
    same(must(unmap_at(v + PAGES(3), PAGES(7)), "unmap"), PAGES(7),
         "aspace.unmap: a tail, a whole mapping and a head in one range");
    script_settle(s);
    ok(s->nheard == 4 && s->heard[0].what == MAPPING_on_mapped &&
           heard(1, MAPPING_on_unmapped, id, v + PAGES(3), PAGES(2), PAGES(11)) &&
           heard(2, MAPPING_on_unmapped, id + 1, v + PAGES(5), PAGES(3), 0) &&
           heard(3, MAPPING_on_unmapped, id, v + PAGES(8), PAGES(2), PAGES(16)),
       "on_unmapped: once for each, in the order of addresses");
    script_clear(s);
    must(unmap_at(v, PAGES(16)), "unmap");
    script_settle(s);
    ok(s->nheard == 2 && heard(0, MAPPING_on_unmapped, id, v + PAGES(2), PAGES(1), PAGES(10)) &&
           heard(1, MAPPING_on_unmapped, id, v + PAGES(10), PAGES(3), PAGES(18)),
       "on_unmapped: the pieces that were left");
    same(memory_read(object).mappings, 0, "aspace.unmap: nothing of the mapping is left");
}

/* Threads that wait below, inside and above a range that goes. */
static void test_waiters(void)
{
    word_t id;
    char *v = mapped(12, 40 * PAGE, RW, &id);
    struct prober *p[4];
    bool waiting = true;

    s->answer = SCRIPT_SILENT;
    for (unsigned i = 0; i < 4; i++) {
        p[i] = prober_new(NULL, 0);
        probe_start(p[i], PROBE_LOAD, (word_t)v + PAGES(i < 3 ? 4 * i + 1 : 10), 0);
        waiting = thread_reaches(p[i]->worker->thread, THREAD_FAULTING) && waiting;
    }
    ok(waiting, "four threads wait for pages of a mapping");
    must(unmap_at(v + PAGES(4), PAGES(4)), "unmap");
    ok(probe_wait(p[1]) && p[1]->touched.status == ST_NO_REGION,
       "aspace.unmap: who waits in the part that goes faults again and hears NO_REGION");
    ok(thread_read(p[0]->worker->thread).state == THREAD_FAULTING &&
           thread_read(p[2]->worker->thread).state == THREAD_FAULTING,
       "aspace.unmap: who waits in the parts that stay goes on waiting");
    for (unsigned i = 0; i < 3; i += 2)
        must(q_served_answer(object, memory_read(object).epoch, answer_what(ANSWER_COPY, 0, PAGE),
                             PAGES(40 + 4 * i + 1), s->source, PAGES(40 + 4 * i + 1)),
             "answer");
    ok(probe_wait(p[0]) && p[0]->touched.result == 0x900 + 41 && probe_wait(p[2]) &&
           p[2]->touched.result == 0x900 + 49,
       "and is shown the page by the answer, below and above");
    must(unmap_at(v + PAGES(8), PAGES(4)), "unmap");
    ok(probe_wait(p[3]) && p[3]->touched.status == ST_NO_REGION,
       "who waits in the upper piece hears when that piece goes");
    ok(number_at(v + PAGES(9)) == ~0ul && number_at(v + PAGES(1)) == 0x900 + 41,
       "the page of the upper piece goes with that piece");
    for (unsigned i = 0; i < 4; i++)
        prober_drop(p[i]);
    kit_unmap(v, PAGES(4));
    s->answer = SCRIPT_COPY;
}

/* What the server has not heard when it changes. */
static void test_unheard(void)
{
    char *v = fresh_range(PAGES(16));
    word_t id;

    script_settle(s);
    must(q_served_attach(object, deaf), "attach");
    id = must(map_at((word_t)v, PAGES(16), object, 0, RW), "map");
    must(unmap_at(v + PAGES(4), PAGES(4)), "unmap");
    must(unmap_at(v + PAGES(15), PAGES(1)), "unmap");
    must(protect_at(v + PAGES(8), PAGES(2), MAP_READ), "protect");
    script_clear(s);
    must(q_served_attach(object, s->endpoint), "attach");
    script_settle(s);
    ok(s->nheard == 3 && heard(0, MAPPING_on_mapped, id, v, PAGES(4), 0) &&
           heard(1, MAPPING_on_mapped, id, v + PAGES(8), PAGES(2), PAGES(8)) &&
           heard(2, MAPPING_on_mapped, id, v + PAGES(10), PAGES(5), PAGES(10)),
       "a mapping cut before it was heard of is heard as the pieces that are left");
    ok(s->heard[1].mapping.flags == MAP_READ && s->heard[2].mapping.flags == RW,
       "each with the permissions that it has by then");

    /* heard, then cut and changed while the server is deaf */
    must(q_served_attach(object, deaf), "attach");
    must(protect_at(v, PAGES(4), MAP_READ), "protect");
    must(protect_at(v, PAGES(4), 0), "protect");
    must(protect_at(v, PAGES(4), RX), "protect");
    must(unmap_at(v + PAGES(8), PAGES(2)), "unmap");
    must(unmap_at(v + PAGES(12), PAGES(1)), "unmap");
    must(unmap_at(v + PAGES(13), PAGES(2)), "unmap");
    script_clear(s);
    must(q_served_attach(object, s->endpoint), "attach");
    script_settle(s);
    ok(s->nheard == 4 && heard(0, MAPPING_on_protect, id, v, PAGES(4), 0) &&
           s->heard[0].mapping.flags == RX,
       "on_protect: of several changes unheard the last is heard, once");
    ok(heard(1, MAPPING_on_unmapped, id, v + PAGES(8), PAGES(2), PAGES(8)) &&
           heard(2, MAPPING_on_unmapped, id, v + PAGES(12), PAGES(1), PAGES(12)) &&
           heard(3, MAPPING_on_unmapped, id, v + PAGES(13), PAGES(2), PAGES(13)),
       "on_split unheard is overtaken by the piece's end; on_unmapped is heard for each range");
    must(unmap_at(v, PAGES(16)), "unmap");
    script_settle(s);
}

/* ---------------------------------------------------------------------------------- permissions */

static void test_protect(void)
{
    word_t id, faults;
    char *v = mapped(12, 0, RW, &id);

    for (unsigned i = 0; i < 12; i++)
        touch(PROBE_STORE, v + PAGES(i) + 8);
    script_clear(s);
    faults = counters_read().faults;
    same(must(protect_at(v + PAGES(4), PAGES(4), MAP_READ), "protect"), 0,
         "aspace.protect: the middle of a mapping, to read");
    ok(*(volatile word_t *)(v + PAGES(5)) == 0x900 + 5 && counters_read().faults == faults,
       "a page that may still be read is read without a fault");
    ok(page_read(object, PAGES(5)).bits & 4, "what was written before is dirty");
    ok(touch(PROBE_STORE, v + PAGES(4))->status == ST_FORBIDDEN &&
           touch(PROBE_STORE, v + PAGES(7))->status == ST_FORBIDDEN &&
           touch(PROBE_AMO, v + PAGES(5))->status == ST_FORBIDDEN,
       "aspace.protect: a page there is not written any more");
    ok(touch(PROBE_STORE, v + PAGES(3))->status == ST_OK &&
           touch(PROBE_STORE, v + PAGES(8))->status == ST_OK,
       "aspace.protect: the pages beside it are");
    script_settle(s);
    ok(s->nheard == 3 && heard(0, MAPPING_on_split, id, v + PAGES(8), PAGES(4), PAGES(8)) &&
           heard(1, MAPPING_on_split, id, v + PAGES(4), PAGES(4), PAGES(4)) &&
           heard(2, MAPPING_on_protect, id, v + PAGES(4), PAGES(4), PAGES(4)) &&
           s->heard[2].mapping.flags == MAP_READ,
       "on_split: for each cut; on_protect: the range and its permissions");
    ok(region_is(v, v, PAGES(4), 0, RW, id) &&
           region_is(v + PAGES(4), v + PAGES(4), PAGES(4), PAGES(4), MAP_READ, id) &&
           region_is(v + PAGES(8), v + PAGES(8), PAGES(4), PAGES(8), RW, id),
       "aspace.query tells the three pieces");

    script_clear(s);
    must(protect_at(v, PAGES(12), MAP_READ), "protect");
    script_settle(s);
    ok(s->nheard == 2 && heard(0, MAPPING_on_protect, id, v, PAGES(4), 0) &&
           heard(1, MAPPING_on_protect, id, v + PAGES(8), PAGES(4), PAGES(8)),
       "on_protect: only where something changed");
    must(protect_at(v + PAGES(2), PAGES(8), MAP_WRITE), "protect");
    ok(touch(PROBE_STORE, v + PAGES(2))->status == ST_OK &&
           touch(PROBE_LOAD, v + PAGES(9))->status == ST_OK &&
           touch(PROBE_STORE, v + PAGES(9))->status == ST_OK &&
           touch(PROBE_STORE, v + PAGES(10))->status == ST_FORBIDDEN,
       "aspace.protect: more than before, write gives read");
    must(protect_at(v + PAGES(2), PAGES(2), 0), "protect");
    ok(touch(PROBE_LOAD, v + PAGES(3))->status == ST_FORBIDDEN &&
           page_read(object, PAGES(3)).mappings == 0 && page_read(object, PAGES(3)).state == 1,
       "aspace.protect: no access at all; the page stays in its object");
    must(protect_at(v + PAGES(3), PAGE, RW), "protect");
    ok(number_at(v + PAGES(3) + 4088) == 0 && page_read(object, PAGES(3)).mappings == 1,
       "and is back with its access");
    must(unmap_at(v, PAGES(12)), "unmap");
    script_settle(s);
}

/* Code written as data, then executed where it is; and who waits when permissions change. */
static void test_protect_execute(void)
{
    static const uint32_t code[][2] = {{0x02a00513, 0x00008067}, {0x00700513, 0x00008067}};
    cap_t o = make(OBJ_anon, PAGE, 0);
    uint32_t *x = kit_map(o, PAGE, 0, RW);
    struct prober *p = prober_new(NULL, 0), *q = prober_new(NULL, 0);
    word_t id;
    char *v;

    for (unsigned i = 0; i < 2; i++) {
        must(protect_at(x, PAGE, RW), "protect");
        x[0] = code[i][0], x[1] = code[i][1];
        must(protect_at(x, PAGE, RX), "protect");
        same(touch(PROBE_JUMP, x)->result, i ? 7 : 42,
             "aspace.protect: what was written is executed, %s",
             i ? "and written anew" : "at once");
    }
    kit_unmap(x, PAGE);
    drop(o);

    s->answer = SCRIPT_SILENT;
    v = mapped(2, 60 * PAGE, RW, &id);
    probe_start(p, PROBE_STORE, (word_t)v, 1);
    probe_start(q, PROBE_LOAD, (word_t)v, 0);
    thread_reaches(p->worker->thread, THREAD_FAULTING);
    thread_reaches(q->worker->thread, THREAD_FAULTING);
    must(protect_at(v, PAGE, MAP_READ), "protect");
    ok(probe_wait(p) && p->touched.status == ST_FORBIDDEN,
       "aspace.protect: a store that waits for a page hears FORBIDDEN");
    ok(thread_read(q->worker->thread).state == THREAD_FAULTING,
       "aspace.protect: a load that waits for it goes on waiting");
    must(q_served_answer(object, memory_read(object).epoch, answer_what(ANSWER_ZERO, 0, 1),
                         PAGES(60), 0, 0),
         "answer");
    ok(probe_wait(q) && q->touched.status == ST_OK && touch(PROBE_STORE, v)->status == ST_FORBIDDEN,
       "and its page may then be read, not written");
    prober_drop(p);
    prober_drop(q);
    must(unmap_at(v, PAGES(2)), "unmap");
    s->answer = SCRIPT_COPY;
}

static void test_protect_errors(void)
{
    cap_t o = make(OBJ_anon, PAGES(8), 0), reader = copy_of(o, MEMORY_READ);
    struct declaration d = script_declaration();
    char *v = fresh_range(PAGES(16)), *w;
    word_t id;

    must(map_at((word_t)v, PAGES(8), o, 0, RW), "map");
    REFUSED(protect_at(v + 8, PAGE, MAP_READ), ST_BAD_ARG, 0,
            "aspace.protect BAD_ARG: unaligned vaddr, detail is the argument index");
    REFUSED(protect_at(v, 100, MAP_READ), ST_BAD_ARG, 1,
            "aspace.protect BAD_ARG: unaligned length");
    REFUSED(protect_at(v, 0, MAP_READ), ST_BAD_ARG, 1, "aspace.protect BAD_ARG: length 0");
    REFUSED(q_aspace_protect(SLOT_ASPACE, USER_REGION_TOP, PAGE, MAP_READ), ST_BAD_ARG, 0,
            "aspace.protect BAD_ARG: where thread buffers are");
    REFUSED(protect_at(v, PAGE, MAP_PRIVATE), ST_BAD_ARG, 2,
            "aspace.protect BAD_ARG: a flag that is no permission");
    REFUSED(protect_at(v, PAGE, MAP_WRITE | MAP_EXEC), ST_BAD_ARG, 2,
            "aspace.protect BAD_ARG: write with exec");
    REFUSED(protect_at(v, PAGES(9), MAP_READ), ST_NOT_FOUND, (word_t)v + PAGES(8),
            "aspace.protect NOT_FOUND: the last page is not mapped, detail is its address");
    REFUSED(protect_at(v - PAGE, PAGES(3), MAP_READ), ST_NOT_FOUND, (word_t)v - PAGE,
            "aspace.protect NOT_FOUND: the first page is not mapped");
    REFUSED(q_aspace_protect(copy_of(SLOT_ASPACE, 0), (word_t)v, PAGE, MAP_READ), ST_NO_RIGHT,
            ASPACE_MAP, "aspace.protect needs right MAP");
    must(map_at((word_t)v + PAGES(8), PAGES(2), reader, 0, MAP_READ), "map");
    REFUSED(protect_at(v + PAGES(6), PAGES(4), RW), ST_DENIED, MAP_READ,
            "aspace.protect DENIED: the capability grants no write, detail is what may be had");
    ok(touch(PROBE_STORE, v + PAGES(6))->status == ST_OK,
       "aspace.protect that is refused changes no page of the range");
    must(unmap_at(v, PAGES(10)), "unmap");
    must(map_at((word_t)v, PAGES(2), o, 0, MAP_READ | MAP_PRIVATE), "map");
    must(protect_at(v, PAGE, RW), "protect");
    ok(touch(PROBE_STORE, v)->status == ST_OK,
       "aspace.protect: a private mapping gets write, and pages of its own");
    must(protect_at(v, PAGE, RX), "protect");
    ok(region_is(v, v, PAGE, 0, RX | MAP_PRIVATE,
                 must(map_at((word_t)v + PAGES(4), PAGE, o, 0, RW), "map") - 1),
       "aspace.protect: a private mapping stays private");
    must(unmap_at(v, PAGES(16)), "unmap");

    /* what the owner declares counts when it is asked for, and never against what one has */
    w = mapped(4, 0, RW, &id);
    d.shared = MAP_READ;
    declare(object, &d);
    must(protect_at(w, PAGES(2), MAP_READ), "protect");
    REFUSED(protect_at(w, PAGES(2), RW), ST_DENIED, MAP_READ,
            "aspace.protect DENIED: the owner grants no write any more");
    ok(protect_at(w, PAGES(1), 0).status == ST_OK &&
           protect_at(w + PAGES(2), PAGE, RW).status == ST_OK,
       "aspace.protect: less than one has, or the same, is never denied");
    d.shared = DECLARE_REFUSED;
    declare(object, &d);
    REFUSED(protect_at(w + PAGES(2), PAGES(2), RX), ST_DENIED, 0,
            "aspace.protect DENIED: the owner refuses such mappings by now");
    d = script_declaration();
    declare(object, &d);
    must(unmap_at(w, PAGES(4)), "unmap");
    script_settle(s);
    drop(reader);
    drop(o);
}

static void test_space(void)
{
    cap_t small = make(OBJ_bank, 3, 0), a = make_in(small, OBJ_aspace, 0, 0);
    cap_t o = make(OBJ_anon, PAGES(64), 0);
    word_t at = (word_t)fresh_range(PAGES(64)), n = 0;

    while (q_aspace_map(a, at + PAGES(4 * n), PAGES(3), o, 0, RW).status == ST_OK)
        n++;
    REFUSED(q_aspace_unmap(a, at + PAGE, PAGE), ST_NO_SPACE, 0,
            "aspace.unmap NO_SPACE: the middle of a mapping makes a second region, detail is 0");
    REFUSED(q_aspace_protect(a, at, PAGE, MAP_READ), ST_NO_SPACE, 0,
            "aspace.protect NO_SPACE: a part makes a second region, detail is 0");
    same(region_count(a), n, "what is refused for room cuts nothing");
    must(q_aspace_protect(a, at, PAGES(3), MAP_READ), "protect");
    must(q_aspace_unmap(a, at, PAGE), "unmap");
    must(q_aspace_unmap(a, at + PAGES(2), PAGE), "unmap");
    ok(region_count(a) == n, "whole mappings, heads and tails need no room");
    must(q_aspace_unmap(a, at + PAGE, PAGE), "unmap");
    REFUSED(q_aspace_protect(a, at + PAGES(5), PAGE, MAP_READ), ST_NO_SPACE, 0,
            "aspace.protect NO_SPACE: room for one region of the two that a middle needs");
    must(q_aspace_unmap(a, at + PAGES(5), PAGE), "unmap");
    drop(a);
    drop(small);
    drop(o);
}

/* --------------------------------------------------------------------------------------- RESYNC */

/* The mappings of an object as served.mappings lists them; how many. */
static unsigned list(cap_t o, struct mapping_event *pieces, unsigned most)
{
    struct message m = {.words = {0, 0}};
    unsigned n = 0;

    while (n < most && q_operation(o, OP_served_mappings, 2, &m) == ST_OK)
        pieces[n++] = (struct mapping_event){.mapping = m.words[0],
                                             .vaddr = m.words[1],
                                             .length = m.words[2],
                                             .offset = m.words[3],
                                             .flags = m.words[4],
                                             .badge = m.words[5]};
    return n;
}

static void test_mappings(void)
{
    cap_t other = badged(object, MEMORY_READ | MEMORY_WRITE, 77);
    struct mapping_event piece[8];
    struct message m;
    word_t id;
    char *v = mapped(8, PAGES(8), RW, &id);

    must(map_at((word_t)v + PAGES(20), PAGES(2), other, 0, MAP_READ | MAP_PRIVATE), "map");
    must(unmap_at(v + PAGES(2), PAGES(2)), "unmap");
    ok(list(object, piece, 8) == 3 && piece[0].mapping == id && piece[0].vaddr == (word_t)v &&
           piece[0].length == PAGES(2) && piece[0].offset == PAGES(8) && piece[0].flags == RW &&
           piece[1].mapping == id && piece[1].vaddr == (word_t)v + PAGES(4) &&
           piece[1].length == PAGES(4) && piece[1].offset == PAGES(12),
       "served.mappings: the pieces of a mapping, in order");
    ok(piece[2].mapping == id + 1 && piece[2].flags == (MAP_READ | MAP_PRIVATE) &&
           piece[2].badge == 77,
       "served.mappings: the client's badge, and what is private");
    m.words[0] = id + 1;
    m.words[1] = (word_t)v + PAGES(20);
    REFUSED(((struct result){q_operation(object, OP_served_mappings, 2, &m), m.words[0]}),
            ST_NOT_FOUND, 3, "served.mappings NOT_FOUND: after the last, detail is how many");
    REFUSED(q_served_mappings(other, 0, 0), ST_NO_RIGHT, MEMORY_OWN,
            "served.mappings needs right OWN");
    must(unmap_at(v, PAGES(24)), "unmap");
    drop(other);
    script_settle(s);
}

static void test_resync(void)
{
    cap_t o = script_object(s, 0, PAGES(64), 3);
    struct declaration d = script_declaration();
    char *v = fresh_range(PAGES(64));
    struct mapping_event piece[8];
    word_t id;

    /* two records: one for each piece, none for the range between them */
    d.records = 2;
    declare(o, &d);
    id = must(map_at((word_t)v, PAGES(16), o, 0, RW), "map");
    script_clear(s);
    must(unmap_at(v + PAGES(4), PAGES(4)), "unmap");
    script_settle(s);
    ok(s->nheard == 2 && heard(0, MAPPING_on_split, id, v + PAGES(8), PAGES(8), PAGES(8)) &&
           s->heard[1].what == MAPPING_on_resync,
       "RESYNC: a range that goes without a record is heard as on_resync");
    ok(list(o, piece, 8) == 2 && piece[0].length == PAGES(4) && piece[1].length == PAGES(8),
       "RESYNC: the list of mappings tells what is");

    /* a piece without a record: what happens to it is RESYNC each time, one while unheard */
    script_clear(s);
    must(protect_at(v + PAGES(12), PAGES(4), MAP_READ), "protect");
    script_settle(s);
    ok(script_count(s, MAPPING_on_resync) >= 1, "RESYNC: a piece for which there is no record");
    must(q_served_attach(o, deaf), "attach");
    must(protect_at(v + PAGES(12), PAGES(4), 0), "protect");
    must(unmap_at(v + PAGES(13), PAGES(1)), "unmap");
    must(unmap_at(v + PAGES(12), PAGES(4)), "unmap");
    script_clear(s);
    must(q_served_attach(o, s->endpoint), "attach");
    script_settle(s);
    ok(s->nheard == 1 && s->heard[0].what == MAPPING_on_resync && s->heard[0].key == 3,
       "RESYNC: many changes unheard are one event");
    script_clear(s);
    must(unmap_at(v, PAGES(16)), "unmap");
    script_settle(s);
    same(script_count(s, MAPPING_on_unmapped), 2, "pieces with a record are told of singly again");
    drop(o);

    /* the object's bank is empty */
    {
        cap_t bank = make(OBJ_bank, 3, 0);

        o = script_object(s, bank, PAGES(64), 3);
        must(map_at((word_t)v, PAGES(16), o, 0, RW), "map");
        for (unsigned i = 0; q_create(bank, OBJ_served, slot_new(), PAGE, 0).status == ST_OK; i++)
            ;
        for (word_t at = (word_t)v + PAGES(16); map_at(at, PAGE, o, 0, RW).status == ST_OK;
             at += PAGES(2))
            must(q_aspace_unmap(SLOT_ASPACE, at + PAGE, PAGE).status == ST_NOT_FOUND
                     ? (struct result){ST_OK, 0}
                     : (struct result){ST_BAD_STATE, 0},
                 "gap");
        script_clear(s);
        must(unmap_at(v, PAGE), "unmap");
        script_settle(s);
        same(script_count(s, MAPPING_on_resync), 1,
             "RESYNC: unmapping is never refused because the object's bank is empty");
        must(q_bank_destroy(bank), "bank.destroy");
    }
    ok(!is_mapped(v), "a bank that is destroyed takes its object's mappings along");
}

/* ---------------------------------------------------------------------------- answers of all kinds */

/* Three extents and an error in one message, for faults and for pages nobody asked for. */
static void test_vector(void)
{
    cap_t gifts = make(OBJ_anon, PAGES(4), 0);
    word_t *gift = kit_map(gifts, PAGES(4), 0, RW), id, epoch;
    struct prober *p[2];
    struct message m = {0};
    char *v = mapped(8, 24 * PAGE, RW, &id);
    const word_t words[] = {answer_what(ANSWER_MOVE, 0, 2),        PAGES(24), gifts,     PAGES(1),
                            answer_what(ANSWER_COPY, 0, PAGE + 8), PAGES(26), s->source, PAGES(40),
                            answer_what(ANSWER_ZERO, 0, 1),        PAGES(28), 0,         0,
                            answer_what(ANSWER_ERROR, ST_IO, 2),   PAGES(29), 0,         0};

    gift[512] = 0x111;
    gift[1024] = 0x222;
    s->answer = SCRIPT_SILENT;
    for (unsigned i = 0; i < 2; i++) {
        p[i] = prober_new(NULL, 0);
        probe_start(p[i], PROBE_LOAD, (word_t)v + PAGES(1 + 4 * i), 0);
        thread_reaches(p[i]->worker->thread, THREAD_FAULTING);
    }
    epoch = memory_read(object).epoch;
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        message_set_word(&m, 1 + i, words[i]);
    m.words[0] = epoch;
    ok(q_operation(object, OP_served_answer, 17, &m) == ST_OK && m.words[0] == 6,
       "served.answer: move, copy, zero and error in one vector, the count taken is returned");
    ok(probe_wait(p[0]) && p[0]->touched.result == 0x222 && probe_wait(p[1]) &&
           p[1]->touched.status == ST_IO,
       "each who waits hears what its page's extent says");
    s->answer = SCRIPT_ERROR;
    s->status = ST_INTEGRITY;
    ok(number_at(v) == 0x111 && number_at(v + PAGES(2)) == 0x900 + 40 &&
           number_at(v + PAGES(3)) == 0x900 + 41 && number_at(v + PAGES(3) + 8) == 0 &&
           number_at(v + PAGES(4)) == 0,
       "and the pages nobody asked for are there");
    ok(touch(PROBE_LOAD, v + PAGES(6))->status == ST_INTEGRITY,
       "an error for a page that nobody waits for is forgotten");
    ok(gift[512] == 0 && page_read(gifts, PAGES(1)).state == 1 &&
           page_read(gifts, PAGES(2)).state == 0,
       "what was moved has left its object and its mappings");
    s->answer = SCRIPT_COPY;
    for (unsigned i = 0; i < 2; i++)
        prober_drop(p[i]);
    kit_unmap(gift, PAGES(4));
    must(unmap_at(v, PAGES(8)), "unmap");
    script_settle(s);
    drop(gifts);
}

/* The window ends where the piece of the mapping does. */
static void test_window(void)
{
    const struct heard *h;
    word_t id;
    char *v = mapped(8, 50 * PAGE, RW, &id);

    must(protect_at(v + PAGES(3), PAGES(2), MAP_READ), "protect");
    script_clear(s);
    number_at(v + PAGES(1));
    h = script_nth(s, MAPPING_resolve_fault, 0);
    ok(h && h->fault.offset == PAGES(51) && h->fault.window_end == PAGES(53) &&
           h->fault.mapping == id,
       "resolve_fault served: the window of missing pages ends with the piece of the mapping");
    script_clear(s);
    number_at(v + PAGES(6));
    h = script_nth(s, MAPPING_resolve_fault, 0);
    ok(h && h->fault.offset == PAGES(56) && h->fault.window_end == PAGES(58) &&
           h->fault.flags >> FAULT_PERMS_SHIFT == RW && h->fault.mapping == id,
       "resolve_fault served: a fault in the upper piece names the mapping that it was cut from");
    must(unmap_at(v, PAGES(8)), "unmap");
    script_settle(s);
}

/* -------------------------------------------------------------------------- objects that ask */

static bool asked(unsigned n, word_t offset, word_t length, bool is_shared, word_t permissions,
                  word_t badge)
{
    const struct heard *h = script_nth(s, MAPPING_get_mapping_info_with, n);

    return h && h->key == 4 && h->ask.offset == offset && h->ask.length == length &&
           h->ask.is_shared == is_shared && h->ask.permissions == permissions &&
           h->ask.badge == badge;
}

static void test_ask(void)
{
    cap_t o = script_object(s, 0, PAGES(16), 4), client = badged(o, MEMORY_READ | MEMORY_WRITE, 9);
    struct declaration d = script_declaration();
    static const struct {
        status_t reply, heard;
    } refusals[] = {{ST_NOT_MAPPABLE, ST_NOT_MAPPABLE},
                    {ST_NOT_SUPPORTED, ST_NOT_SUPPORTED},
                    {ST_DENIED, ST_DENIED},
                    {ST_IO, ST_DENIED}};
    struct script *mortal;
    word_t at = (word_t)fresh_range(PAGES(16)), epoch;

    d.flags |= DECLARE_ASK;
    d.shared = RW;
    declare(o, &d);
    script_clear(s);
    ok(map_at(at, PAGES(4), client, PAGES(2), MAP_WRITE).status == ST_OK &&
           asked(0, PAGES(2), PAGES(4), true, RW, 9),
       "an object that asks: its server hears offset, length, intent and badge before the mapping");
    ok(script_count(s, MAPPING_get_mapping_info_with) == 1 &&
           s->heard[0].what == MAPPING_get_mapping_info_with &&
           s->heard[1].what == MAPPING_on_mapped && s->nheard == 2,
       "it is asked once, and then hears on_mapped");
    ok(touch(PROBE_STORE, (char *)at + PAGES(1))->status == ST_OK, "what it permitted is mapped");
    must(map_at(at + PAGES(8), PAGE, client, PAGES(2), MAP_READ | MAP_PRIVATE), "map");
    ok(asked(1, PAGES(2), PAGE, false, MAP_READ, 9),
       "each mapping is asked for; a private one says so");
    script_clear(s);
    ok(map_at(at, PAGE, client, 0, RW).status == ST_OVERLAP &&
           map_at(at + PAGES(5), PAGE, client, 0, RX).status == ST_DENIED &&
           map_at(at + PAGES(5), PAGE, client, PAGES(16), RW).status == ST_PAST_END &&
           script_count(s, MAPPING_get_mapping_info_with) == 0,
       "what cannot be mapped anyway is not asked");

    s->permissions = MAP_READ;
    REFUSED(map_at(at + PAGES(5), PAGE, client, 0, RW), ST_DENIED, MAP_READ,
            "aspace.map DENIED: the owner, asked, grants less, detail is what may be had");
    must(map_at(at + PAGES(5), PAGE, client, 0, MAP_READ), "map");
    REFUSED(protect_at((char *)at + PAGES(5), PAGE, RW), ST_DENIED, MAP_READ,
            "aspace.protect DENIED: more than the owner, asked, granted this mapping");
    s->permissions = 0;
    for (unsigned i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        s->permit = refusals[i].reply;
        REFUSED(map_at(at + PAGES(6), PAGE, client, 0, RW), refusals[i].heard, 0,
                "aspace.map %s: the owner, asked, says %s", status_name(refusals[i].heard),
                status_name(refusals[i].reply));
    }
    s->permit = ST_OK;

    s->asked = SCRIPT_SILENT;
    REFUSED(map_at(at + PAGES(6), PAGE, client, 0, RW), ST_ABANDONED, 0,
            "aspace.map ABANDONED: the owner, asked, goes on without a reply");
    s->asked = SCRIPT_ZERO;
    epoch = memory_read(o).epoch;
    mortal = script_new(NULL, 0);
    mortal->objects[4] = o;
    mortal->asked = SCRIPT_DIE;
    must(q_served_attach(o, mortal->endpoint), "attach");
    REFUSED(map_at(at + PAGES(6), PAGE, client, 0, RW), ST_CANCELLED, 0,
            "aspace.map CANCELLED: the owner, asked, dies");
    worker_drop(mortal->worker);
    REFUSED(map_at(at + PAGES(6), PAGE, client, 0, RW), ST_OWNER_DEAD, 0,
            "aspace.map OWNER_DEAD: nobody listens who could be asked");
    must(q_served_attach(o, 0), "detach");
    REFUSED(map_at(at + PAGES(6), PAGE, client, 0, RW), ST_OWNER_DEAD, 0,
            "aspace.map OWNER_DEAD: nobody is attached who could be asked");
    drop(mortal->endpoint);
    must(q_served_attach(o, s->endpoint), "attach");
    same(memory_read(o).epoch, epoch + 3, "each attach raises the epoch");
    script_clear(s);
    must(map_at(at + PAGES(6), PAGE, client, 0, RW), "map");
    ok(asked(0, 0, PAGE, true, RW, 9) && s->heard[0].ask.epoch == epoch + 3,
       "a successor is asked in its turn");
    s->grow = PAGES(17); /* raises the epoch between the question and the reply */
    must(map_at(at + PAGES(7), PAGE, client, PAGES(3), RW), "map");
    ok(script_count(s, MAPPING_get_mapping_info_with) == 3 &&
           asked(1, PAGES(3), PAGE, true, RW, 9) && asked(2, PAGES(3), PAGE, true, RW, 9) &&
           s->heard[2].ask.epoch == epoch + 3 &&
           script_nth(s, MAPPING_get_mapping_info_with, 2)->ask.epoch == epoch + 4,
       "a permit for an object that has changed since is none: its server is asked again");
    must(q_aspace_unmap(SLOT_ASPACE, at, PAGES(16)), "unmap");
    script_settle(s);
    drop(client);
    drop(o);
}

/* ------------------------------------------------------------------------- touched beyond the end */

static void test_extend(void)
{
    cap_t o = script_object(s, 0, 5000, 5), weak = copy_of(o, MEMORY_READ | MEMORY_WRITE);
    cap_t small = make(OBJ_bank, 2, 0), tiny = make_in(small, OBJ_served, PAGE, 0);
    struct declaration d = script_declaration();
    char *v = kit_map(o, PAGES(700), 0, RW);
    struct prober *p = prober_new(NULL, 0);
    const struct heard *h;

    script_clear(s);
    ok(touch(PROBE_LOAD, v + PAGES(2))->status == ST_TRUNCATED &&
           script_count(s, MAPPING_resolve_fault) == 0,
       "beyond the end is TRUNCATED, unasked, where nothing else is declared");
    d.flags |= DECLARE_EXTEND;
    declare(o, &d);
    number_at(v + PAGES(1));
    ok(page_read(o, PAGE).bits & 0x40, "the partial last page is known as such");
    script_clear(s);
    s->answer = SCRIPT_ZERO;
    s->grow = PAGES(6);
    ok(touch(PROBE_STORE, v + PAGES(5))->status == ST_OK && memory_read(o).size == PAGES(6),
       "can_extend_on_fault: a touch beyond the end is answered when the object has grown");
    h = script_nth(s, MAPPING_resolve_fault, 0);
    ok(h && script_count(s, MAPPING_resolve_fault) == 1 && h->fault.offset == PAGES(5) &&
           h->fault.window_end == PAGES(6),
       "its server hears the offset, and a window of that page alone");
    ok(!(page_read(o, PAGE).bits & 0x40) && number_at(v + PAGES(1)) == 0x900 + 1 &&
           number_at(v + 5000 - 5000 % 8 + 8) == 0,
       "what was the last page is whole, and zero past the old end");
    script_clear(s);
    number_at(v + PAGES(2));
    h = script_nth(s, MAPPING_resolve_fault, 0);
    ok(h && h->fault.window_end == PAGES(5), "the pages between are missing ones like any other");

    s->answer = SCRIPT_ERROR;
    s->status = ST_TRUNCATED;
    ok(touch(PROBE_LOAD, v + PAGES(6))->status == ST_TRUNCATED && memory_read(o).size == PAGES(6),
       "can_extend_on_fault: or it is an error, and the object is as long as before");
    s->answer = SCRIPT_ZERO;
    s->grow = PAGES(600) + 1;
    ok(touch(PROBE_STORE, v + PAGES(599))->status == ST_OK &&
           memory_read(o).size == PAGES(600) + 1 && number_at(v + PAGES(1)) == 0x900 + 1 &&
           page_read(o, PAGES(599)).state == 1,
       "an object grows beyond 2 MiB and keeps its pages");
    s->answer = SCRIPT_SILENT;
    probe_start(p, PROBE_LOAD, (word_t)v + PAGES(650), 0);
    ok(thread_reaches(p->worker->thread, THREAD_FAULTING), "a thread waits beyond the end");
    REFUSED(
        q_served_answer(o, memory_read(o).epoch, answer_what(ANSWER_ZERO, 0, 1), PAGES(650), 0, 0),
        ST_PAST_END, 0, "served.answer PAST_END: a page beyond the end, though somebody waits");
    must(q_debug_check(kit.debug), "debug.check");
    must(unmap_at(v + PAGES(640), PAGES(60)), "unmap");
    ok(probe_wait(p) && p->touched.status == ST_NO_REGION, "and is woken when its mapping goes");
    s->answer = SCRIPT_COPY;

    REFUSED(q_served_resize(o, PAGES(600)), ST_BAD_ARG, 0,
            "served.resize BAD_ARG: fewer bytes than before, detail is the argument index");
    REFUSED(q_served_resize(o, (1ul << 62) + 1), ST_BAD_ARG, 0, "served.resize BAD_ARG: over 2^62");
    REFUSED(q_served_resize(weak, PAGES(700)), ST_NO_RIGHT, MEMORY_OWN,
            "served.resize needs right OWN");
    must(q_served_answer(tiny, 0, answer_what(ANSWER_ERROR, ST_IO, 1), 0, 0, 0), "answer");
    REFUSED(q_served_resize(tiny, PAGES(600)), ST_NO_SPACE, 0,
            "served.resize NO_SPACE: the object's bank, detail is the pages left");
    same(memory_read(tiny).size, PAGE, "served.resize NO_SPACE leaves the size");
    kit_unmap(v, PAGES(640));
    script_settle(s);
    prober_drop(p);
    drop(tiny);
    drop(small);
    drop(weak);
    drop(o);
}

/* ---------------------------------------------------------------------------- giving pages up */

static void test_release(void)
{
    cap_t o = make(OBJ_anon, PAGES(8) + 100, 0), reader = copy_of(o, MEMORY_READ);
    cap_t client = copy_of(object, MEMORY_READ | MEMORY_WRITE);
    cap_t clock = make_in(kit.devices, OBJ_phys, RTC_BASE, PAGE);
    word_t *v = kit_map(o, PAGES(8), 0, RW), *w = kit_map(o, PAGES(4), 0, MAP_READ), used, id,
           epoch;
    char *x;

    for (unsigned i = 0; i < 8; i++)
        v[i * 512] = 0x700 + i;
    load(w + 512);
    REFUSED(q_memory_release(o, 8, PAGE), ST_BAD_ARG, 0,
            "memory.release BAD_ARG: unaligned offset, detail is the argument index");
    REFUSED(q_memory_release(o, 0, 100), ST_BAD_ARG, 1, "memory.release BAD_ARG: unaligned length");
    REFUSED(q_memory_release(o, 0, 0), ST_BAD_ARG, 1, "memory.release BAD_ARG: length 0");
    REFUSED(q_memory_release(o, PAGE, -PAGE), ST_BAD_ARG, 1,
            "memory.release BAD_ARG: a range that wraps round");
    REFUSED(q_memory_release(o, PAGES(9), PAGE), ST_PAST_END, PAGES(9),
            "memory.release PAST_END: an offset at the end, detail is the size in whole pages");
    REFUSED(q_memory_release(reader, 0, PAGE), ST_NO_RIGHT, MEMORY_WRITE,
            "memory.release needs right WRITE");
    REFUSED(q_memory_release(client, 0, PAGE), ST_DENIED, MEMORY_OWN,
            "memory.release DENIED: a served object's pages are its owner's, detail is the right");
    REFUSED(q_memory_release(clock, 0, PAGE), ST_NOT_SUPPORTED, 0,
            "memory.release NOT_SUPPORTED: a device's pages are no frames");
    used = bank_read(kit.bank).used;
    same(must(q_memory_release(o, PAGE, PAGES(3)), "release"), 3,
         "memory.release: the pages of a range, the result is how many");
    same(bank_read(kit.bank).used, used - 3, "memory.release: the bank has them back");
    ok(w[512] == 0 && v[512] == 0 && v[0] == 0x700 && v[4 * 512] == 0x704,
       "memory.release: they are zero in every mapping when next touched, the others are kept");
    same(must(q_memory_release(o, 0, PAGES(100)), "release"), 6,
         "memory.release: a range may reach beyond the end; what is missing does not count");
    kit_unmap(v, PAGES(8));
    kit_unmap(w, PAGES(4));

    x = mapped(4, 0, RW, &id);
    must(q_memory_release(object, 0, PAGES(4)), "release");
    epoch = memory_read(object).epoch;
    number_at(x + PAGES(1));
    script_clear(s);
    same(must(q_memory_release(object, 0, PAGES(2)), "release"), 1,
         "memory.release: the owner of a served object drops a page");
    same(memory_read(object).epoch, epoch + 1,
         "memory.release raises the epoch of a served object");
    script_settle(s);
    same(s->nheard, 0, "memory.release tells nobody");
    ok(number_at(x + PAGES(1)) == 0x900 + 1 && script_count(s, MAPPING_resolve_fault) == 1,
       "memory.release: who touches it next makes its pager supply it again");
    must(unmap_at(x, PAGES(4)), "unmap");
    script_settle(s);
    drop(clock);
    drop(client);
    drop(reader);
    drop(o);
}

int main(void)
{
    word_t *pattern;
    cap_t source;

    kit_begin();
    load((void *)0x10000);
    s = script_new(space_new(kit.bank), 0);
    deaf = make(OBJ_endpoint, 0, 0);
    object = script_object(s, 0, PAGES(NPAGES), 1);
    source = make(OBJ_anon, PAGES(NPAGES), 0);
    pattern = kit_map(source, PAGES(NPAGES), 0, RW);
    for (unsigned i = 0; i < NPAGES; i++)
        pattern[i * 512] = 0x900 + i;
    s->source = source;
    s->answer = SCRIPT_COPY;

    test_unmap();
    test_waiters();
    test_unheard();
    test_protect();
    test_protect_execute();
    test_protect_errors();
    test_space();
    test_mappings();
    test_resync();
    test_vector();
    test_window();
    test_release();
    test_ask();
    test_extend();
    must(q_debug_check(kit.debug), "debug.check");
    return tap_end();
}
