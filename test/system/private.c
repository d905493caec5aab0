/* SPDX-License-Identifier: MIT */
/*
 * Claim: what is stored through a private mapping is seen there and nowhere else, whatever the mapped
 * object is; the object's server hears of the mapping as of any other, and is asked for pages to read;
 * what the mapping had of its own comes back with each piece that is unmapped.
 *
 * It would fail if a store reached the object or another mapping, if a page of the object hid one that
 * was stored to, if a copy were made too early or paid by somebody else, or if one were left behind.
 */
#include "lib/base/random.h"
#include "test/support/script.h"

#define RW     (MAP_READ | MAP_WRITE)
#define PRW    (RW | MAP_PRIVATE)
#define NPAGES 40

static struct script *s;
static cap_t object, source;
static struct random rng;
static struct prober *storer;

static word_t number_at(const char *v)
{
    const struct touched *t = touch(PROBE_LOAD, v);

    return t->status == ST_OK ? t->result : ~0ul;
}
static bool stores(char *v, word_t value)
{
    const struct touched *t = probe(storer, PROBE_STORE, v, value);

    return t->status == ST_OK;
}

/* --------------------------------------------------------------------------------- of each kind */

static void test_anon(void)
{
    cap_t o = make(OBJ_anon, PAGES(8), 0), reader = copy_of(o, MEMORY_READ);
    char *shared = kit_map(o, PAGES(8), 0, RW), *own = kit_map(reader, PAGES(8), 0, PRW);
    char *other = kit_map(o, PAGES(4), PAGES(2), PRW);
    word_t used;

    stores(shared + PAGES(2), 7);
    ok(number_at(own + PAGES(2)) == 7 && number_at(other) == 7,
       "private anon: who has not stored sees the object's page");
    used = pages_used();
    ok(stores(own + PAGES(2) + 8, 8) && pages_used() == used + 1,
       "private anon: a store through a capability to read makes one page");
    ok(number_at(own + PAGES(2)) == 7 && number_at(own + PAGES(2) + 8) == 8 &&
           number_at(shared + PAGES(2) + 8) == 0 && number_at(other + 8) == 0,
       "private anon: what is stored is seen there alone, with what was there before");
    stores(shared + PAGES(2), 9);
    ok(number_at(own + PAGES(2)) == 7 && number_at(other) == 9,
       "private anon: later stores to the object are seen by who has no copy");
    ok(stores(own + PAGES(5), 5) && memory_read(o).resident == 1 &&
           number_at(shared + PAGES(5)) == 0,
       "private anon: a page that is nowhere is zero in the copy alone");
    ok(touch(PROBE_LOAD, own + PAGES(8))->status == ST_NO_REGION,
       "private anon: it ends where it ends");
    same(must(q_memory_release(o, PAGES(2), PAGE), "release"), 1,
         "private anon: the object's page goes");
    ok(number_at(own + PAGES(2)) == 7 && number_at(other) == 0, "private anon: the copy stays");
    q_debug_check(kit.debug);
    kit_unmap(own, PAGES(8));
    kit_unmap(other, PAGES(4));
    kit_unmap(shared, PAGES(8));
    drop(reader);
    drop(o);
}

static void test_phys(void)
{
    char *v = kit_map(kit.bundle, PAGES(2), 0, PRW), *w = kit_map(kit.bundle, PAGE, 0, MAP_READ);
    word_t first = number_at(v);

    ok(first == number_at(w) && stores(v, ~first) && number_at(v) == ~first &&
           number_at(w) == first,
       "private phys: a store makes a copy of memory that has no frames");
    ok(stores(v + 8, 1) && number_at(v) == ~first, "private phys: once");
    q_debug_check(kit.debug);
    must(q_aspace_protect(SLOT_ASPACE, (word_t)w, PAGE, MAP_READ), "protect");
    kit_unmap(v, PAGES(2));
    kit_unmap(w, PAGE);
}

