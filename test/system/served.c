/* SPDX-License-Identifier: MIT */
/*
 * Claim: a served object takes declarations and answers from its owner alone, each mistake of an
 * answer is refused as a whole, events come in order and are never lost, and no page has more than
 * one question open.
 *
 * It would fail if an answer with a bad second extent left its first behind, if a fault overtook an
 * earlier event, if a second faulter asked again, or if an answer for a past state were taken.
 */
#include "test/support/script.h"

#define RW     (MAP_READ | MAP_WRITE)
#define NPAGES 32

static struct script *s;
static cap_t object, source;
static char *view; /* the object, mapped */

/* One extent. */
static struct result answer(word_t epoch, word_t what, word_t offset, cap_t from, word_t at)
{
    return q_served_answer(object, epoch, what, offset, from, at);
}

/* Two extents in one message. */
static struct result answer2(word_t epoch, const word_t first[4], const word_t second[4])
{
    struct message m = {0};
    status_t status;

    m.words[0] = epoch;
    for (unsigned i = 0; i < 4; i++) {
        message_set_word(&m, 1 + i, first[i]);
        message_set_word(&m, 5 + i, second[i]);
    }
    status = q_operation(object, OP_served_answer, 9, &m);
    return (struct result){status, m.words[0]};
}

#define ZERO(n)       answer_what(ANSWER_ZERO, 0, n)
#define COPY(n)       answer_what(ANSWER_COPY, 0, n)
#define MOVE(n)       answer_what(ANSWER_MOVE, 0, n)
#define FAILED(st, n) answer_what(ANSWER_ERROR, st, n)

/* -------------------------------------------------------------------------------- declare, attach */

static void test_declare(void)
{
    cap_t o = make(OBJ_served, PAGES(2), 3), weak = copy_of(o, MEMORY_READ);
    struct {
        word_t w[5], index;
        const char *what;
    } bad[] = {
        {{0x80, 7, 7, 0, 1}, 0, "unknown flags"},
        {{1, 8, 7, 0, 1}, 1, "unknown permissions"},
        {{1, 7, DECLARE_REFUSED | 1, 0, 1}, 2, "refused and yet permitted"},
        {{1, 7, 7, 1 << 20, 1}, 3, "unknown events"},
        {{1, 7, 7, 0, 1ul << 40}, 4, "2^40 mappings"},
    };

    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        REFUSED(
            q_served_declare(o, bad[i].w[0], bad[i].w[1], bad[i].w[2], bad[i].w[3], bad[i].w[4]),
            ST_BAD_ARG, bad[i].index, "served.declare BAD_ARG: %s, detail is the argument index",
            bad[i].what);
    ok(q_memory_info(o, 0, PAGE, 0).status == ST_NOT_SUPPORTED,
       "served.declare that is refused declares nothing");
    REFUSED(q_served_declare(weak, 1, 7, 7, 0, 1), ST_NO_RIGHT, MEMORY_OWN,
            "served.declare needs right OWN");
    REFUSED(q_served_answer(weak, 0, ZERO(1), 0, 0, 0), ST_NO_RIGHT, MEMORY_OWN,
            "served.answer needs right OWN");
    drop(weak);
    weak = copy_of(s->endpoint, ENDPOINT_SEND);
    REFUSED(q_served_attach(o, weak), ST_BAD_CAP, 0,
            "served.attach BAD_CAP: endpoint without right RECEIVE");
    REFUSED(q_served_attach(o, SLOT_BANK), ST_BAD_CAP, 0, "served.attach BAD_CAP: no endpoint");
    same(memory_read(o).epoch, 0, "served.attach that is refused leaves the epoch");
    must(q_served_attach(o, s->endpoint), "attach");
    same(memory_read(o).epoch, 1, "served.attach raises the epoch");
    drop(weak);
    drop(o);
}

/* ------------------------------------------------------------------------------------------ answer */

