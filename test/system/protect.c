/* SPDX-License-Identifier: MIT */
/*
 * Claim: a page may be there with less than its mappings allow.  Whoever only reads goes on; whoever
 * writes waits, the server hears why, and allows it, refuses it, or puts another page there; and
 * whatever ends while somebody waits so (the writer, its mapping, the page, the object, the server)
 * ends as if he waited for a page that is missing.
 *
 * It would fail if a PTE kept write, if a reader waited, if the page or a ticket were lost or woken
 * twice, or if a dirty bit went with the downgrade.
 */
#include "test/support/script.h"

#define RW        (MAP_READ | MAP_WRITE)
#define NPAGES    16
#define BIT_DIRTY 0x004ul
#define BIT_ASK   0x080ul

static struct script *s;
static cap_t object, source;
static char *view; /* the object, mapped */
static struct prober *p, *other;

static struct result answer(word_t what, word_t page, word_t from)
{
    return q_served_answer(object, memory_read(object).epoch, what, PAGES(page), from,
                           from ? PAGES(page) : 0);
}
static word_t change(word_t kind, word_t page, word_t npages)
{
    return must(answer(answer_what(kind, 0, npages), page, 0), "answer");
}
static word_t bits(word_t page)
{
    return page_read(object, PAGES(page)).bits;
}
static word_t state_of(const struct prober *who)
{
    return thread_read(who->worker->thread).state;
}

/* A page comes protected, with its number in it. */
static void bring(word_t page)
{
    same(must(answer(answer_what(ANSWER_COPY | ANSWER_PROTECTED, 0, PAGE), page, source), "answer"),
         1, "protect: page %lu comes protected", page);
}
/* ... and somebody waits to write to it. */
static bool begin_write(struct prober *who, word_t page)
{
    probe_start(who, PROBE_STORE, (word_t)view + PAGES(page), 99);
    return thread_reaches(who->worker->thread, THREAD_FAULTING);
}
static void bring_and_write(word_t page)
{
    s->answer = SCRIPT_SILENT;
    bring(page);
    script_clear(s);
    if (!begin_write(p, page))
        bail("nobody waits for page %lu", page);
}
static bool ends(struct prober *who, status_t status)
{
    return probe_wait(who) && who->touched.status == status;
}

/* ------------------------------------------------------------------------ what the server answers */

static void test_allow(void)
{
    const struct heard *h;

    s->answer = SCRIPT_COPY;
    s->flags = ANSWER_PROTECTED;
    s->on_write = SCRIPT_ALLOW;
    script_clear(s);
    ok(load(view) == 0x900 && (bits(0) & BIT_ASK), "protect: who reads a page has it as it comes");
    h = script_nth(s, MAPPING_resolve_fault, 0);
    ok(h && (h->fault.flags >> FAULT_WHY_SHIFT & FAULT_WHY_MASK) == FAULT_WHY_MISSING,
       "resolve_fault: of a missing page, why is MISSING");
    ok(probe(p, PROBE_STORE, view, 5)->status == ST_OK && load(view) == 5,
       "protect: who writes goes on when the server allows it");
    h = script_nth(s, MAPPING_resolve_fault, 1);
    ok(h && (h->fault.flags >> FAULT_WHY_SHIFT & FAULT_WHY_MASK) == FAULT_WHY_PROTECTED &&
           (h->fault.flags & FAULT_ACCESS_MASK) == ACCESS_STORE && h->fault.offset == 0 &&
           h->fault.vaddr == (word_t)view && h->fault.flags >> FAULT_PERMS_SHIFT == RW,
       "resolve_fault: of a write to a page that is there, why is PROTECTED");
    probe(p, PROBE_STORE, view, 6);
    ok(script_count(s, MAPPING_resolve_fault) == 2 && !(bits(0) & BIT_ASK),
       "protect: it is asked about once");
    ok(probe(p, PROBE_STORE, view + PAGE, 7)->status == ST_OK && load(view + PAGE) == 7 &&
           script_count(s, MAPPING_resolve_fault) == 4,
       "protect: who writes to a missing page that comes protected asks twice");
    s->flags = 0;
    q_debug_check(kit.debug);
}