static void test_served(void)
{
    char *own = kit_map(object, PAGES(8), PAGES(4), PRW), *shared;
    const struct heard *h;
    struct message m = {.words = {(word_t)own}};

    s->answer = SCRIPT_COPY;
    script_settle(s);
    h = script_nth(s, MAPPING_on_mapped, 0);
    ok(h && h->mapping.vaddr == (word_t)own && h->mapping.length == PAGES(8) &&
           h->mapping.offset == PAGES(4) && h->mapping.flags == PRW,
       "private served: the server hears on_mapped, with what the mapping may");
    ok(q_operation(SLOT_ASPACE, OP_aspace_query, 1, &m) == ST_OK && m.words[2] == PAGES(4) &&
           m.words[3] == PRW,
       "private served: aspace.query tells the object's offset");
    script_clear(s);
    ok(stores(own + PAGES(1), 1) && number_at(own + PAGES(1)) == 1,
       "private served: a store to a missing page");
    h = script_nth(s, MAPPING_resolve_fault, 0);
    ok(h && script_count(s, MAPPING_resolve_fault) == 1 && h->fault.offset == PAGES(5) &&
           (h->fault.flags & FAULT_ACCESS_MASK) == ACCESS_LOAD &&
           h->fault.flags >> FAULT_PERMS_SHIFT == PRW && h->fault.vaddr == (word_t)own + PAGES(1) &&
           h->fault.window_end == PAGES(12),
       "private served: asks the server for the page to read");
    ok(page_read(object, PAGES(5)).state == 1 && page_read(object, PAGES(5)).mappings == 0,
       "private served: the object has the page, and the mapping does not show it");
    shared = kit_map(object, PAGES(8), PAGES(4), RW);
    ok(number_at(shared + PAGES(1)) == 0x905 && stores(shared + PAGES(1), 2) &&
           number_at(own + PAGES(1)) == 1,
       "private served: neither sees the other's stores");
    same(number_at(own + PAGES(2)), 0x906,
         "private served: a page that is only read is the object's");
    same(page_read(object, PAGES(6)).mappings, 1, "private served: and counts as shown");
    same(must(q_memory_release(object, PAGES(6), PAGE), "release"), 1,
         "private served: until the server takes it away");
    ok(number_at(own + PAGES(2)) == 0x906 && script_count(s, MAPPING_resolve_fault) == 3,
       "private served: then it is asked for again");
    s->answer = SCRIPT_ERROR;
    s->status = ST_IO;
    ok(probe(storer, PROBE_STORE, own + PAGES(7), 1)->status == ST_IO &&
           touch(PROBE_STORE, own + PAGES(7))->message.access == ACCESS_STORE,
       "private served: an error is told as of the store that it was");
    s->answer = SCRIPT_COPY;

    must(q_aspace_unmap(SLOT_ASPACE, (word_t)own + PAGES(3), PAGES(2)), "unmap");
    script_settle(s);
    ok(script_count(s, MAPPING_on_split) == 1 && number_at(own + PAGES(1)) == 1 &&
           stores(own + PAGES(6), 6) && number_at(own + PAGES(6)) == 6,
       "private served: the pieces of a split keep what was stored, and go on");
    must(q_aspace_protect(SLOT_ASPACE, (word_t)own, PAGES(2), MAP_READ), "protect");
    ok(touch(PROBE_STORE, own + PAGES(1))->status == ST_FORBIDDEN && number_at(own + PAGES(1)) == 1,
       "private served: without write what was stored is still there");
    must(q_aspace_protect(SLOT_ASPACE, (word_t)own, PAGES(2), RW), "protect");
    ok(stores(own + PAGES(1) + 8, 3) && number_at(own + PAGES(1)) == 1 && stores(own, 4) &&
           number_at(shared) == 0x904,
       "private served: and with write again it goes on");
    q_debug_check(kit.debug);
    kit_unmap(own, PAGES(3));
    kit_unmap(own + PAGES(5), PAGES(3));
    kit_unmap(shared, PAGES(8));
    script_settle(s);
}

/* A mapping that only reads gets pages of its own when it is to write. */
static void test_late(void)
{
    char *own = kit_map(object, PAGES(8), 0, MAP_READ | MAP_PRIVATE);

    ok(number_at(own + PAGES(3)) == 0x903 && touch(PROBE_STORE, own)->status == ST_FORBIDDEN,
       "private served: a mapping to read");
    must(q_aspace_protect(SLOT_ASPACE, (word_t)own + PAGES(2), PAGES(4), RW), "protect");
    ok(stores(own + PAGES(3), 1) && number_at(own + PAGES(3)) == 1 && stores(own + PAGES(4), 2) &&
           touch(PROBE_STORE, own + PAGES(1))->status == ST_FORBIDDEN,
       "private served: writes where aspace.protect let it");
    must(q_aspace_protect(SLOT_ASPACE, (word_t)own + PAGES(2), PAGES(4), MAP_READ | MAP_EXEC),
         "protect");
    same(number_at(own + PAGES(4)), 2, "private served: and may be executed then");
    q_debug_check(kit.debug);
    kit_unmap(own, PAGES(8));
}

/* --------------------------------------------------------------------------------------- limits */

/* Leave no page of it; what is returned gives them back. */
static cap_t fill_up(cap_t bank)
{
    cap_t slot = slot_new();

    for (word_t n = bank_read(bank).limit - bank_read(bank).used; n > 0; n--)
        if (q_bank_create(bank, OBJ_bank, slot, n, 0, 0).status == ST_OK)
            break;
    return slot;
}

