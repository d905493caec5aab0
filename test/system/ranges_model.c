/* SPDX-License-Identifier: MIT */
/*
 * Claim: after any sequence of map, unmap and protect calls an address space is what a list of
 * mappings says, and its objects' server has heard of every on_mapped, on_unmapped, on_split and
 * on_protect just what the list says, range for range; a server that is deaf for a while and takes
 * few records knows in the end what is mapped all the same.
 *
 * The model is a sorted list of pieces.  Any event left out, told twice, or told with a wrong range,
 * offset or id, any cut at a wrong page and any RESYNC forgotten makes it fail.  SEED=... replays.
 */
#include "lib/base/random.h"
#include "test/support/script.h"

#define RW       (MAP_READ | MAP_WRITE)
#define SPAN     48 /* pages of the range that all happens in */
#define OBJECTS  2
#define EXACT    10000 /* calls whose events are compared one by one */
#define DEAF     2000  /* calls with a server that hears only now and then */
#define EXPECTED 256

static struct random rng;
static struct script *s;
static cap_t objects[OBJECTS], deaf;
static word_t base;

struct piece {
    word_t id, start, end; /* pages from `base` */
    word_t first;          /* page of the object */
    word_t flags;
    unsigned object;
};

static struct piece pieces[SPAN];
static unsigned npieces;

struct expected {
    unsigned what;
    struct piece piece;
};
static struct expected expected[EXPECTED];
static unsigned nexpected;

/* --------------------------------------------------------------------------------------- the model */

static void expect(unsigned what, struct piece p, word_t start, word_t end)
{
    p.first += start - p.start;
    p.start = start;
    p.end = end;
    if (nexpected == EXPECTED)
        bail("more events than one call can cause");
    expected[nexpected++] = (struct expected){what, p};
}

/* The place in the list of the piece that ends behind a page; npieces: none. */
static unsigned piece_after(word_t page)
{
    unsigned i = 0;

    while (i < npieces && pieces[i].end <= page)
        i++;
    return i;
}

static void list_insert(unsigned at, struct piece p)
{
    for (unsigned i = npieces++; i > at; i--)
        pieces[i] = pieces[i - 1];
    pieces[at] = p;
}

static void list_remove(unsigned at)
{
    npieces--;
    for (unsigned i = at; i < npieces; i++)
        pieces[i] = pieces[i + 1];
}

static void cut_piece(unsigned i, word_t at)
{
    struct piece upper = pieces[i];

    upper.first += at - upper.start;
    upper.start = at;
    pieces[i].end = at;
    list_insert(i + 1, upper);
}

static void model_unmap(word_t start, word_t end)
{
    unsigned i = piece_after(start);

    if (i < npieces && pieces[i].start < start && pieces[i].end > end) {
        cut_piece(i, end);
        expect(MAPPING_on_split, pieces[i + 1], end, pieces[i + 1].end);
    }
    while ((i = piece_after(start)) < npieces && pieces[i].start < end) {
        struct piece p = pieces[i];
        word_t from = p.start > start ? p.start : start, to = p.end < end ? p.end : end;

        expect(MAPPING_on_unmapped, p, from, to);
        if (from == p.start && to == p.end) {
            list_remove(i);
        } else if (from == p.start) {
            pieces[i].first += to - p.start;
            pieces[i].start = to;
        } else {
            pieces[i].end = from;
        }
    }
}

/* The first page of the range that is not mapped, or its end. */
static word_t first_hole(word_t start, word_t end)
{
    while (start < end) {
        unsigned i = piece_after(start);
        if (i == npieces || pieces[i].start > start)
            return start;
        start = pieces[i].end;
    }
    return end;
}

static void model_protect(word_t start, word_t end, word_t flags)
{
    for (word_t at = start; at < end;) {
        unsigned i = piece_after(at);

        if (pieces[i].flags == flags) {
            at = pieces[i].end;
            continue;
        }
        if (pieces[i].end > end) {
            cut_piece(i, end);
            expect(MAPPING_on_split, pieces[i + 1], end, pieces[i + 1].end);
        }
        if (pieces[i].start < at) {
            cut_piece(i, at);
            i++;
            expect(MAPPING_on_split, pieces[i], at, pieces[i].end);
        }
        pieces[i].flags = flags;
        expect(MAPPING_on_protect, pieces[i], at, pieces[i].end);
        at = pieces[i].end;
    }
}

/* ----------------------------------------------------------------------------------- random calls */

static void complain(unsigned step, const char *what, word_t start, word_t end)
{
    bail("call %u, %s of pages %lu to %lu (SEED=%lu)", step, what, start, end, env_seed());
}