/* Nobody waits for any of these: they fill ahead. */
static void test_answer_errors(void)
{
    word_t epoch = memory_read(object).epoch, resident;
    cap_t reader = copy_of(source, MEMORY_READ), blind = copy_of(source, MEMORY_WRITE);
    struct message m = {.words = {epoch, ZERO(1), 0, 0, 0, 7}};

    /* the index nodes of the first pages are there from here on */
    must(answer(epoch, ZERO(1), PAGES(31), 0, 0), "answer");
    resident = memory_read(object).resident;

    REFUSED(answer(epoch + 1, ZERO(1), 0, 0, 0), ST_STALE, epoch,
            "served.answer STALE: another epoch, detail is the object's");
    REFUSED(answer(epoch, answer_what(9, 0, 1), 0, 0, 0), ST_BAD_ARG, 0,
            "served.answer BAD_ARG: unknown kind, detail is the extent's index");
    REFUSED(answer(epoch, 0, 0, 0, 0), ST_BAD_ARG, 0, "served.answer BAD_ARG: no kind");
    REFUSED(answer(epoch, ZERO(1), 8, 0, 0), ST_BAD_ARG, 0,
            "served.answer BAD_ARG: unaligned offset");
    REFUSED(answer(epoch, ZERO(0), 0, 0, 0), ST_BAD_ARG, 0, "served.answer BAD_ARG: no pages");
    REFUSED(answer(epoch, ZERO(257), 0, 0, 0), ST_BAD_ARG, 0,
            "served.answer BAD_ARG: 257 pages of zeros");
    REFUSED(answer(epoch, COPY(PAGES(16) + 1), 0, source, 0), ST_BAD_ARG, 0,
            "served.answer BAD_ARG: 17 pages by copy");
    REFUSED(answer(epoch, MOVE(1), 0, source, 100), ST_BAD_ARG, 0,
            "served.answer BAD_ARG: unaligned source of a move");
    REFUSED(answer(epoch, FAILED(ST_OK, 1), 0, 0, 0), ST_BAD_ARG, 0,
            "served.answer BAD_ARG: OK is no error");
    REFUSED(answer(epoch, FAILED(ST_BAD_CAP, 1), 0, 0, 0), ST_BAD_ARG, 0,
            "served.answer BAD_ARG: an error that is none of a page");
    message_prepare(&m, 0, 0, 0);
    REFUSED(((struct result){q_operation(object, OP_served_answer, 6, &m), m.words[0]}), ST_BAD_ARG,
            1, "served.answer BAD_ARG: an extent and a fifth of the next, detail is its index");
    REFUSED(answer(epoch, ZERO(1), PAGES(NPAGES), 0, 0), ST_PAST_END, 0,
            "served.answer PAST_END: an offset at the end, detail is the extent's index");
    REFUSED(answer(epoch, ZERO(3), PAGES(NPAGES - 2), 0, 0), ST_PAST_END, 0,
            "served.answer PAST_END: two pages are there, three are given");
    REFUSED(answer(epoch, COPY(1), 0, SLOT_BANK, 0), ST_BAD_CAP, 0,
            "served.answer BAD_CAP: a source that is no memory object");
    REFUSED(answer(epoch, COPY(1), 0, blind, 0), ST_BAD_CAP, 0,
            "served.answer BAD_CAP: a copy from a capability without READ");
    REFUSED(answer(epoch, MOVE(1), 0, reader, 0), ST_BAD_CAP, 0,
            "served.answer BAD_CAP: a move from a capability without WRITE");
    REFUSED(answer(epoch, MOVE(1), 0, source, PAGES(40)), ST_SOURCE_MISSING, 0,
            "served.answer SOURCE_MISSING: a source page that nobody touched");
    REFUSED(answer(epoch, COPY(2), 0, source, PAGES(64) - 1), ST_SOURCE_MISSING, 0,
            "served.answer SOURCE_MISSING: bytes beyond the source's end");
    REFUSED(answer(epoch, MOVE(1), 0, kit.bundle, 0), ST_BAD_CAP, 0,
            "served.answer BAD_CAP: what may only be read cannot be moved");
    REFUSED(answer2(epoch, (word_t[]){ZERO(2), 0, 0, 0}, (word_t[]){ZERO(1), 12, 0, 0}), ST_BAD_ARG,
            1, "served.answer BAD_ARG: the second extent is wrong, detail is its index");
    REFUSED(answer2(epoch, (word_t[]){ZERO(2), 0, 0, 0}, (word_t[]){COPY(8), PAGES(2), 0, 0}),
            ST_BAD_CAP, 1, "served.answer BAD_CAP: the second extent has no source");
    REFUSED(answer2(epoch, (word_t[]){MOVE(1), 0, source, 0},
                    (word_t[]){MOVE(1), PAGE, source, PAGES(40)}),
            ST_SOURCE_MISSING, 1, "served.answer SOURCE_MISSING: of the second extent");
    ok(memory_read(object).resident == resident && page_read(source, 0).state == 1,
       "served.answer that is refused gives no page and takes none");
    drop(reader);
    drop(blind);
}

