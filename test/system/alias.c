/* SPDX-License-Identifier: MIT */
/*
 * Claim: a server may answer that pages of its object are those of another one that it holds, and from
 * then on whoever touches them has that one's pages, whatever becomes of these, until the server, the
 * source or its capability ends that.
 *
 * It would fail if a page were copied, if a store went where it may not, if something that happens to a
 * source page missed those who see it through another object, or if links could go round in a circle.
 */
#include "test/support/script.h"

#define RW     (MAP_READ | MAP_WRITE)
#define NPAGES 16

static struct script *s;
static cap_t object, source, writer; /* served, anon, a capability to it with WRITE */
static char *view, *from;            /* object and source, mapped */
static struct prober *p;

static struct result answer(cap_t o, word_t first, cap_t cap, word_t at, word_t npages)
{
    return q_served_answer(o, memory_read(o).epoch, answer_what(ANSWER_ALIAS, 0, npages),
                           PAGES(first), cap, PAGES(at));
}
static word_t number_at(const char *v)
{
    const struct touched *t = touch(PROBE_LOAD, v);

    return t->status == ST_OK ? t->result : ~0ul - t->status;
}
static status_t store(char *v, word_t value)
{
    return probe(p, PROBE_STORE, v, value)->status;
}
static void release_all(cap_t o)
{
    must(q_memory_release(o, 0, memory_read(o).size), "release");
}

/* ------------------------------------------------------------------------------------------- use */

static void test_waiting(void)
{
    word_t used;

    s->answer = SCRIPT_SILENT;
    script_clear(s);
    probe_start(p, PROBE_LOAD, (word_t)view + PAGES(1), 0);
    ok(thread_reaches(p->worker->thread, THREAD_FAULTING), "alias: a client waits for a page");
    used = pages_used();
    same(must(answer(object, 0, source, 2, 8), "answer"), 8, "alias: eight pages are answered");
    ok(probe_wait(p) && p->touched.result == 3, "alias: who waits has the source's page");
    ok(number_at(view) == 2 && number_at(view + PAGES(7)) == 9 && pages_used() <= used + 1 &&
           memory_read(object).resident == 0 && script_count(s, MAPPING_resolve_fault) == 1,
       "alias: so has who comes later, nobody is asked again, and no page is made");
    same(page_read(source, PAGES(9)).mappings, 2, "alias: a page counts each entry that shows it");
    ok(store(from + PAGES(4), 44) == ST_OK && number_at(view + PAGES(2)) == 44,
       "alias: what is stored to the source is seen");
    ok(store(view + PAGES(2), 45) == ST_DENIED && number_at(from + PAGES(4)) == 44,
       "alias: a store through one to read is DENIED");
    same(must(answer(object, 2, source, 0, 4), "answer"), 0,
         "alias: an alias that is there is kept");
    q_debug_check(kit.debug);
    release_all(object);
    same(must(answer(object, 0, writer, 2, 2), "answer"), 2,
         "alias: the range is released, and answered anew");
    same(must(answer(object, 2, writer, 4, 2), "answer"), 2, "alias: and the pages behind it");
    ok(store(view + PAGES(3), 46) == ST_OK && number_at(from + PAGES(5)) == 46,
       "alias: with write a store goes through");
    ok(store(view + PAGES(3) + 8, 47) == ST_OK && number_at(from + PAGES(5) + 8) == 47,
       "alias: also where the page is shown already");
    q_debug_check(kit.debug);
    store(from + PAGES(5), 5), store(from + PAGES(4), 4);
}

static void test_source_pages(void)
{
    cap_t sink = script_object(s, 0, PAGES(4), 2);
    word_t resident;

    ok(number_at(view + PAGES(1)) == 3, "alias: a page is shown");
    same(must(q_served_answer(sink, memory_read(sink).epoch, answer_what(ANSWER_MOVE, 0, 1), 0,
                              source, PAGES(3)),
              "answer"),
         1, "alias: the source page moves away");
    ok(page_read(source, PAGES(3)).state == 0 && number_at(view + PAGES(1)) == 0 &&
           number_at(from + PAGES(3)) == 0,
       "alias: from whoever sees it; what the source has then is seen");
    store(from + PAGES(3), 3);
    same(number_at(view + PAGES(1)), 3, "alias: and what comes there later");
    resident = memory_read(source).resident;
    must(q_memory_release(source, PAGES(2), PAGE), "release");
    ok(number_at(view) == 0 && memory_read(source).resident == resident,
       "alias: the source's page is given up, and zero for who touches it through the alias");
    store(from + PAGES(2), 2);
    drop(sink);
    q_debug_check(kit.debug);
}

