/* SPDX-License-Identifier: MIT */
/*
 * Claim: a snapshot is what its object was, whoever stores to which of the two and in whatever order
 * they end; what is not stored to exists once, and what nobody can see any more does not exist.
 *
 * The model is an array for each object.  A store seen by the other one, a page lost or kept when a
 * hidden parent goes, a chain that grows without end, or a page that nobody pays for make it fail.
 * SEED=... replays.
 */
#include "lib/base/random.h"
#include "test/support/script.h"

#define RW     (MAP_READ | MAP_WRITE)
#define NPAGES 24

static struct random rng;
static struct prober *storer;

static word_t number_at(const char *v)
{
    const struct touched *t = touch(PROBE_LOAD, v);

    return t->status == ST_OK ? t->result : ~0ul - t->status;
}
static status_t store(char *v, word_t value)
{
    return probe(storer, PROBE_STORE, v, value)->status;
}
static struct result snap(cap_t object, cap_t bank, cap_t slot, word_t first, word_t npages)
{
    return q_memory_snapshot(object, bank, slot, PAGES(first), PAGES(npages));
}
static cap_t snapshot_of(cap_t object, cap_t bank, word_t first, word_t npages)
{
    cap_t slot = slot_new();

    must(snap(object, bank, slot, first, npages), "memory.snapshot");
    return slot;
}

/* ------------------------------------------------------------------------------------- of anon */

static void test_two(void)
{
    cap_t a = make(OBJ_anon, PAGES(8), 0), b;
    char *va = kit_map(a, PAGES(8), 0, RW), *vb;
    word_t used, before;

    for (unsigned i = 0; i < 4; i++)
        store(va + PAGES(i), 10 + i);
    before = pages_used();
    b = snapshot_of(a, kit.bank, 1, 6);
    vb = kit_map(b, PAGES(6), 0, RW);
    ok(number_at(vb) == 11 && number_at(vb + PAGES(2)) == 13 && number_at(vb + PAGES(3)) == 0,
       "snapshot: the range is what the object was, and zeros where that had nothing");
    store(va + PAGES(6), 26);
    used = pages_used();
    ok(store(va + PAGES(1), 21) == ST_OK && pages_used() == used + 1,
       "snapshot: a store to the object makes one page");
    ok(number_at(va + PAGES(1)) == 21 && number_at(vb) == 11,
       "snapshot: which the copy does not see");
    ok(store(vb + PAGES(1), 32) == ST_OK && number_at(va + PAGES(2)) == 12 &&
           number_at(vb + PAGES(1)) == 32,
       "snapshot: nor does the object see what is stored to the copy");
    store(vb + PAGES(4), 35);
    ok(number_at(vb + PAGES(5)) == 0 && number_at(va + PAGES(5)) == 0,
       "snapshot: what was zero stays zero for the other");
    used = pages_used();
    ok(store(va, 20) == ST_OK && pages_used() == used,
       "snapshot: a page that the copy does not have is not copied for it");
    q_debug_check(kit.debug);
    same(must(q_memory_release(a, PAGES(3), PAGE), "release"), 0,
         "memory.release: a page that others share is given up");
    ok(number_at(va + PAGES(3)) == 0 && number_at(vb + PAGES(2)) == 13,
       "memory.release: it is zero here, and as it was for the others");
    q_debug_check(kit.debug);
    kit_unmap(vb, PAGES(6));
    drop(b);
    ok(number_at(va) == 20 && number_at(va + PAGES(1)) == 21 && number_at(va + PAGES(2)) == 12,
       "snapshot: the copy goes, the object is as it was");
    q_debug_check(kit.debug);
    ok(pages_used() <= before + 4, "snapshot: and what they shared is its own again");
    kit_unmap(va, PAGES(8));
    drop(a);
    b = make(OBJ_anon, PAGES(2), 0);
    a = snapshot_of(b, kit.bank, 0, 2);
    ok(memory_read(a).resident == 0, "snapshot: of an object without pages");
    drop(b);
    va = kit_map(a, PAGES(2), 0, RW);
    ok(number_at(va) == 0, "snapshot: is zeros");
    kit_unmap(va, PAGES(2));
    drop(a);
}