static void test_readers(void)
{
    bring_and_write(2);
    ok(load(view + PAGES(2)) == 0x902 && script_count(s, MAPPING_resolve_fault) == 1,
       "protect: while somebody waits to write, others read, and nobody is asked");
    ok(begin_write(other, 2) && script_count(s, MAPPING_resolve_fault) == 1,
       "protect: a second writer joins the first");
    q_debug_check(kit.debug);
    same(change(ANSWER_ALLOW, 2, 1), 1, "protect: one page is allowed");
    ok(ends(p, ST_OK) && ends(other, ST_OK) && load(view + PAGES(2)) == 99,
       "protect: both writers go on");
    same(change(ANSWER_ALLOW, 2, 1), 0, "protect: what is allowed already is not taken");
}

static void test_error(void)
{
    bring_and_write(3);
    must(answer(answer_what(ANSWER_ERROR, ST_DENIED, 1), 3, 0), "answer");
    ok(ends(p, ST_DENIED), "protect: an error is the writer's");
    ok(load(view + PAGES(3)) == 0x903 && (bits(3) & BIT_ASK),
       "protect: and leaves the page as it is, and protected");
    s->answer = SCRIPT_ERROR;
    s->on_write = SCRIPT_ERROR;
    s->status = ST_INTEGRITY;
    ok(probe(p, PROBE_STORE, view + PAGES(3), 1)->status == ST_INTEGRITY,
       "protect: the next write asks anew");
    s->on_write = SCRIPT_ALLOW;
}

/* Another page in place of the protected one, by each kind of answer. */
static void test_replace(void)
{
    struct space *c = space_new(kit.bank);
    struct prober *far = prober_new(c, 0);
    char *there = fresh_range(PAGES(NPAGES));
    word_t used, paddr;

    space_map(c, there, object, PAGES(NPAGES), 0, MAP_READ);
    bring_and_write(4);
    probe(far, PROBE_LOAD, there + PAGES(4), 0);
    paddr = page_read(object, PAGES(4)).paddr;
    used = pages_used();
    same(page_read(object, PAGES(4)).mappings, 1, "protect: the writer has no entry yet");
    same(change(ANSWER_ZERO, 4, 1), 1, "protect: zeros take the place of the page");
    ok(ends(p, ST_OK) && load(view + PAGES(4)) == 99 && load(view + PAGES(4) + 8) == 0,
       "protect: and the writer has them");
    ok(probe(far, PROBE_LOAD, there + PAGES(4), 0)->result == 99,
       "protect: so has everybody else, though the old page was mapped");
    ok(!(bits(4) & BIT_ASK) && pages_used() == used && page_read(object, PAGES(4)).paddr != paddr,
       "protect: the old page is given back, and the new one not protected");
    bring_and_write(5);
    same(must(answer(answer_what(ANSWER_COPY | ANSWER_PROTECTED, 0, 8), 5, source), "answer"), 1,
         "protect: a copy takes the place of the page, protected itself");
    ok(thread_reaches(p->worker->thread, THREAD_FAULTING) && load(view + PAGES(5)) == 0x905 &&
           change(ANSWER_ALLOW, 5, 1) == 1 && ends(p, ST_OK),
       "protect: then the writer asks again");
    bring_and_write(6);
    same(must(answer(answer_what(ANSWER_MOVE, 0, 1), 6, source), "answer"), 1,
         "protect: a page that moves takes the place of the page");
    ok(ends(p, ST_OK) && load(view + PAGES(6)) == 99 && page_read(source, PAGES(6)).state == 0,
       "protect: and leaves its source");
    bring(7);
    same(change(ANSWER_ZERO, 7, 1), 0, "protect: a page that nobody waits to write to is kept");
    same(load(view + PAGES(7)), 0x907, "protect: with what is in it");
    REFUSED(answer(answer_what(ANSWER_MOVE, 0, 1), 8, object), ST_SOURCE_MISSING, 0,
            "protect: a protected page cannot leave by move");
    q_debug_check(kit.debug);
    prober_drop(far);
    space_drop(c);
}