/* Its own pages come before an alias, and a private mapping of the object sees either. */
static void test_private(void)
{
    char *own = kit_map(object, PAGES(NPAGES), 0, RW | MAP_PRIVATE);

    ok(number_at(own + PAGES(1)) == 3 && store(own + PAGES(1), 90) == ST_OK &&
           number_at(view + PAGES(1)) == 3 && number_at(own + PAGES(1)) == 90,
       "alias: a private mapping copies what it stores to");
    same(must(q_served_answer(object, memory_read(object).epoch, answer_what(ANSWER_ZERO, 0, 2),
                              PAGES(3), 0, 0),
              "answer"),
         1, "alias: a page that is answered otherwise is not taken where an alias is");
    same(number_at(view + PAGES(3)), 5, "alias: which is kept");
    q_debug_check(kit.debug);
    kit_unmap(own, PAGES(NPAGES));
}

/* ------------------------------------------------------------------------------------- its end */

static void test_ends(void)
{
    cap_t bank = make(OBJ_bank, 60, 0), mortal = make_in(bank, OBJ_anon, PAGES(4), 0), c;
    char *v = kit_map(mortal, PAGES(4), 0, RW);

    store(v, 70);
    release_all(object);
    s->answer = SCRIPT_ERROR;
    s->status = ST_IO;
    c = copy_of(mortal, MEMORY_READ);
    must(answer(object, 0, c, 0, 4), "answer");
    same(number_at(view), 70, "alias: by a capability of its own");
    drop(c);
    same(number_at(view), 70, "alias: it outlives the capability that it was made with");
    must(q_cspace_revoke(SLOT_CSPACE, mortal), "revoke");
    ok(number_at(view) == ~0ul - ST_IO && number_at(v) == ~0ul - ST_NO_REGION,
       "alias: what it was made from is revoked, and the server is asked again");
    q_debug_check(kit.debug);
    must(answer(object, 0, mortal, 0, 4), "answer");
    same(number_at(view + PAGES(1)), 0, "alias: a page that begins as zeros begins in the source");
    ok(page_read(mortal, PAGE).state == 1 && memory_read(object).resident == 0,
       "alias: whose bank pays for it");
    must(q_bank_destroy(bank), "bank.destroy");
    ok(number_at(view + PAGES(1)) == ~0ul - ST_IO,
       "alias: the source ends, and the server is asked again");
    q_debug_check(kit.debug);
    forget(mortal);
    forget(bank);
}

/* An object of one server stands for one of another server. */
static void test_stacked(void)
{
    cap_t below = script_object(s, 0, PAGES(4), 3), c = copy_of(below, MEMORY_READ);
    const struct heard *h;

    release_all(object);
    must(answer(object, 0, c, 0, 4), "answer");
    s->answer = SCRIPT_SILENT;
    s->on_write = SCRIPT_SILENT;
    script_clear(s);
    probe_start(p, PROBE_LOAD, (word_t)view + PAGES(2), 0);
    ok(thread_reaches(p->worker->thread, THREAD_FAULTING),
       "alias: of a served object, a client waits");
    h = script_nth(s, MAPPING_resolve_fault, 0);
    ok(h && h->key == 3 && h->fault.offset == PAGES(2) && h->fault.mapping == 0 && h->fault.pc == 0,
       "alias: for the server below, which hears the page and no more");
    q_debug_check(kit.debug);
    must(q_cspace_revoke(SLOT_CSPACE, below), "revoke");
    let_run();
    script_settle(s);
    ok(script_count(s, MAPPING_resolve_fault) == 2 &&
           script_nth(s, MAPPING_resolve_fault, 1)->key == 1,
       "alias: its capability is revoked, and the server above is asked instead");
    must(answer(object, 2, below, 2, 1), "answer");
    must(q_served_answer(below, memory_read(below).epoch,
                         answer_what(ANSWER_ZERO | ANSWER_PROTECTED, 0, 1), PAGES(2), 0, 0),
         "answer");
    ok(probe_wait(p) && p->touched.result == 0,
       "alias: it answers by alias again, and the one below by a page");
    probe_start(p, PROBE_STORE, (word_t)view + PAGES(2), 8);
    ok(thread_reaches(p->worker->thread, THREAD_FAULTING) &&
           (h = script_nth(s, MAPPING_resolve_fault, script_count(s, MAPPING_resolve_fault) - 1)) &&
           h->key == 3 &&
           (h->fault.flags >> FAULT_WHY_SHIFT & FAULT_WHY_MASK) == FAULT_WHY_PROTECTED,
       "alias: a store to a protected page asks the server whose page it is");
    must(q_aspace_unmap(SLOT_ASPACE, (word_t)view + PAGES(2), PAGE), "unmap");
    ok(probe_wait(p) && p->touched.status == ST_NO_REGION, "alias: until the mapping goes");
    q_debug_check(kit.debug);
    must(q_aspace_map(SLOT_ASPACE, (word_t)view + PAGES(2), PAGE, object, PAGES(2), RW), "map");
    release_all(object);
    forget(c);
    drop(below);
}