static void test_original_first(void)
{
    word_t before = pages_used();
    cap_t a = make(OBJ_anon, PAGES(8), 0), b, c;
    char *v = kit_map(a, PAGES(8), 0, RW);

    for (unsigned i = 0; i < 8; i++)
        store(v + PAGES(i), i);
    b = snapshot_of(a, kit.bank, 0, 8);
    store(v + PAGES(2), 92);
    c = snapshot_of(a, kit.bank, 2, 6);
    store(v + PAGES(2), 93);
    kit_unmap(v, PAGES(8));
    drop(a);
    q_debug_check(kit.debug);
    v = kit_map(b, PAGES(8), 0, RW);
    ok(number_at(v + PAGES(2)) == 2 && number_at(v + PAGES(7)) == 7,
       "snapshot: the object goes first, its snapshot is as it was");
    kit_unmap(v, PAGES(8));
    v = kit_map(c, PAGES(6), 0, RW);
    ok(number_at(v) == 92 && number_at(v + PAGES(5)) == 7, "snapshot: and so is a later one");
    drop(b);
    q_debug_check(kit.debug);
    same(memory_read(c).resident, 6, "snapshot: the last that is left has the pages that it sees");
    ok(number_at(v) == 92 && number_at(v + PAGES(1)) == 3 && store(v, 1) == ST_OK,
       "snapshot: as its own");
    kit_unmap(v, PAGES(6));
    drop(c);
    ok(pages_used() <= before + 1, "snapshot: and then nothing is left");
}

/* ----------------------------------------------------------------------------- of other objects */

static void test_others(void)
{
    struct script *s = script_new(space_new(kit.bank), 0);
    cap_t source = make(OBJ_anon, PAGES(8), 0), o = script_object(s, 0, PAGES(8), 1), all, a, b;
    struct declaration d = script_declaration();
    char *fill = kit_map(source, PAGES(8), 0, RW), *v, *w;

    for (unsigned i = 0; i < 8; i++)
        *(word_t *)(fill + PAGES(i)) = 0x900 + i;
    s->source = source;
    s->answer = SCRIPT_COPY;
    script_clear(s);
    all = copy_of(o, RIGHTS_ALL);
    a = snapshot_of(all, kit.bank, 2, 4);
    v = kit_map(a, PAGES(4), 0, RW);
    ok(number_at(v + PAGES(1)) == 0x903 && script_count(s, MAPPING_resolve_fault) == 1,
       "snapshot served: the server is asked for a page to read");
    ok(script_nth(s, MAPPING_resolve_fault, 0)->fault.offset == PAGES(3) &&
           script_nth(s, MAPPING_resolve_fault, 0)->fault.mapping == 0 &&
           script_nth(s, MAPPING_resolve_fault, 0)->fault.vaddr == 0 &&
           script_count(s, MAPPING_on_mapped) == 0,
       "snapshot served: and hears nothing of whose mapping it is for");
    ok(store(v + PAGES(2), 4) == ST_OK && number_at(v + PAGES(2)) == 4 &&
           page_read(o, PAGES(4)).state == 1 && page_read(o, PAGES(4)).mappings == 0,
       "snapshot served: a store copies the page");
    same(page_read(o, PAGES(3)).mappings, 1, "snapshot served: a page that is shown counts");
    same(must(q_memory_release(o, PAGES(3), PAGE), "release"), 1,
         "snapshot served: the server takes it away from all who see it");
    s->answer = SCRIPT_SILENT;
    probe_start(storer, PROBE_STORE, (word_t)v + PAGES(1), 5);
    ok(thread_reaches(storer->worker->thread, THREAD_FAULTING),
       "snapshot served: a thread waits for it");
    q_debug_check(kit.debug);
    b = snapshot_of(a, kit.bank, 0, 4);
    w = kit_map(b, PAGES(4), 0, RW);
    ok(number_at(w + PAGES(2)) == 4, "snapshot served: a snapshot of the snapshot");
    q_debug_check(kit.debug);
    must(q_cspace_revoke(SLOT_CSPACE, o), "revoke");
    ok(probe_wait(storer) && storer->touched.status == ST_OWNER_DEAD &&
           storer->touched.message.access == ACCESS_STORE,
       "snapshot served: its capability is revoked, who waits hears OWNER_DEAD");
    ok(number_at(v + PAGES(2)) == 4 && number_at(v) == ~0ul - ST_OWNER_DEAD &&
           number_at(w + PAGES(2)) == 4 && number_at(w + PAGES(3)) == ~0ul - ST_OWNER_DEAD,
       "snapshot served: what was stored is still there, what was not is lost");
    q_debug_check(kit.debug);
    kit_unmap(v, PAGES(4));
    kit_unmap(w, PAGES(4));
    forget(all);
    drop(a);
    drop(b);

    a = snapshot_of(kit.bundle, kit.bank, 0, 2);
    v = kit_map(a, PAGES(2), 0, RW);
    w = kit_map(kit.bundle, PAGES(2), 0, MAP_READ);
    ok(number_at(v) == number_at(w) && store(v + 8, 7) == ST_OK && number_at(v) == number_at(w) &&
           number_at(v + 8) == 7,
       "snapshot phys: memory that has no frames is copied when it is stored to");
    q_debug_check(kit.debug);
    kit_unmap(v, PAGES(2));
    kit_unmap(w, PAGES(2));
    drop(a);

    d.flags &= ~(word_t)DECLARE_PRIVATE;
    declare(o, &d);
    a = slot_new();
    REFUSED(snap(o, kit.bank, a, 0, 1), ST_NOT_SUPPORTED, 0,
            "memory.snapshot NOT_SUPPORTED: the owner allows no private mappings");
    b = make_in(kit.devices, OBJ_phys, 0x101000, PAGE);
    REFUSED(snap(b, kit.bank, a, 0, 1), ST_NOT_SUPPORTED, 0,
            "memory.snapshot NOT_SUPPORTED: of a device");
    drop(b);
    kit_unmap(fill, PAGES(8));
    drop(o);
    drop(source);
    script_drop(s);
}