/* may_be_full: the server may take no more mappings.  False: nothing was mapped. */
static bool random_call(unsigned step, bool may_be_full)
{
    static const word_t kinds[] = {MAP_READ, RW, MAP_READ | MAP_EXEC};
    word_t start = random_below(&rng, SPAN), end = start + 1 + random_below(&rng, SPAN / 3);
    word_t flags = kinds[random_below(&rng, 3)], vaddr, length;
    unsigned what = random_below(&rng, 10), i;
    struct result r;

    if (end > SPAN)
        end = SPAN;
    if (what >= 4 && npieces && random_below(&rng, 3)) { /* often a part of what is mapped */
        const struct piece *p = &pieces[random_below(&rng, npieces)];

        start = p->start + random_below(&rng, p->end - p->start);
        end = start + 1 + random_below(&rng, p->end - start);
    }
    i = piece_after(start);
    vaddr = base + PAGES(start);
    length = PAGES(end - start);
    if (what < 4) {
        struct piece p = {.start = start, .end = end, .flags = flags};
        bool overlaps = i < npieces && pieces[i].start < end;

        p.object = random_below(&rng, OBJECTS);
        p.first = random_below(&rng, SPAN);
        r = q_aspace_map(SLOT_ASPACE, vaddr, length, objects[p.object], PAGES(p.first), flags);
        if (!overlaps && may_be_full && r.status == ST_LIMIT)
            return false;
        if (r.status != (overlaps ? ST_OVERLAP : ST_OK))
            complain(step, "map", start, end);
        if (overlaps)
            return false;
        p.id = r.value;
        list_insert(i, p);
        expect(MAPPING_on_mapped, p, start, end);
    } else if (what < 6) {
        bool there = i < npieces && pieces[i].start < end;

        r = q_aspace_unmap(SLOT_ASPACE, vaddr, length);
        if (r.status != (there ? ST_OK : ST_NOT_FOUND))
            complain(step, "unmap", start, end);
        model_unmap(start, end);
    } else {
        word_t hole = first_hole(start, end);

        if (what == 9)
            flags = 0;
        r = q_aspace_protect(SLOT_ASPACE, vaddr, length, flags);
        if (r.status != (hole < end ? ST_NOT_FOUND : ST_OK) ||
            (hole < end && r.value != base + PAGES(hole)))
            complain(step, "protect", start, end);
        if (hole == end)
            model_protect(start, end, flags);
    }
    return true;
}

/* The regions are the pieces. */
static bool regions_match(void)
{
    for (unsigned i = 0; i <= npieces; i++) {
        struct message m = {.words = {i ? base + PAGES(pieces[i - 1].end) : base}};
        const struct piece *p = &pieces[i];
        status_t status = q_operation(SLOT_ASPACE, OP_aspace_query, 1, &m);

        if (i == npieces)
            return status == ST_NOT_FOUND || m.words[0] >= base + PAGES(SPAN);
        if (status != ST_OK || m.words[0] != base + PAGES(p->start) ||
            m.words[1] != PAGES(p->end - p->start) || m.words[2] != PAGES(p->first) ||
            m.words[3] != p->flags || m.words[4] != p->id)
            return false;
    }
    return true;
}

static bool event_matches(const struct heard *h, const struct expected *e)
{
    const struct mapping_event *m = &h->mapping;
    const struct piece *p = &e->piece;

    if (h->what != e->what || h->key != p->object || m->mapping != p->id ||
        m->vaddr != base + PAGES(p->start) || m->length != PAGES(p->end - p->start) ||
        m->offset != PAGES(p->first))
        return false;
    return (h->what != MAPPING_on_mapped && h->what != MAPPING_on_protect) || m->flags == p->flags;
}

/* What was heard is what was expected, for each object in order. */
static bool events_match(void)
{
    if (s->nheard != nexpected)
        return false;
    for (unsigned o = 0; o < OBJECTS; o++)
        for (unsigned i = 0, k = 0; i < nexpected; i++) {
            if (expected[i].piece.object != o)
                continue;
            while (k < s->nheard && s->heard[k].key != o)
                k++;
            if (k == s->nheard || !event_matches(&s->heard[k++], &expected[i]))
                return false;
        }
    return true;
}

static void show_difference(unsigned step)
{
    note("call %u, SEED=%lu: %u events heard, %u expected", step, env_seed(), s->nheard, nexpected);
    for (unsigned i = 0; i < s->nheard; i++)
        note("heard %u of object %lu: mapping %lu, page %lu, %lu pages", s->heard[i].what,
             s->heard[i].key, s->heard[i].mapping.mapping,
             (s->heard[i].mapping.vaddr - base) / PAGE, s->heard[i].mapping.length / PAGE);
    for (unsigned i = 0; i < nexpected; i++)
        note("expected %u of object %u: mapping %lu, page %lu, %lu pages", expected[i].what,
             expected[i].piece.object, expected[i].piece.id, expected[i].piece.start,
             expected[i].piece.end - expected[i].piece.start);
}