static void test_answer_space(void)
{
    cap_t bank = make(OBJ_bank, 6, 0), kept = object;
    struct declaration d = script_declaration();
    struct result r;
    word_t left;

    object = make_in(bank, OBJ_served, PAGES(16), 5);
    declare(object, &d);
    must(q_served_attach(object, s->endpoint), "attach");
    must(answer(1, ZERO(1), 0, 0, 0), "answer");
    left = bank_read(bank).limit - bank_read(bank).used;
    REFUSED(answer(1, ZERO(10), PAGE, 0, 0), ST_NO_SPACE, left,
            "served.answer NO_SPACE: the object's bank, detail is the pages left");
    same(memory_read(object).resident, 1, "served.answer NO_SPACE gives no page");
    /* fill the bank, then ask for a page where one is there only until the same answer moves it */
    must(answer(1, ZERO(left), PAGE, 0, 0), "answer");
    r = answer2(1, (word_t[]){MOVE(1), PAGES(10), object, PAGE}, (word_t[]){ZERO(1), PAGE, 0, 0});
    ok(r.status == ST_OK && r.value == 1 && bank_read(bank).used == bank_read(bank).limit,
       "served.answer: of a full bank no page is had by moving another away first");
    drop(object);
    drop(bank);
    object = kept;
}

static void test_prefetch(void)
{
    word_t epoch = memory_read(object).epoch, faults;
    struct result r;

    script_clear(s);
    r = answer(epoch, COPY(PAGES(2)), PAGES(4), source, 0);
    ok(r.status == ST_OK && r.value == 2, "served.answer: what nobody asked for is filled ahead");
    faults = script_count(s, MAPPING_resolve_fault);
    ok(load(view + PAGES(5)) == 0x5001 && script_count(s, MAPPING_resolve_fault) == faults,
       "a page filled ahead is there without a question");
    r = answer(epoch, COPY(PAGES(3)), PAGES(4), source, PAGES(8));
    ok(r.status == ST_OK && r.value == 1, "served.answer counts the pages it took");
    same(load(view + PAGES(4)), 0x5000, "a page that is there already is kept");
    r = answer(epoch, MOVE(1), PAGES(4), source, PAGES(9));
    ok(r.status == ST_OK && r.value == 0 && page_read(source, PAGES(9)).state == 1,
       "the frame offered for a page that is there stays with its sender");
    r = answer2(epoch, (word_t[]){ZERO(1), PAGES(7), 0, 0},
                (word_t[]){COPY(8), PAGES(8), source, 16 * 512});
    ok(r.status == ST_OK && r.value == 2 && load(view + PAGES(8)) == 0x5002 &&
           load(view + PAGES(8) + 8) == 0,
       "served.answer: two extents, and what a copy does not cover is zero");
}