/* ---------------------------------------------------------------------------------- refusals, room */

static void test_refused(void)
{
    cap_t a = make(OBJ_anon, PAGES(4), 0), slot = slot_new(), weak = copy_of(kit.bank, 0);
    cap_t writer = copy_of(a, MEMORY_WRITE);

    REFUSED(snap(a, weak, slot, 0, 1), ST_BAD_CAP, 0, "memory.snapshot BAD_CAP: no right CREATE");
    REFUSED(snap(a, a, slot, 0, 1), ST_BAD_CAP, 0, "memory.snapshot BAD_CAP: no bank");
    REFUSED(snap(a, kit.bank, NO_SLOT, 0, 1), ST_BAD_ARG, 1,
            "memory.snapshot BAD_ARG: a slot outside the cspace");
    REFUSED(q_memory_snapshot(a, kit.bank, slot, 100, PAGE), ST_BAD_ARG, 2,
            "memory.snapshot BAD_ARG: offset not aligned");
    REFUSED(q_memory_snapshot(a, kit.bank, slot, 0, 100), ST_BAD_ARG, 3,
            "memory.snapshot BAD_ARG: length not aligned");
    REFUSED(snap(a, kit.bank, slot, 0, 0), ST_BAD_ARG, 3, "memory.snapshot BAD_ARG: length 0");
    REFUSED(snap(a, kit.bank, a, 0, 1), ST_OCCUPIED, a, "memory.snapshot OCCUPIED: a full slot");
    REFUSED(snap(a, kit.bank, slot, 4, 1), ST_PAST_END, PAGES(4),
            "memory.snapshot PAST_END: from the end on");
    REFUSED(snap(a, kit.bank, slot, 2, 3), ST_PAST_END, PAGES(4),
            "memory.snapshot PAST_END: beyond the end");
    REFUSED(snap(writer, kit.bank, slot, 0, 1), ST_NO_RIGHT, MEMORY_READ,
            "memory.snapshot needs right READ");
    drop(writer);
    drop(weak);
    drop(a);
}