/* PROTECT on pages that are in use. */
static void test_downgrade(void)
{
    struct space *c = space_new(kit.bank);
    struct prober *far = prober_new(c, 0);
    char *there = fresh_range(PAGES(NPAGES));

    space_map(c, there, object, PAGES(NPAGES), 0, RW);
    must(q_memory_release(object, PAGES(8), PAGES(3)), "release");
    s->answer = SCRIPT_ZERO;
    s->on_write = SCRIPT_SILENT;
    probe(p, PROBE_STORE, view + PAGES(8), 1);
    probe(far, PROBE_STORE, there + PAGES(8), 2);
    load(view + PAGES(9));
    same(change(ANSWER_PROTECT, 8, 3), 2, "protect: pages that are there are taken, others not");
    q_debug_check(kit.debug);
    ok((bits(8) & BIT_DIRTY) && (bits(8) & BIT_ASK) && page_read(object, PAGES(8)).mappings == 2,
       "protect: what the entries knew of writes is kept, and they stay");
    script_clear(s);
    ok(load(view + PAGES(8)) == 2 && begin_write(p, 8), "protect: one space waits to write");
    probe_start(far, PROBE_STORE, (word_t)there + PAGES(8), 3);
    ok(thread_reaches(far->worker->thread, THREAD_FAULTING) &&
           script_count(s, MAPPING_resolve_fault) == 1,
       "protect: and so does the other");
    same(change(ANSWER_PROTECT, 8, 1), 0, "protect: what is protected already is not taken");
    change(ANSWER_ALLOW, 8, 1);
    ok(ends(p, ST_OK) && ends(far, ST_OK), "protect: both go on");
    must(q_aspace_protect(SLOT_ASPACE, (word_t)view + PAGES(9), PAGE, MAP_READ), "protect");
    must(q_aspace_protect(SLOT_ASPACE, (word_t)view + PAGES(9), PAGE, RW), "protect");
    q_debug_check(kit.debug);
    script_clear(s);
    ok(begin_write(p, 9) && script_count(s, MAPPING_resolve_fault) == 1,
       "protect: aspace.protect does not give what the page withholds");
    change(ANSWER_ALLOW, 9, 1);
    ok(ends(p, ST_OK), "protect: what the server allows");
    prober_drop(far);
    space_drop(c);
}

static void test_refused(void)
{
    static const word_t kinds[] = {0,
                                   8,
                                   ANSWER_ERROR | ANSWER_PROTECTED,
                                   ANSWER_PROTECT | ANSWER_PROTECTED,
                                   ANSWER_ALLOW | ANSWER_PROTECTED,
                                   ANSWER_PROTECTED};

    bring_and_write(10);
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
        REFUSED(answer(answer_what(kinds[i], ST_IO, 1), 10, 0), ST_BAD_ARG, 0,
                "protect: kind %#lx is none", kinds[i]);
    REFUSED(answer(answer_what(ANSWER_ALLOW, 0, 0), 10, 0), ST_BAD_ARG, 0,
            "protect: no pages are allowed");
    REFUSED(answer(answer_what(ANSWER_ALLOW, 0, 1), NPAGES, 0), ST_PAST_END, 0,
            "protect: pages beyond the end are allowed");
    REFUSED(q_served_answer(object, memory_read(object).epoch + 1, answer_what(ANSWER_ALLOW, 0, 1),
                            PAGES(10), 0, 0),
            ST_STALE, memory_read(object).epoch, "protect: the answer of another epoch");
    same(state_of(p), THREAD_FAULTING, "protect: none of these wakes the writer");
    must(answer(answer_what(ANSWER_ALLOW, 0, 1), 10, 0), "answer");
    ok(ends(p, ST_OK), "protect: the right one does");
}

/* ------------------------------------------------------------------- what ends while one waits */

