/* SPDX-License-Identifier: MIT */
/*
 * Claim: every memory object answers info and query alike; anon begins as zeros, costs what is
 * touched, and says NO_SPACE, not nothing, when its bank is empty.
 *
 * It would fail if a range were checked differently by one kind, if a frame were handed out with what
 * another had left in it, or if a fault that cannot be paid for hung the thread.
 */
#include "test/support/script.h"

#define RTC_BASE 0x101000ul
#define RW       (MAP_READ | MAP_WRITE)

static void test_info(const char *kind, cap_t o, word_t size, word_t permissions, word_t attribute)
{
    struct message m = {.words = {0, PAGE, false}};

    REFUSED(q_memory_info(o, 8, PAGE, 0), ST_BAD_ARG, 0,
            "memory.info BAD_ARG: %s, unaligned offset, detail is the argument index", kind);
    REFUSED(q_memory_info(o, 0, 0, 0), ST_BAD_ARG, 1, "memory.info BAD_ARG: %s, length 0", kind);
    REFUSED(q_memory_info(o, PAGE, -PAGE, 0), ST_BAD_ARG, 1,
            "memory.info BAD_ARG: %s, offset and length overflow", kind);
    REFUSED(q_memory_info(o, size, PAGE, 0), ST_PAST_END, size,
            "memory.info PAST_END: %s, detail is the size in whole pages", kind);
    ok(q_operation(o, OP_memory_info, 3, &m) == ST_OK && m.words[0] == permissions &&
           m.words[1] == 1 && m.words[2] == attribute,
       "memory.info: %s, permissions, sharing and attribute", kind);
}

static void test_refusals(void)
{
    cap_t device = make_in(kit.devices, OBJ_phys, RTC_BASE, PAGE);
    cap_t served = make(OBJ_served, PAGES(4), 1);
    struct declaration d = script_declaration();

    REFUSED(q_memory_info(served, 0, PAGE, 0), ST_NOT_SUPPORTED, 0,
            "memory.info NOT_SUPPORTED: a served object nothing was declared of");
    d.private = DECLARE_REFUSED;
    declare(served, &d);
    REFUSED(q_memory_info(served, 0, PAGE, 1), ST_NOT_SUPPORTED, 0,
            "memory.info NOT_SUPPORTED: private refused by the owner");
    ok(q_memory_info(served, 0, PAGE, 0).status == ST_OK,
       "memory.info: and shared allowed by the same owner");
    drop(served);
    drop(device);
}

static void test_query(void)
{
    cap_t o = make(OBJ_anon, 10000, 0);
    word_t *v = kit_map(o, PAGES(3), 0, RW);
    struct memory_state s = memory_read(o);

    ok(s.size == 10000 && s.resident == 0 && s.mappings == 1,
       "memory.query: size in bytes, no page resident, one mapping");
    v[0] = v[512] = 1;
    same(memory_read(o).resident, 2, "memory.query counts the resident pages");
    kit_unmap(v, PAGES(3));
    same(memory_read(o).mappings, 0, "memory.query: no mapping is left");
    drop(o);
}

static void test_zero(void)
{
    cap_t o = make(OBJ_anon, PAGES(64), 0);
    word_t *v = kit_map(o, PAGES(64), 0, RW), sum = 0;

    for (unsigned i = 0; i < PAGES(64) / sizeof *v; i++)
        sum |= v[i];
    same(sum, 0, "anon begins as zeros");
    for (unsigned i = 0; i < PAGES(64) / sizeof *v; i++)
        v[i] = ~0ul;
    kit_unmap(v, PAGES(64));
    drop(o);
    o = make(OBJ_anon, PAGES(64), 0);
    v = kit_map(o, PAGES(64), 0, RW);
    for (unsigned i = 0; i < PAGES(64) / sizeof *v; i++)
        sum |= v[i];
    same(sum, 0, "anon made of frames that were full of ones begins as zeros");
    kit_unmap(v, PAGES(64));
    drop(o);
}

static void test_sparse(void)
{
    cap_t o = make(OBJ_anon, 1ul << 40, 0);
    word_t before = bank_read(kit.bank).used;
    volatile word_t *v = kit_map(o, PAGE, (1ul << 40) - PAGE, RW);

    *v = 3;
    ok(bank_read(kit.bank).used - before < 12,
       "a page at the end of an object of 2^40 bytes costs a few tables");
    kit_unmap((void *)v, PAGE);
    drop(o);
}

static void test_end(void)
{
    cap_t o = make(OBJ_anon, 10000, 0);
    char *v = kit_map(o, PAGES(5), 0, RW);
    const struct touched *t;

    ok(touch(PROBE_STORE, v + 8184)->status == ST_OK && touch(PROBE_LOAD, v + 12280)->result == 0,
       "the last page of an object of 10,000 bytes is there to its end");
    t = touch(PROBE_LOAD, v + 12288);
    ok(t->status == ST_TRUNCATED && t->message.address == (word_t)v + 12288,
       "a mapping may reach beyond its object: those pages give TRUNCATED");
    kit_unmap(v, PAGES(5));
    drop(o);
}

static void test_no_space(void)
{
    cap_t bank = make(OBJ_bank, 8, 0), o = make_in(bank, OBJ_anon, PAGES(64), 0);
    char *v = kit_map(o, PAGES(64), 0, RW);
    unsigned n = 0;

    while (n < 64 && touch(PROBE_STORE, v + PAGES(n))->status == ST_OK)
        n++;
    ok(n > 0 && n < 8 && touch(PROBE_STORE, v + PAGES(n))->status == ST_NO_SPACE,
       "a fault that the object's bank cannot pay for is NO_SPACE to that thread");
    ok(load(v) == 0, "and what was there before stays");
    same(bank_read(bank).used, bank_read(bank).limit, "the bank is full and not over its limit");
    kit_unmap(v, PAGES(64));
    drop(o);
    same(bank_read(bank).used, 0, "memory counters return to where they were");
    drop(bank);
}

static void test_phys(void)
{
    static const char magic[] = "070701";
    word_t size = memory_read(kit.bundle).size, frames;
    const char *v = kit_map(kit.bundle, size, 0, MAP_READ);

    load(v);
    frames = free_frames();
    ok(v[0] == magic[0] && v[5] == magic[5], "phys: the boot bundle is an archive in newc format");
    same(free_frames(), frames, "phys: showing it takes no frame");
    ok(touch(PROBE_STORE, v)->status == ST_FORBIDDEN,
       "phys: what is mapped to read is not written");
    kit_unmap((void *)v, size);
}

int main(void)
{
    cap_t anon, device, served;
    struct declaration d = script_declaration();

    kit_begin();
    load((void *)0x10000);
    anon = make(OBJ_anon, PAGES(4) - 1, 0);
    device = make_in(kit.devices, OBJ_phys, RTC_BASE, PAGE);
    served = make(OBJ_served, PAGES(4), 1);
    declare(served, &d);
    test_info("anon", anon, PAGES(4), ALL_ACCESS, MEMORY_NORMAL);
    test_info("phys", device, PAGE, RW, MEMORY_DEVICE);
    test_info("served", served, PAGES(4), ALL_ACCESS, MEMORY_NORMAL);
    drop(anon);
    drop(device);
    drop(served);
    test_refusals();
    test_query();
    test_zero();
    test_sparse();
    test_end();
    test_no_space();
    test_phys();
    return tap_end();
}