/* Large answers, and answers that take from where they give. */
static void test_answer_shapes(void)
{
    cap_t kept = object, big = make(OBJ_anon, PAGES(1200), 0);
    struct declaration d = script_declaration();
    word_t *from = kit_map(big, PAGES(1200), 0, RW), *to, epoch = 1, used;
    struct message m = {0};
    struct result r;
    bool right = true;

    for (word_t i = 0; i < 1200; i++)
        from[i * 512] = 0xb000 + i;
    object = make(OBJ_served, PAGES(2000), 9);
    declare(object, &d);
    must(q_served_attach(object, s->endpoint), "attach");
    to = kit_map(object, PAGES(2000), 0, RW);
    s->answer = SCRIPT_ZERO;
    s->objects[9] = object;
    load(to + 512 * 1999);

    r = answer(epoch, MOVE(256), PAGES(400), big, PAGES(300));
    for (word_t i = 0; i < 256; i++)
        right = right && load(to + (400 + i) * 512) == 0xb000 + 300 + i &&
                page_read(big, PAGES(300 + i)).state == 0;
    ok(r.status == ST_OK && r.value == 256 && right,
       "served.answer: 256 pages moved at once, across tables on both sides");
    r = answer(epoch, COPY(PAGES(16)), PAGES(1020), big, PAGES(1000) + 8);
    for (word_t i = 0; i < 15; i++)
        right = right && load(to + (1021 + i) * 512 - 1) == 0xb000 + 1001 + i;
    ok(r.status == ST_OK && r.value == 16 && right,
       "served.answer: 16 pages copied from a byte offset, across tables");

    for (unsigned i = 0; i < 15; i++) {
        message_set_word(&m, 1 + 4 * i, i % 2 ? ZERO(1) : MOVE(1));
        message_set_word(&m, 2 + 4 * i, PAGES(1500 - i));
        message_set_word(&m, 3 + 4 * i, big);
        message_set_word(&m, 4 + 4 * i, PAGES(i));
    }
    m.words[0] = epoch;
    r = (struct result){q_operation(object, OP_served_answer, 61, &m), m.words[0]};
    ok(r.status == ST_OK && r.value == 15 && load(to + 1498 * 512) == 0xb002 &&
           load(to + 1497 * 512) == 0,
       "served.answer: fifteen extents in one message");

    r = answer2(epoch, (word_t[]){MOVE(1), PAGES(10), big, PAGES(20)},
                (word_t[]){MOVE(1), PAGES(11), big, PAGES(20)});
    ok(r.status == ST_OK && r.value == 1 && load(to + 10 * 512) == 0xb014 &&
           page_read(object, PAGES(11)).state == 0,
       "served.answer: a page that is moved twice in one answer goes to the first place");

    used = memory_read(object).resident;
    r = answer(epoch, MOVE(1), PAGES(12), object, PAGES(10));
    ok(r.status == ST_OK && r.value == 1 && load(to + 12 * 512) == 0xb014 &&
           page_read(object, PAGES(10)).state == 0 && memory_read(object).resident == used,
       "served.answer: a page may move within its object");
    r = answer(epoch, MOVE(2), PAGES(13), object, PAGES(12));
    ok(r.status == ST_SOURCE_MISSING || (r.status == ST_OK && r.value <= 2),
       "served.answer: a range that moves onto itself leaves the object whole");
    r = answer(epoch, MOVE(1), PAGES(12), object, PAGES(12));
    ok(r.status == ST_OK && r.value == 0 && load(to + 12 * 512) == 0xb014,
       "served.answer: a page moved onto itself stays");
    r = answer(epoch, COPY(PAGE), PAGES(14), object, PAGES(12));
    ok(r.status == ST_OK && load(to + 14 * 512) == 0xb014,
       "served.answer: a page may be copied within its object");
    from[30 * 512] = 0xabc;
    r = answer2(epoch, (word_t[]){MOVE(1), PAGES(20), big, PAGES(30)},
                (word_t[]){COPY(PAGE), PAGES(21), big, PAGES(30)});
    ok(r.status == ST_OK && r.value == 1 && page_read(object, PAGES(21)).state == 0,
       "served.answer: a copy of what the same answer moved away is not taken");
    q_debug_check(kit.debug);
    kit_unmap(from, PAGES(1200));
    kit_unmap(to, PAGES(2000));
    drop(object);
    drop(big);
    object = kept;
}

/* ----------------------------------------------------------------------------------------- tickets */