static void test_writer_dies(void)
{
    struct prober *third = prober_new(NULL, 0);

    bring_and_write(11);
    probe_start(third, PROBE_STORE, (word_t)view + PAGES(11) + 8, 7);
    ok(thread_reaches(third->worker->thread, THREAD_FAULTING), "protect: two writers wait");
    must(q_thread_stop(p->worker->thread), "stop");
    q_debug_check(kit.debug);
    ok(state_of(third) == THREAD_FAULTING && script_count(s, MAPPING_resolve_fault) == 1,
       "protect: the first is stopped, the second waits on, and nothing is asked again");
    change(ANSWER_ALLOW, 11, 1);
    ok(ends(third, ST_OK) && load(view + PAGES(11)) == 0x90b && load(view + PAGES(11) + 8) == 7,
       "protect: and goes on when it is allowed");
    change(ANSWER_PROTECT, 11, 1);
    prober_drop(p);
    p = prober_new(NULL, 0);
    if (!begin_write(p, 11))
        bail("nobody waits");
    must(q_thread_stop(p->worker->thread), "stop");
    q_debug_check(kit.debug);
    ok(bits(11) & BIT_ASK, "protect: the last writer is stopped, the page is as it was");
    same(change(ANSWER_ALLOW, 11, 1), 1, "protect: a late answer still allows it");
    prober_drop(p);
    p = prober_new(NULL, 0);
    prober_drop(third);
}

static void test_page_goes(void)
{
    bring_and_write(12);
    same(must(q_memory_release(object, PAGES(12), PAGE), "release"), 1,
         "protect: the page that somebody waits to write to is given up");
    let_run();
    ok(state_of(p) == THREAD_FAULTING && page_read(object, PAGES(12)).state == 2,
       "protect: the writer waits for it as for a missing page now");
    ok(script_count(s, MAPPING_resolve_fault) == 2 &&
           (script_nth(s, MAPPING_resolve_fault, 1)->fault.flags >> FAULT_WHY_SHIFT &
            FAULT_WHY_MASK) == FAULT_WHY_MISSING,
       "protect: and the server hears so");
    must(answer(answer_what(ANSWER_ZERO, 0, 1), 12, 0), "answer");
    ok(ends(p, ST_OK), "protect: which it answers");
}

static void test_mapping_goes(void)
{
    char *whole = view;

    view = kit_map(object, PAGES(NPAGES), 0, RW);
    bring_and_write(13);
    must(q_aspace_unmap(SLOT_ASPACE, (word_t)view, PAGES(13)), "unmap");
    q_debug_check(kit.debug);
    same(state_of(p), THREAD_FAULTING, "protect: other pages are unmapped, the writer waits on");
    must(q_aspace_unmap(SLOT_ASPACE, (word_t)view + PAGES(14), PAGES(2)), "unmap");
    change(ANSWER_ALLOW, 13, 1);
    ok(ends(p, ST_OK) && load(view + PAGES(13)) == 99,
       "protect: and has its page in the piece that is left");
    change(ANSWER_PROTECT, 13, 1);
    if (!begin_write(p, 13))
        bail("nobody waits");
    must(q_aspace_protect(SLOT_ASPACE, (word_t)view + PAGES(13), PAGE, MAP_READ), "protect");
    ok(ends(p, ST_FORBIDDEN), "protect: the mapping loses write, the writer hears FORBIDDEN");
    must(q_aspace_protect(SLOT_ASPACE, (word_t)view + PAGES(13), PAGE, RW), "protect");
    if (!begin_write(p, 13))
        bail("nobody waits");
    must(q_aspace_unmap(SLOT_ASPACE, (word_t)view + PAGES(13), PAGE), "unmap");
    ok(ends(p, ST_NO_REGION) && (bits(13) & BIT_ASK),
       "protect: the mapping goes, the writer hears NO_REGION, the page is as it was");
    view = whole;
    q_debug_check(kit.debug);
}

static void test_server_goes(void)
{
    struct script *successor = script_new(NULL, 0);
    const struct heard *h;

    bring_and_write(14);
    must(q_served_attach(object, successor->endpoint), "attach");
    successor->answer = SCRIPT_SILENT;
    successor->on_write = SCRIPT_SILENT;
    h = script_nth(successor, MAPPING_resolve_fault, 0);
    ok(h && h->fault.offset == PAGES(14) && state_of(p) == THREAD_FAULTING &&
           (h->fault.flags >> FAULT_WHY_SHIFT & FAULT_WHY_MASK) == FAULT_WHY_PROTECTED,
       "protect: a successor is asked again, and hears why");
    q_debug_check(kit.debug);
    worker_drop(successor->worker);
    ok(ends(p, ST_OWNER_DEAD), "protect: it dies, the writer hears OWNER_DEAD");
    ok(load(view + PAGES(14)) == 0x90e && (bits(14) & BIT_ASK) &&
           probe(p, PROBE_STORE, view + PAGES(14), 1)->status == ST_OWNER_DEAD,
       "protect: the page can still be read, and not written");
    drop(successor->endpoint);
    must(q_served_attach(object, s->endpoint), "attach");
}

