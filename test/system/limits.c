/* SPDX-License-Identifier: MIT */
/*
 * Claim: at each limit of docs/limits.md the operation is done, and one past it there is the error
 * named there, which changes nothing.
 *
 * It would fail if a bound were one off, if what lies past it were taken in part, or if anything at
 * the edge panicked.  Limits that other tests walk up to are named in the table, with their test.
 */
#include "test/support/script.h"

#define RW           (MAP_READ | MAP_WRITE)
#define LARGEST      (1ul << 62)
#define BANKS_NESTED 32

static struct result create(cap_t bank, enum object_type type, cap_t slot, word_t a, word_t b)
{
    return q_bank_create(bank, type, slot, a, b, 0);
}

/* Made and dropped again. */
static bool can_create(enum object_type type, word_t a)
{
    cap_t slot = slot_new();
    bool made = create(kit.bank, type, slot, a, 0).status == ST_OK;

    if (made)
        must(q_cspace_delete(SLOT_CSPACE, slot), "delete");
    slot_release(slot);
    return made;
}

/* ---- Numbers -----------------------------------------------------------------------------------*/

static void test_numbers(void)
{
    cap_t slot = slot_new(), s;

    ok(can_create(OBJ_sched, PRIORITY_MAX), "limits: priority 31");
    REFUSED(create(kit.bank, OBJ_sched, slot, PRIORITY_MAX + 1, 0), ST_BAD_ARG, 2,
            "limits: bank.create BAD_ARG: priority 32");
    s = make(OBJ_sched, 1, 0);
    same(q_sched_set_priority(s, PRIORITY_MAX).status, ST_OK, "limits: set_priority 31");
    REFUSED(q_sched_set_priority(s, PRIORITY_MAX + 1), ST_BAD_ARG, 0,
            "limits: sched.set_priority BAD_ARG: 32");
    drop(s);
    ok(can_create(OBJ_cspace, 2), "limits: a cspace of 4 slots");
    REFUSED(create(kit.bank, OBJ_cspace, slot, 1, 0), ST_BAD_ARG, 2,
            "limits: bank.create BAD_ARG: a cspace of 2 slots");
    REFUSED(create(kit.bank, OBJ_cspace, slot, 17, 0), ST_BAD_ARG, 2,
            "limits: bank.create BAD_ARG: a cspace of 2^17 slots");
    REFUSED(create(kit.devices, OBJ_irq, slot, 1024, 0), ST_BAD_ARG, 2,
            "limits: bank.create BAD_ARG: an interrupt line past the controller's 1023");
    slot_release(slot);
}

static void test_slots(void)
{
    cap_t c = make(OBJ_cspace, 16, 0);

    same(q_cspace_copy(c, 65535, SLOT_CSPACE, SLOT_BANK, RIGHTS_ALL).status, ST_OK,
         "limits: the last of 2^16 slots");
    REFUSED(q_cspace_copy(c, 65536, SLOT_CSPACE, SLOT_BANK, RIGHTS_ALL), ST_BAD_ARG, 0,
            "limits: cspace.copy BAD_ARG: the slot behind it");
    REFUSED(q_cspace_copy(c, 0, SLOT_CSPACE, SLOT_BANK, RIGHTS_ALL), ST_BAD_ARG, 0,
            "limits: cspace.copy BAD_ARG: slot 0");
    drop(c);
}

/* ---- Sizes and addresses -----------------------------------------------------------------------*/

static void test_sizes(void)
{
    cap_t slot = slot_new(), o, served;
    char *last;

    REFUSED(create(kit.bank, OBJ_anon, slot, LARGEST + 1, 0), ST_BAD_ARG, 2,
            "limits: bank.create BAD_ARG: an anon object of 2^62 + 1 bytes");
    REFUSED(create(kit.bank, OBJ_served, slot, LARGEST + 1, 0), ST_BAD_ARG, 2,
            "limits: bank.create BAD_ARG: a served object of 2^62 + 1 bytes");
    REFUSED(create(kit.bank, OBJ_anon, slot, 0, 0), ST_BAD_ARG, 2,
            "limits: bank.create BAD_ARG: an object without a byte");
    o = make(OBJ_anon, LARGEST, 0);
    last = fresh_range(PAGE);
    REFUSED(q_aspace_map(SLOT_ASPACE, (word_t)last, PAGE, o, LARGEST, RW), ST_PAST_END, LARGEST,
            "limits: aspace.map PAST_END: an offset of 2^62");
    must(q_aspace_map(SLOT_ASPACE, (word_t)last, PAGE, o, LARGEST - PAGE, RW), "map");
    *(volatile word_t *)last = 5;
    ok(load(last) == 5 && page_read(o, LARGEST - PAGE).state == 1,
       "limits: the last page of an object of 2^62 bytes");
    kit_unmap(last, PAGE);
    drop(o);
    served = make(OBJ_served, LARGEST - 1, 0);
    same(q_served_resize(served, LARGEST).status, ST_OK, "limits: served.resize to 2^62");
    REFUSED(q_served_resize(served, LARGEST + 1), ST_BAD_ARG, 0,
            "limits: served.resize BAD_ARG: to 2^62 + 1");
    drop(served);
    slot_release(slot);
}