static void test_tickets(void)
{
    struct prober *p[8];
    const struct heard *h;
    bool all = true;

    s->answer = SCRIPT_SILENT;
    script_clear(s);
    for (unsigned i = 0; i < 8; i++) {
        p[i] = prober_new(NULL, 0);
        probe_start(p[i], PROBE_LOAD, (word_t)view + PAGES(10) + 8 * i, 0);
        all = thread_reaches(p[i]->worker->thread, THREAD_FAULTING) && all;
    }
    ok(all, "eight threads wait for one page");
    same(script_count(s, MAPPING_resolve_fault), 1,
         "tickets: eight threads on one page, one message");
    same(page_read(object, PAGES(10)).state, 2, "tickets: the page is awaited");
    h = script_nth(s, MAPPING_resolve_fault, 0);

    /* the first waiter goes: the ticket passes on; and one from the middle */
    must(q_thread_stop(p[0]->worker->thread), "stop");
    must(q_thread_stop(p[4]->worker->thread), "stop");
    same(page_read(object, PAGES(10)).state, 2, "tickets: the next waiter takes over");
    q_debug_check(kit.debug); /* it was asked for: the heir must know */
    must(answer(h->fault.epoch, COPY(PAGE), PAGES(10), source, PAGES(3)), "answer");
    all = true;
    for (unsigned i = 1; i < 8; i++)
        if (i != 4)
            all = probe_wait(p[i]) && p[i]->touched.status == ST_OK &&
                  p[i]->touched.result == (i == 0 ? 0x5003 : 0) && all;
    ok(all, "tickets: one answer wakes all that wait");
    for (unsigned i = 0; i < 8; i++)
        prober_drop(p[i]);

    /* an error is for all of them too */
    all = true;
    for (unsigned i = 0; i < 3; i++) {
        p[i] = prober_new(NULL, 0);
        probe_start(p[i], PROBE_LOAD, (word_t)view + PAGES(13) + 8 * i, 0);
        thread_reaches(p[i]->worker->thread, THREAD_FAULTING);
    }
    must(answer(h->fault.epoch, FAILED(ST_INTEGRITY, 1), PAGES(13), 0, 0), "answer");
    for (unsigned i = 0; i < 3; i++) {
        all = probe_wait(p[i]) && p[i]->touched.status == ST_INTEGRITY && all;
        prober_drop(p[i]);
    }
    ok(all, "tickets: one error reaches all that wait");

    /* the last waiter goes: the ticket is cancelled in silence, a late answer is prefetch */
    script_clear(s);
    p[0] = prober_new(NULL, 0);
    probe_start(p[0], PROBE_LOAD, (word_t)view + PAGES(11), 0);
    thread_reaches(p[0]->worker->thread, THREAD_FAULTING);
    h = script_nth(s, MAPPING_resolve_fault, 0);
    must(q_thread_stop(p[0]->worker->thread), "stop");
    same(page_read(object, PAGES(11)).state, 0, "tickets: without a waiter there is no ticket");
    same(must(answer(h->fault.epoch, ZERO(1), PAGES(11), 0, 0), "answer"), 1,
         "tickets: a late answer is prefetch");
    prober_drop(p[0]);
}

static void test_epoch(void)
{
    struct prober *p = prober_new(NULL, 0);
    word_t before;

    s->answer = SCRIPT_SILENT;
    script_clear(s);
    probe_start(p, PROBE_LOAD, (word_t)view + PAGES(12), 0);
    thread_reaches(p->worker->thread, THREAD_FAULTING);
    script_settle(s);
    before = memory_read(object).epoch;
    must(q_served_attach(object, s->endpoint), "attach");
    script_settle(s);
    same(script_count(s, MAPPING_resolve_fault), 2, "served.attach: an open ticket is heard again");
    REFUSED(answer(before, ZERO(1), PAGES(12), 0, 0), ST_STALE, before + 1,
            "served.answer STALE: the epoch of the ticket before the attach");
    same(thread_read(p->worker->thread).state, THREAD_FAULTING,
         "a stale answer touches nothing: the thread still waits");
    must(answer(before + 1, ZERO(1), PAGES(12), 0, 0), "answer");
    ok(probe_wait(p) && p->touched.status == ST_OK, "the answer with the new epoch is taken");
    prober_drop(p);
}

/* ------------------------------------------------------------------------------------------ events */