static void test_exact(void)
{
    word_t counts[16] = {0};
    bool regions = true;
    unsigned step;

    for (step = 0; step < EXACT; step++) {
        nexpected = 0;
        script_clear(s);
        random_call(step, false);
        script_settle(s);
        if (!events_match()) {
            show_difference(step);
            break;
        }
        for (unsigned i = 0; i < nexpected; i++)
            counts[expected[i].what]++;
        regions = regions && (step % 10 || regions_match());
        if (step % 100 == 0)
            must(q_debug_check(kit.debug), "debug.check");
    }
    same(step, EXACT,
         "10,000 random map, unmap and protect calls: each event heard is the model's");
    ok(regions, "and the regions are the model's");
    ok(counts[MAPPING_on_unmapped] > 500 && counts[MAPPING_on_split] > 500 &&
           counts[MAPPING_on_protect] > 500,
       "among them %lu on_unmapped, %lu on_split and %lu on_protect", counts[MAPPING_on_unmapped],
       counts[MAPPING_on_split], counts[MAPPING_on_protect]);
}

/* ------------------------------------------------------------------------------- a deaf server */

/* What the server of each object knows: id and flags of each page, id 0 = not mapped. */
static struct {
    word_t id, flags;
} known[OBJECTS][SPAN];

static void know(unsigned o, const struct mapping_event *m, word_t id, word_t flags)
{
    for (word_t at = m->vaddr; at < m->vaddr + m->length; at += PAGE) {
        word_t page = (at - base) / PAGE;

        /* what is gone may be told after a list in which something else is there already */
        if (id == 0 && known[o][page].id != m->mapping)
            continue;
        known[o][page].id = id;
        known[o][page].flags = flags;
    }
}

static void relist(unsigned o)
{
    struct message m = {.words = {0, 0}};

    for (unsigned i = 0; i < SPAN; i++)
        known[o][i].id = 0;
    while (q_operation(objects[o], OP_served_mappings, 2, &m) == ST_OK)
        know(o,
             &(struct mapping_event){
                 .mapping = m.words[0], .vaddr = m.words[1], .length = m.words[2]},
             m.words[0], m.words[4]);
}

/* Take in what was heard, in order. */
static unsigned learn(void)
{
    unsigned resyncs = 0;

    for (unsigned i = 0; i < s->nheard; i++) {
        const struct heard *h = &s->heard[i];

        if (h->what == MAPPING_on_resync)
            relist(h->key), resyncs++;
        else if (h->what == MAPPING_on_unmapped)
            know(h->key, &h->mapping, 0, 0);
        else
            know(h->key, &h->mapping, h->mapping.mapping, h->mapping.flags);
    }
    return resyncs;
}

static bool knows_all(void)
{
    for (unsigned o = 0; o < OBJECTS; o++)
        for (word_t page = 0; page < SPAN; page++) {
            unsigned i = piece_after(page);
            bool there = i < npieces && pieces[i].start <= page && pieces[i].object == o;

            if (known[o][page].id != (there ? pieces[i].id : 0) ||
                (there && known[o][page].flags != pieces[i].flags)) {
                note("object %u, page %lu: knows mapping %lu flags %lu, it is %lu flags %lu", o,
                     page, known[o][page].id, known[o][page].flags, there ? pieces[i].id : 0,
                     there ? pieces[i].flags : 0);
                return false;
            }
        }
    return true;
}

static void test_deaf(void)
{
    struct declaration d = script_declaration();
    word_t told = 0, calls = 0;
    unsigned resyncs = 0, step;
    bool right = true;

    model_unmap(0, SPAN);
    (void)!q_aspace_unmap(SLOT_ASPACE, base, PAGES(SPAN)).status;
    script_clear(s);
    d.records = 5;
    for (unsigned o = 0; o < OBJECTS; o++)
        declare(objects[o], &d);
    for (step = 0; step < DEAF && right; step++) {
        unsigned n = random_below(&rng, 12);

        for (unsigned o = 0; o < OBJECTS; o++)
            must(q_served_attach(objects[o], deaf), "attach");
        for (unsigned i = 0; i < n; i++, step++) {
            nexpected = 0;
            calls += random_call(step, true);
        }
        script_clear(s);
        for (unsigned o = 0; o < OBJECTS; o++)
            must(q_served_attach(objects[o], s->endpoint), "attach");
        script_settle(s);
        told += s->nheard;
        resyncs += learn();
        right = knows_all();
        must(q_debug_check(kit.debug), "debug.check");
    }
    if (!ok(right, "a server that hears only now and then knows what is mapped, each time"))
        note("call %u, SEED=%lu", step, env_seed());
    ok(resyncs > 10 && told > resyncs, "by %lu events, %u of them RESYNC, after %lu calls", told,
       resyncs, calls);
}

int main(void)
{
    kit_begin();
    load((void *)0x10000);
    rng.state = env_seed();
    note("SEED=%lu", env_seed());
    s = script_new(space_new(kit.bank), 0);
    deaf = make(OBJ_endpoint, 0, 0);
    for (unsigned o = 0; o < OBJECTS; o++)
        objects[o] = script_object(s, 0, PAGES(SPAN), o);
    base = (word_t)fresh_range(PAGES(SPAN));
    test_exact();
    test_deaf();
    return tap_end();
}