static void test_addresses(void)
{
    cap_t o = make(OBJ_anon, PAGES(2), 0), a = make(OBJ_aspace, 0, 0);

    same(q_aspace_map(a, PAGE, PAGE, o, 0, RW).status, ST_OK, "limits: the lowest page");
    REFUSED(q_aspace_map(a, 0, PAGE, o, 0, RW), ST_BAD_ARG, 0,
            "limits: aspace.map BAD_ARG: page 0 is never mapped");
    same(q_aspace_map(a, USER_REGION_TOP - PAGE, PAGE, o, 0, RW).status, ST_OK,
         "limits: the highest page");
    REFUSED(q_aspace_map(a, USER_REGION_TOP, PAGE, o, 0, RW), ST_BAD_ARG, 0,
            "limits: aspace.map BAD_ARG: the page above belongs to the threads' buffers");
    REFUSED(q_aspace_map(a, USER_REGION_TOP - PAGES(3), PAGES(4), o, 0, RW), ST_BAD_ARG, 1,
            "limits: aspace.map BAD_ARG: a length that reaches there");
    REFUSED(q_aspace_map(a, PAGES(2), -PAGE, o, 0, RW), ST_BAD_ARG, 1,
            "limits: aspace.map BAD_ARG: a length that wraps round");
    drop(a);
    drop(o);
}

/* ---- Messages ----------------------------------------------------------------------------------*/

static struct result send(cap_t to, unsigned nwords, unsigned ncaps)
{
    struct message m = {0};
    status_t status;

    for (unsigned i = 0; i < MESSAGE_CAPS; i++)
        sys_buffer()->send[i] = SLOT_BANK;
    message_prepare(&m, 0, nwords, ncaps);
    status = q_send(to, &m, SYS_NONBLOCK);
    return (struct result){status, m.words[0]};
}

static void test_messages(void)
{
    cap_t e = make(OBJ_endpoint, 0, 0);
    struct message m = {.words = {504}};

    REFUSED(send(e, MESSAGE_WORDS, 0), ST_WOULD_BLOCK, 0, "limits: a message of 64 words");
    REFUSED(send(e, MESSAGE_WORDS + 1, 0), ST_BAD_LENGTH, MESSAGE_WORDS,
            "limits: endpoint.send BAD_LENGTH: 65 words");
    REFUSED(send(e, 0, MESSAGE_CAPS), ST_WOULD_BLOCK, 0, "limits: four capabilities");
    REFUSED(send(e, 0, MESSAGE_CAPS + 1), ST_BAD_ARG, 5,
            "limits: endpoint.send BAD_ARG: five capabilities");
    m.words[0] = 505;
    REFUSED(
        ((struct result){q_operation(kit.debug, OP_debug_write, MESSAGE_WORDS, &m), m.words[0]}),
        ST_BAD_ARG, 504, "limits: debug.write BAD_ARG: 505 bytes");
    REFUSED(((struct result){q_operation(kit.debug, OP_debug_check, MESSAGE_WORDS + 1, &m),
                             m.words[0]}),
            ST_BAD_LENGTH, 0, "limits: an operation with 65 words");
    drop(e);
}

/* ---- Answers -----------------------------------------------------------------------------------*/

#define MOST_EXTENTS ((MESSAGE_WORDS - 1) / ANSWER_EXTENT_WORDS)

static struct result answer(cap_t o, unsigned nextents, word_t what, cap_t source)
{
    struct message m = {0};
    status_t status;

    m.words[0] = memory_read(o).epoch;
    for (unsigned i = 0; i < nextents && i < MOST_EXTENTS; i++) {
        message_set_word(&m, 1 + 4 * i, what);
        message_set_word(&m, 2 + 4 * i, PAGES(i));
        message_set_word(&m, 3 + 4 * i, source);
        message_set_word(&m, 4 + 4 * i, 0);
    }
    status = q_operation(o, OP_served_answer, 1 + 4 * nextents, &m);
    return (struct result){status, m.words[0]};
}