/* What nobody listened to is heard in the order in which it happened. */
static void test_backlog(void)
{
    cap_t gate = make(OBJ_endpoint, 0, 0), o = make(OBJ_served, PAGES(8), 7);
    struct declaration d = script_declaration();
    char *at[3];
    bool in_order = true;

    s->objects[7] = o;
    declare(o, &d);
    must(q_served_attach(o, gate), "attach"); /* nobody listens there */
    for (unsigned i = 0; i < 3; i++)
        at[i] = kit_map(o, PAGES(2), PAGES(2) * i, RW);
    script_clear(s);
    must(q_served_attach(o, s->endpoint), "attach");
    script_settle(s);
    for (unsigned i = 0; i < 3; i++) {
        const struct heard *h = script_nth(s, MAPPING_on_mapped, i);
        in_order = in_order && h && h->mapping.vaddr == (word_t)at[i];
    }
    ok(in_order, "events: a backlog of three mappings is heard in order");
    for (unsigned i = 0; i < 3; i++)
        kit_unmap(at[i], PAGES(2));
    script_settle(s);
    drop(o);
    drop(gate);
}

/* A pager that is busy hears everything later, in order: mapped, fault, unmapped. */
static void test_order(void)
{
    cap_t gate = make(OBJ_endpoint, 0, 0), o;
    struct declaration d = script_declaration();
    struct prober *p = prober_new(NULL, 0);
    char *v = fresh_range(PAGES(8));
    bool rising = true;
    word_t last = 0;

    s->answer = SCRIPT_ZERO;
    o = make(OBJ_served, PAGES(8), 6);
    s->objects[6] = o;
    declare(o, &d);
    must(q_served_attach(o, gate), "attach"); /* nobody listens there */
    must(q_aspace_map(SLOT_ASPACE, (word_t)v, PAGES(8), o, 0, RW), "map");
    must(q_aspace_unmap(SLOT_ASPACE, (word_t)v, PAGES(8)), "unmap");
    must(q_aspace_map(SLOT_ASPACE, (word_t)v, PAGES(8), o, 0, RW), "map");
    ok(touch(PROBE_LOAD, v)->status == ST_OWNER_DEAD,
       "a missing page of an object without a listening server is OWNER_DEAD");
    script_clear(s);
    must(q_served_attach(o, s->endpoint), "attach");
    probe(p, PROBE_LOAD, v + PAGE, 0);
    must(q_aspace_unmap(SLOT_ASPACE, (word_t)v, PAGES(8)), "unmap");
    script_settle(s);
    ok(s->nheard == 3 && s->heard[0].what == MAPPING_on_mapped &&
           s->heard[1].what == MAPPING_resolve_fault && s->heard[2].what == MAPPING_on_unmapped,
       "events: a mapping never heard of vanishes; then mapped, fault, unmapped in order");
    for (unsigned i = 0; i < s->nheard; i++) {
        word_t n = s->heard[i].what == MAPPING_resolve_fault ? s->heard[i].fault.sequence
                                                             : s->heard[i].mapping.sequence;
        rising = rising && n > last;
        last = n;
    }
    ok(rising, "events: sequence numbers rise");
    prober_drop(p);
    drop(o);
    drop(gate);
}

/* More mappings than the pager has time for: all are heard, in order. */
static void test_many(void)
{
    char *v = fresh_range(PAGES(40));
    word_t mapped = 0, unmapped = 0;

    script_clear(s);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 20; i++)
            must(q_aspace_map(SLOT_ASPACE, (word_t)v + PAGES(2 * i), PAGE, object, PAGES(i), RW),
                 "map");
        script_settle(s);
        must(q_aspace_unmap(SLOT_ASPACE, (word_t)v, PAGES(40)), "unmap");
        script_settle(s);
    }
    for (unsigned i = 0; i < s->nheard; i++) {
        if (s->heard[i].what == MAPPING_on_mapped)
            mapped += s->heard[i].mapping.length;
        else
            unmapped += s->heard[i].mapping.length;
    }
    ok(mapped == PAGES(60) && unmapped == PAGES(60) && s->nheard == 120,
       "events: sixty mappings come and go, each heard once");
}