/* The object's bank goes: what its copies need of it they take over, as far as their banks have room. */
static void test_banks(void)
{
    cap_t bank = make(OBJ_bank, 40, 0), rich = make(OBJ_bank, 40, 0), poor = make(OBJ_bank, 5, 0);
    cap_t a = make_in(bank, OBJ_anon, PAGES(8), 0), b, c, slot = slot_new();
    char *v = kit_map(a, PAGES(8), 0, RW), *vb, *vc;
    cap_t tiny = make(OBJ_bank, 1, 0), filler;
    word_t lost = 0;

    for (unsigned i = 0; i < 8; i++)
        store(v + PAGES(i), 70 + i);
    b = snapshot_of(a, rich, 0, 8);
    filler = slot_new();
    for (word_t n = bank_read(bank).limit - bank_read(bank).used; n > 0; n--)
        if (q_bank_create(bank, OBJ_bank, filler, n, 0, 0).status == ST_OK)
            break;
    REFUSED(
        q_memory_release(a, PAGES(2), PAGE), ST_NO_SPACE, 0,
        "memory.release NO_SPACE: a page that others share, and no room to say that it is zero here");
    drop(filler);
    ok(number_at(v + PAGES(2)) == 72, "memory.release: it is as it was");
    c = snapshot_of(a, poor, 0, 8);
    vb = kit_map(b, PAGES(8), 0, RW);
    vc = kit_map(c, PAGES(8), 0, RW);
    ok(bank_read(rich).used < 5 && bank_read(poor).used < 5,
       "snapshot: the banks of copies pay for what is stored to");
    ok(store(vc + PAGES(3), 1) == ST_OK && number_at(vc + PAGES(3)) == 1,
       "snapshot: as far as they have room");
    for (unsigned i = 0; i < 8 && store(vc + PAGES(i), 1) == ST_OK; i++)
        ;
    ok(bank_read(poor).used == 5 && store(vc + PAGES(7), 1) == ST_NO_SPACE &&
           number_at(vc + PAGES(7)) == 77,
       "snapshot: a store without room is the thread's NO_SPACE");
    REFUSED(snap(b, tiny, slot, 0, 8), ST_NO_SPACE, 0,
            "memory.snapshot NO_SPACE: the bank is full");
    q_debug_check(kit.debug);
    must(q_bank_destroy(bank), "bank.destroy");
    q_debug_check(kit.debug);
    forget(a);
    forget(bank);
    for (unsigned i = 0; i < 8; i++)
        lost += number_at(vb + PAGES(i)) != 70 + i;
    same(lost, 0, "snapshot: the object's bank goes, a copy with room takes over what it sees");
    ok(number_at(vc + PAGES(3)) == 1 && number_at(vc + PAGES(7)) == ~0ul - ST_OWNER_DEAD,
       "snapshot: without room it keeps what it has, and the rest is OWNER_DEAD");
    ok(touch(PROBE_LOAD, v)->status == ST_NO_REGION, "snapshot: the object's mappings are gone");
    q_debug_check(kit.debug);
    kit_unmap(vb, PAGES(8));
    kit_unmap(vc, PAGES(8));
    drop(tiny);
    must(q_bank_destroy(rich), "bank.destroy");
    must(q_bank_destroy(poor), "bank.destroy");
    forget(b), forget(c), forget(rich), forget(poor);
    q_debug_check(kit.debug);
}

/* --------------------------------------------------------------------------------------- a model */

#define OBJECTS 14
static struct {
    cap_t cap; /* 0: none */
    char *at;
    word_t pages[NPAGES];
} objects[OBJECTS];

static void begin(unsigned i, cap_t cap)
{
    objects[i].cap = cap;
    objects[i].at = kit_map(cap, PAGES(NPAGES), 0, RW);
}
static void end(unsigned i)
{
    kit_unmap(objects[i].at, PAGES(NPAGES));
    drop(objects[i].cap);
    objects[i].cap = 0;
}
static bool as_model(unsigned i)
{
    for (unsigned p = 0; p < NPAGES; p++)
        if (number_at(objects[i].at + PAGES(p)) != objects[i].pages[p]) {
            note("object %u, page %u: %lx, not %lx", i, p, number_at(objects[i].at + PAGES(p)),
                 objects[i].pages[p]);
            return false;
        }
    return true;
}