static void test_answers(void)
{
    cap_t o = make(OBJ_served, PAGES(300), 0), source = make(OBJ_anon, PAGES(20), 0);
    volatile char *view = kit_map(source, PAGES(20), 0, RW);

    for (unsigned i = 0; i < 20; i++)
        view[PAGES(i)] = 1;
    same(answer(o, MOST_EXTENTS, answer_what(ANSWER_ZERO, 0, 1), 0).value, MOST_EXTENTS,
         "limits: 15 extents in an answer");
    REFUSED(answer(o, MOST_EXTENTS + 1, answer_what(ANSWER_ZERO, 0, 1), 0), ST_BAD_LENGTH, 5,
            "limits: served.answer BAD_LENGTH: 16 extents are over 64 words");
    REFUSED(answer(o, 1, answer_what(ANSWER_ZERO, 0, ANSWER_MAX_PAGES + 1), 0), ST_BAD_ARG, 0,
            "limits: served.answer BAD_ARG: 257 pages");
    same(answer(o, 1, answer_what(ANSWER_ZERO, 0, ANSWER_MAX_PAGES), 0).value,
         ANSWER_MAX_PAGES - MOST_EXTENTS,
         "limits: 256 pages in an answer, but those that are there");
    must(q_memory_release(o, 0, PAGES(300)), "release");
    REFUSED(answer(o, 1, answer_what(ANSWER_COPY, 0, PAGES(ANSWER_MAX_COPY) + 1), source),
            ST_BAD_ARG, 0, "limits: served.answer BAD_ARG: a copy of 16 pages and a byte");
    same(answer(o, 1, answer_what(ANSWER_COPY, 0, PAGES(ANSWER_MAX_COPY)), source).value,
         ANSWER_MAX_COPY, "limits: 16 pages by copy");
    kit_unmap((void *)view, PAGES(20));
    drop(source);
    drop(o);
}

/* ---- What servers and banks set themselves -----------------------------------------------------*/

static void test_records(void)
{
    struct script *s = script_new(NULL, 0);
    cap_t o = script_object(s, 0, PAGE, 1), a = make(OBJ_aspace, 0, 0);
    struct declaration d = script_declaration();

    d.records = 1ul << 32;
    REFUSED(q_served_declare_all(o, &d), ST_BAD_ARG, 4,
            "limits: served.declare BAD_ARG: 2^32 records");
    d.records = 3;
    declare(o, &d);
    for (unsigned i = 1; i <= 3; i++)
        must(q_aspace_map(a, PAGES(2 * i), PAGE, o, 0, MAP_READ), "map");
    REFUSED(q_aspace_map(a, PAGES(20), PAGE, o, 0, MAP_READ), ST_LIMIT, 3,
            "limits: aspace.map LIMIT: one more than the object's server takes");
    must(q_aspace_unmap(a, PAGES(2), PAGE), "unmap");
    script_settle(s);
    same(q_aspace_map(a, PAGES(20), PAGE, o, 0, MAP_READ).status, ST_OK,
         "limits: and as many again when it has heard that one is gone");
    drop(a);
    drop(o);
    script_drop(s);
}

/* Regions until the bank of the address space is exhausted. */
static void test_regions(void)
{
    cap_t bank = make(OBJ_bank, 16, 0), a = make_in(bank, OBJ_aspace, 0, 0);
    cap_t o = make(OBJ_anon, PAGE, 0);
    word_t n = 0, used = bank_read(bank).used;
    struct result r;

    do {
        r = q_aspace_map(a, PAGES(2 + 2 * n), PAGE, o, 0, MAP_READ);
        n += r.status == ST_OK;
    } while (r.status == ST_OK);
    ok(r.status == ST_NO_SPACE && n > 300 && region_count(a) == n,
       "limits: aspace.map NO_SPACE: regions, of which a bank pays for %lu", n);
    must(q_aspace_unmap(a, PAGE, PAGES(2 * n + 4)), "unmap");
    ok(region_count(a) == 0 && bank_read(bank).used == used,
       "limits: and all of them give their room back");
    drop(a);
    drop(o);
    drop(bank);
}

static void test_nesting(void)
{
    cap_t banks[BANKS_NESTED] = {0}, slot = slot_new();
    word_t limit = 200;
    struct result r;
    unsigned n = 0;

    for (cap_t parent = kit.bank; n < BANKS_NESTED; n++) {
        banks[n] = slot_new();
        r = create(parent, OBJ_bank, banks[n], limit, 0);
        if (r.status != ST_OK)
            break;
        parent = banks[n];
        limit -= 5;
    }
    ok(r.status == ST_LIMIT && r.value == BANKS_NESTED && n > 20 && n < BANKS_NESTED,
       "limits: bank.create LIMIT: banks in banks, at most 32 deep");
    slot_release(banks[n]);
    REFUSED(create(kit.bank, OBJ_bank, slot, bank_read(kit.bank).limit + 1, 0), ST_NO_SPACE,
            bank_read(kit.bank).limit - bank_read(kit.bank).used,
            "limits: bank.create NO_SPACE: a bank larger than its parent");
    REFUSED(create(kit.bank, OBJ_bank, slot, ~0ul, 0), ST_NO_SPACE,
            bank_read(kit.bank).limit - bank_read(kit.bank).used,
            "limits: bank.create NO_SPACE: a bank of 2^64 - 1 pages");
    must(q_bank_destroy(banks[0]), "destroy");
    while (n-- > 0)
        forget(banks[n]);
    slot_release(slot);
}

int main(void)
{
    word_t before;

    kit_begin();
    arena_new(64);
    load((void *)0x10000);
    script_drop(script_new(NULL, 0));
    before = pages_used();
    test_numbers();
    test_slots();
    test_sizes();
    test_addresses();
    test_messages();
    test_answers();
    test_records();
    test_regions();
    test_nesting();
    same(pages_used(), before, "limits: every page is back");
    return tap_end();
}