static void test_object_goes(void)
{
    cap_t whole = object, bank = make(OBJ_bank, 40, 0);
    char *old = view;

    object = script_object(s, bank, PAGES(NPAGES), 2);
    view = kit_map(object, PAGES(NPAGES), 0, RW);
    bring_and_write(15);
    must(q_bank_destroy(bank), "bank.destroy");
    ok(ends(p, ST_NO_REGION), "protect: the object goes, the writer hears NO_REGION");
    q_debug_check(kit.debug);
    forget(object);
    forget(bank);
    object = whole;
    view = old;
}

/* ------------------------------------------------------------------------------------- the history */

struct waits {
    word_t count, ticks, longest;
};

static struct waits waits_of(const char *name)
{
    char owner[OWNER_NAME_BYTES + 1] = "";

    for (word_t i = 0;; i++) {
        struct message m = {.words = {i}};

        must((struct result){q_operation(kit.debug, OP_debug_served, 1, &m), 0}, "debug.served");
        if (message_nwords(&m) == 0)
            bail("no object is called %s", name);
        message_get_bytes(&m, 4, owner, OWNER_NAME_BYTES);
        if (__builtin_strcmp(owner, name) == 0)
            return (struct waits){m.words[1], m.words[2], m.words[3]};
    }
}

static void test_history(void)
{
    struct declaration d = script_declaration();
    cap_t o = script_object(s, 0, PAGES(4), 3), whole = object;
    char *old = view;
    struct waits w;
    word_t ticks;

    d.name = "history";
    declare(o, &d);
    object = o;
    view = kit_map(o, PAGES(4), 0, RW);
    s->answer = SCRIPT_ZERO;
    ok(waits_of("history").count == 0, "debug.served: nobody has waited yet");
    for (unsigned i = 0; i < 3; i++)
        load(view + PAGES(i));
    w = waits_of("history");
    same(w.count, 3, "debug.served: three waits are over");
    s->answer = SCRIPT_SILENT;
    probe_start(p, PROBE_LOAD, (word_t)view + PAGES(3), 0);
    thread_reaches(p->worker->thread, THREAD_FAULTING);
    ticks = counters_read().ticks;
    for (unsigned i = 0; i < 3000000 && counters_read().ticks < ticks + 3; i++)
        ;
    same(waits_of("history").count, 3, "debug.served: one that lasts is not counted yet");
    must(answer(answer_what(ANSWER_ZERO, 0, 1), 3, 0), "answer");
    probe_wait(p);
    ok(waits_of("history").count == 4 && waits_of("history").longest >= 3 &&
           waits_of("history").ticks >= w.ticks + 3 &&
           waits_of("history").ticks >= waits_of("history").longest,
       "debug.served: and then with its ticks, in all and as the longest");
    kit_unmap(view, PAGES(4));
    drop(o);
    object = whole;
    view = old;
}

int main(void)
{
    word_t *fill;

    kit_begin();
    load((void *)0x10000);
    s = script_new(space_new(kit.bank), 0);
    source = make(OBJ_anon, PAGES(NPAGES), 0);
    fill = kit_map(source, PAGES(NPAGES), 0, RW);
    for (unsigned i = 0; i < NPAGES; i++)
        fill[i * PAGE / sizeof *fill] = 0x900 + i;
    s->source = source;
    object = script_object(s, 0, PAGES(NPAGES), 1);
    view = kit_map(object, PAGES(NPAGES), 0, RW);
    p = prober_new(NULL, 0);
    other = prober_new(NULL, 0);

    test_allow();
    s->on_write = SCRIPT_SILENT;
    test_readers();
    test_error();
    s->on_write = SCRIPT_SILENT;
    test_replace();
    test_downgrade();
    test_refused();
    test_writer_dies();
    test_page_goes();
    test_mapping_goes();
    test_server_goes();
    test_object_goes();
    test_history();
    return tap_end();
}