/* Answer and receive in one system call: what the next message says of the answer before. */
static void test_answer_and_receive(void)
{
    struct prober *p = prober_new(NULL, 0);
    const struct heard *h;

    s->answer = SCRIPT_ZERO;
    load(view + PAGES(24));
    script_settle(s);
    ok(s->answered.status == ST_OK && s->answered.value == 1,
       "answer and receive in one call: pages taken come with the next message");

    s->answer = SCRIPT_COPY;
    s->source = 0;
    script_clear(s);
    probe_start(p, PROBE_LOAD, (word_t)view + PAGES(25), 0);
    thread_reaches(p->worker->thread, THREAD_FAULTING);
    h = script_nth(s, MAPPING_resolve_fault, 0);
    ok(s->answered.status == ST_BAD_CAP && s->answered.value == 0,
       "answer and receive in one call: a refused answer returns at once, nothing is received");
    same(thread_read(p->worker->thread).state, THREAD_FAULTING,
         "a refused answer leaves the client waiting");
    must(answer(h->fault.epoch, ZERO(1), PAGES(25), 0, 0), "answer");
    ok(probe_wait(p) && p->touched.status == ST_OK, "and another answer wakes it");
    s->source = source;
    prober_drop(p);
}

/* The window of missing pages that comes with a fault. */
static void test_window(void)
{
    const struct heard *h;
    word_t epoch = memory_read(object).epoch;

    s->answer = SCRIPT_ZERO;
    script_clear(s);
    must(answer(epoch, ZERO(1), PAGES(20), 0, 0), "answer");
    load(view + PAGES(17));
    h = script_nth(s, MAPPING_resolve_fault, 0);
    ok(h && h->fault.offset == PAGES(17) && h->fault.window_end == PAGES(20),
       "resolve_fault served: the window of missing pages ends at the first page that is there");
}

/* A pager that goes on without an answer keeps the client waiting, not the machine. */
static void test_death(void)
{
    struct script *mortal = script_new(NULL, 0);
    cap_t o = script_object(mortal, 0, PAGES(4), 2);
    char *v = kit_map(o, PAGES(4), 0, RW);
    struct prober *p = prober_new(NULL, 0);

    mortal->answer = SCRIPT_SILENT;
    probe_start(p, PROBE_LOAD, (word_t)v, 0);
    thread_reaches(p->worker->thread, THREAD_FAULTING);
    worker_drop(mortal->worker);
    ok(probe_wait(p) && p->touched.status == ST_OWNER_DEAD,
       "the last thread of a pager dies: who waits hears OWNER_DEAD");
    prober_drop(p);
    kit_unmap(v, PAGES(4));
    drop(o);
    drop(mortal->endpoint);

    mortal = script_new(NULL, 0);
    o = script_object(mortal, 0, PAGES(4), 2);
    v = kit_map(o, PAGES(4), 0, RW);
    mortal->answer = SCRIPT_SILENT;
    p = prober_new(NULL, 0);
    probe_start(p, PROBE_LOAD, (word_t)v, 0);
    thread_reaches(p->worker->thread, THREAD_FAULTING);
    must(q_served_attach(o, 0), "detach");
    ok(probe_wait(p) && p->touched.status == ST_OWNER_DEAD,
       "served.attach 0: who waits hears OWNER_DEAD");
    probe_start(p, PROBE_LOAD, (word_t)v, 0);
    ok(probe_wait(p) && p->touched.status == ST_OWNER_DEAD,
       "served.attach 0: and so does the next");
    prober_drop(p);
    kit_unmap(v, PAGES(4));
    script_drop(mortal);
    drop(o);
}

int main(void)
{
    word_t *pattern;

    kit_begin();
    load((void *)0x10000);
    s = script_new(space_new(kit.bank), 0);
    object = script_object(s, 0, PAGES(NPAGES), 1);
    source = make(OBJ_anon, PAGES(64), 0);
    pattern = kit_map(source, PAGES(64), 0, RW);
    for (unsigned i = 0; i < 16; i++)
        pattern[i * 512] = 0x5000 + i;
    s->answer = SCRIPT_ZERO;
    s->source = source;
    view = kit_map(object, PAGES(NPAGES), 0, RW);
    script_settle(s);

    test_declare();
    test_answer_errors();
    test_answer_space();
    test_prefetch();
    test_answer_shapes();
    test_tickets();
    test_epoch();
    test_answer_and_receive();
    test_window();
    test_backlog();
    test_order();
    test_many();
    test_death();
    return tap_end();
}