/* One random step; false: an object is not as the model says. */
static bool step(unsigned n)
{
    unsigned i = (unsigned)random_below(&rng, OBJECTS), k = (unsigned)random_below(&rng, OBJECTS);
    unsigned p = (unsigned)random_below(&rng, NPAGES);

    if (!objects[i].cap) {
        if (objects[k].cap && random_below(&rng, 8)) {
            begin(i, snapshot_of(objects[k].cap, kit.bank, 0, NPAGES));
            for (p = 0; p < NPAGES; p++)
                objects[i].pages[p] = objects[k].pages[p];
        } else {
            begin(i, make(OBJ_anon, PAGES(NPAGES), 0));
            for (p = 0; p < NPAGES; p++)
                objects[i].pages[p] = 0;
        }
        return true;
    }
    switch (random_below(&rng, 24)) {
    case 0:
        end(i);
        return true;
    case 1:
        must(q_memory_release(objects[i].cap, PAGES(p), PAGE), "release");
        objects[i].pages[p] = 0;
        return true;
    case 2:
        return as_model(i);
    case 3:
    case 4:
    case 5:
        return number_at(objects[i].at + PAGES(p)) == objects[i].pages[p];
    default:
        objects[i].pages[p] = n + 1;
        return store(objects[i].at + PAGES(p), n + 1) == ST_OK;
    }
}

static void test_model(void)
{
    word_t before;
    bool right = true;
    unsigned n;

    begin(0, make(OBJ_anon, PAGES(NPAGES), 0));
    end(0); /* tables */
    before = pages_used();
    for (n = 0; n < 6000 && right; n++) {
        right = step(n);
        if (n % 64 == 0)
            q_debug_check(kit.debug);
    }
    if (!right)
        note("step %u, SEED=%lu", n, env_seed());
    for (unsigned i = 0; i < OBJECTS; i++)
        right = right && (!objects[i].cap || as_model(i));
    ok(right, "snapshot: 6,000 random stores, snapshots and ends are as a model says");
    for (unsigned i = 0; i < OBJECTS; i++)
        if (objects[i].cap)
            end(i);
    q_debug_check(kit.debug);
    ok(pages_used() <= before + 2, "snapshot: and then every page is back");
}

/* Longer and longer chains: each is a snapshot of the last one, stored to in between. */
static void test_deep(void)
{
    cap_t chain[20];
    word_t before = pages_used();
    bool right = true;
    char *v;

    chain[0] = make(OBJ_anon, PAGES(NPAGES), 0);
    for (unsigned i = 0; i < 20; i++) {
        v = kit_map(chain[i], PAGES(NPAGES), 0, RW);
        for (unsigned p = 0; p < 20; p++) /* page p was stored to last at depth p, or never here */
            right = right && number_at(v + PAGES(p)) == (p < i ? p + 100 : 0);
        store(v + PAGES(i), i + 100);
        if (i < 19)
            chain[i + 1] = snapshot_of(chain[i], kit.bank, 0, NPAGES);
        store(v + PAGES(i), 1);
        kit_unmap(v, PAGES(NPAGES));
    }
    q_debug_check(kit.debug);
    ok(right, "snapshot: a chain of 20 snapshots of snapshots");
    for (unsigned i = 0; i < 19; i++)
        drop(chain[(i * 7) % 19]);
    q_debug_check(kit.debug);
    v = kit_map(chain[19], PAGES(NPAGES), 0, RW);
    for (unsigned p = 0; p < 19; p++)
        right = right && number_at(v + PAGES(p)) == p + 100;
    ok(right && number_at(v + PAGES(19)) == 1, "snapshot: of which the last stays as it was");
    ok(memory_read(chain[19]).resident <= NPAGES && pages_used() <= before + NPAGES + 4,
       "snapshot: the memory of the chain is back");
    kit_unmap(v, PAGES(NPAGES));
    drop(chain[19]);
}

int main(void)
{
    kit_begin();
    load((void *)0x10000);
    storer = prober_new(NULL, 0);
    rng.state = env_seed();
    note("SEED=%lu", env_seed());
    test_two();
    test_original_first();
    test_others();
    test_refused();
    test_banks();
    test_deep();
    test_model();
    return tap_end();
}