/* ---------------------------------------------------------------------------------------- refusals */

static void test_refused(void)
{
    cap_t chain[10], weak = copy_of(source, MEMORY_WRITE), tiny = make(OBJ_bank, 3, 0), poor;
    cap_t device = make_in(kit.devices, OBJ_phys, 0x101000, PAGE);
    char *v;

    release_all(object);
    REFUSED(answer(object, 0, weak, 0, 1), ST_BAD_CAP, 0,
            "served.answer BAD_CAP: an alias without READ");
    REFUSED(answer(object, 0, NO_SLOT, 0, 1), ST_BAD_CAP, 0,
            "served.answer BAD_CAP: an alias of nothing");
    REFUSED(answer(object, 0, source, NPAGES - 1, 2), ST_SOURCE_MISSING, 0,
            "served.answer SOURCE_MISSING: an alias beyond the source's end");
    REFUSED(answer(object, 0, device, 0, 1), ST_SOURCE_MISSING, 0,
            "served.answer SOURCE_MISSING: an alias of a device");
    REFUSED(answer(object, 0, object, 4, 1), ST_LIMIT, 0,
            "served.answer LIMIT: an alias of itself");
    REFUSED(q_served_answer(object, memory_read(object).epoch, answer_what(ANSWER_ALIAS, 0, 1), 0,
                            source, 100),
            ST_BAD_ARG, 0, "served.answer BAD_ARG: an alias that is not aligned");
    drop(device);
    drop(weak);

    poor = script_object(s, tiny, PAGES(2), 4);
    must(q_bank_create(tiny, OBJ_bank, chain[0] = slot_new(), 1, 0, 0), "bank.create");
    REFUSED(answer(poor, 0, source, 0, 1), ST_NO_SPACE, 0, "served.answer NO_SPACE: an alias");
    must(q_bank_destroy(tiny), "bank.destroy");
    forget(poor), forget(chain[0]), forget(tiny);

    /* eight in a row, and one more */
    chain[0] = source;
    for (unsigned i = 1; i < 10; i++)
        chain[i] = script_object(s, 0, PAGES(NPAGES), 5 + i % 8);
    for (unsigned i = 1; i <= 8; i++)
        must(answer(chain[i], 0, chain[i - 1], 0, 4), "answer");
    v = kit_map(chain[8], PAGES(4), 0, RW);
    ok(number_at(v + PAGES(3)) == 3, "alias: eight links in a row lead to the page");
    q_debug_check(kit.debug);
    REFUSED(answer(chain[9], 0, chain[8], 0, 1), ST_LIMIT, 0,
            "served.answer LIMIT: the ninth link in a row");
    REFUSED(answer(chain[1], 8, chain[3], 8, 1), ST_LIMIT, 0, "served.answer LIMIT: a circle");
    store(from + PAGES(3), 33);
    ok(number_at(v + PAGES(3)) == 33, "alias: and to what is stored there");
    must(q_memory_release(writer, PAGES(3), PAGE), "release");
    same(number_at(v + PAGES(3)), 0, "alias: a page that is given up is gone at the other end");
    store(from + PAGES(3), 3);
    kit_unmap(v, PAGES(4));
    for (unsigned i = 1; i < 10; i++)
        drop(chain[1 + i * 4 % 9]);
    q_debug_check(kit.debug);
}

int main(void)
{
    kit_begin();
    load((void *)0x10000);
    s = script_new(space_new(kit.bank), 0);
    p = prober_new(NULL, 0);
    source = make(OBJ_anon, PAGES(NPAGES), 0);
    from = kit_map(source, PAGES(NPAGES), 0, RW);
    for (unsigned i = 0; i < NPAGES; i++)
        *(word_t *)(from + PAGES(i)) = i;
    writer = source;
    source = copy_of(writer, RIGHTS_ALL & ~MEMORY_WRITE);
    object = script_object(s, 0, PAGES(NPAGES), 1);
    view = kit_map(object, PAGES(NPAGES), 0, RW);
    test_waiting();
    {
        cap_t read_only = source;
        source = writer; /* moves need WRITE */
        test_source_pages();
        source = read_only;
    }
    test_private();
    test_ends();
    test_stacked();
    test_refused();
    return tap_end();
}