static void test_no_space(void)
{
    cap_t bank = make(OBJ_bank, 12, 0), sink;
    struct space *c = arena_new(sizeof *c);
    struct prober *p;
    char *at = fresh_range(PAGES(8));

    /* a space of its own would need more than that bank has: only the address space is its */
    c->aspace = make_in(bank, OBJ_aspace, 0, 0);
    must(q_aspace_map(c->aspace, (word_t)at, PAGES(8), object, 0, PRW), "map");
    sink = fill_up(bank);
    for (word_t n = 0; n < 64; n++) { /* fill the slab that regions and private objects come from */
        struct result r =
            q_aspace_map(c->aspace, (word_t)at + PAGES(16 + 2 * n), PAGE, object, 0, PRW);
        if (r.status != ST_OK)
            break;
    }
    REFUSED(q_aspace_map(c->aspace, (word_t)at + PAGES(10), PAGE, object, 0, PRW), ST_NO_SPACE, 0,
            "aspace.map NO_SPACE: of a private mapping, the address space's bank");
    must(q_bank_destroy(bank), "bank.destroy");
    forget(sink);
    forget(c->aspace);
    forget(bank);

    bank = make(OBJ_bank, 400, 0);
    c = space_new(bank);
    space_map(c, at, object, PAGES(8), 0, PRW);
    p = prober_new(c, 0);
    probe(p, PROBE_STORE, at, 1);
    sink = fill_up(bank);
    ok(probe(p, PROBE_LOAD, at + PAGE, 0)->result == 0x901,
       "private: without room pages can be read");
    ok(probe(p, PROBE_STORE, at + PAGE, 1)->status == ST_NO_SPACE,
       "private: a store without room is the thread's NO_SPACE");
    ok(probe(p, PROBE_LOAD, at + PAGE, 0)->result == 0x901 &&
           probe(p, PROBE_LOAD, at, 0)->result == 1,
       "private: and changes nothing");
    drop(sink);
    ok(probe(p, PROBE_STORE, at + PAGE, 2)->status == ST_OK, "private: with room it goes on");
    q_debug_check(kit.debug);
    must(q_bank_destroy(bank), "bank.destroy");
    prober_drop(p);
    forget(c->aspace);
    forget(sink);
    forget(bank);
    q_debug_check(kit.debug);
}

static void test_object_goes(void)
{
    cap_t bank = make(OBJ_bank, 100, 0), o = script_object(s, bank, PAGES(8), 2);
    word_t used = pages_used();
    char *own = kit_map(o, PAGES(8), 0, PRW);

    stores(own + PAGES(3), 1);
    must(q_bank_destroy(bank), "bank.destroy");
    ok(touch(PROBE_LOAD, own + PAGES(3))->status == ST_NO_REGION,
       "private: the object goes, and its private mappings with it");
    forget(o);
    forget(bank);
    q_debug_check(kit.debug);
    ok(pages_used() < used, "private: what they had of their own is back");
}

/* --------------------------------------------------------------------------------------- a model */

static void test_model(void)
{
    static word_t model[3][NPAGES]; /* the object's pages, and those of two private mappings */
    static bool copied[3][NPAGES];
    cap_t o = script_object(s, 0, PAGES(NPAGES), 3);
    word_t used, resident;
    char *v[3];
    bool right = true;

    s->answer = SCRIPT_COPY;
    v[0] = kit_map(o, PAGES(NPAGES), 0, RW);
    v[1] = kit_map(o, PAGES(NPAGES), 0, PRW);
    v[2] = kit_map(o, PAGES(NPAGES), 0, PRW);
    used = pages_used();
    for (unsigned i = 0; i < NPAGES; i++)
        model[0][i] = 0x900 + i;
    for (unsigned i = 0; i < 3000 && right; i++) {
        unsigned who = (unsigned)random_below(&rng, 3), page = (unsigned)random_below(&rng, NPAGES);
        char *at = v[who] + PAGES(page) + 8 * (page % 7);

        switch (random_below(&rng, 4)) {
        case 0:
            if (who && !copied[who][page]) { /* the whole page is copied */
                copied[who][page] = true;
                model[who][page] = model[0][page];
            }
            right = stores(v[who] + PAGES(page), i);
            model[who][page] = i;
            break;
        case 1: /* a page's last words too */
            right = number_at(at) != ~0ul;
            break;
        default:
            right =
                number_at(v[who] + PAGES(page)) == model[who && !copied[who][page] ? 0 : who][page];
            break;
        }
        if (!right)
            note("step %u, who %u, page %u", i, who, page);
    }
    ok(right, "private: 3,000 random loads and stores of three mappings are as a model says");
    q_debug_check(kit.debug);
    kit_unmap(v[1], PAGES(NPAGES / 2));
    q_debug_check(kit.debug);
    kit_unmap(v[1] + PAGES(NPAGES / 2), PAGES(NPAGES / 2));
    kit_unmap(v[2], PAGES(NPAGES));
    kit_unmap(v[0], PAGES(NPAGES));
    script_settle(s);
    resident = memory_read(o).resident;
    ok(pages_used() <= used + resident, "private: and then every page is back but the object's");
    drop(o);
}

int main(void)
{
    word_t *fill;

    kit_begin();
    load((void *)0x10000);
    rng.state = env_seed();
    note("SEED=%lu", env_seed());
    storer = prober_new(NULL, 0);
    s = script_new(space_new(kit.bank), 0);
    source = make(OBJ_anon, PAGES(NPAGES), 0);
    fill = kit_map(source, PAGES(NPAGES), 0, RW);
    for (unsigned i = 0; i < NPAGES; i++)
        fill[i * PAGE / sizeof *fill] = 0x900 + i;
    s->source = source;
    object = script_object(s, 0, PAGES(NPAGES), 1);

    test_anon();
    test_phys();
    test_served();
    test_late();
    test_no_space();
    test_object_goes();
    test_model();
    return tap_end();
}
