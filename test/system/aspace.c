/* SPDX-License-Identifier: MIT */
/*
 * Claim: ranges of memory objects are mapped with just the access that was asked for and may be had,
 * every other wish is refused without a trace, and what is unmapped is gone at once.
 *
 * It would fail if two regions could overlap, if a page could be used in a way that its mapping does
 * not allow, if an unmapped page stayed visible, or if a refused mapping kept a region or a page.
 */
#include "test/support/script.h"

#define RW (MAP_READ | MAP_WRITE)

static struct result map(void *vaddr, word_t length, cap_t object, word_t offset, word_t flags)
{
    return q_aspace_map(SLOT_ASPACE, (word_t)vaddr, length, object, offset, flags);
}
static struct result map_at(word_t vaddr, word_t length, cap_t object, word_t offset, word_t flags)
{
    return q_aspace_map(SLOT_ASPACE, vaddr, length, object, offset, flags);
}

static void test_arguments(void)
{
    cap_t o = make(OBJ_anon, PAGES(8), 0);
    word_t v = (word_t)fresh_range(PAGES(8));
    static const struct {
        word_t vaddr, length, offset, flags, index;
        const char *what;
    } bad[] = {
        {8, 0, 0, 0, 0, "unaligned vaddr"},
        {0, 100, 0, 0, 1, "unaligned length"},
        {0, 0, 100, 0, 3, "unaligned offset"},
        {0, -PAGES(1), 0, 0, 1, "length 0"},
        {0, -PAGES(2), 0, 0, 1, "a length that wraps round"},
        {0, 0, -PAGE, 0, 3, "an offset that overflows with the length"},
        {0, 0, 0, 16, 4, "an unknown flag"},
        {0, 0, 0, MAP_EXEC, 4, "write with exec"},
    };

    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        REFUSED(map_at(v + bad[i].vaddr, PAGE + bad[i].length, o, bad[i].offset, RW | bad[i].flags),
                ST_BAD_ARG, bad[i].index, "aspace.map BAD_ARG: %s, detail is the argument index",
                bad[i].what);
    REFUSED(map_at(v, PAGE, o, 0, 0), ST_BAD_ARG, 4, "aspace.map BAD_ARG: no access at all");
    REFUSED(map_at(v, PAGE, o, 0, MAP_PRIVATE), ST_BAD_ARG, 4,
            "aspace.map BAD_ARG: private and no access");
    REFUSED(map_at(0, PAGE, o, 0, RW), ST_BAD_ARG, 0, "aspace.map BAD_ARG: page 0");
    REFUSED(map_at(USER_REGION_TOP, PAGE, o, 0, RW), ST_BAD_ARG, 0,
            "aspace.map BAD_ARG: where thread buffers are");
    REFUSED(map_at(USER_REGION_TOP - PAGE, PAGES(2), o, 0, RW), ST_BAD_ARG, 1,
            "aspace.map BAD_ARG: reaching into where thread buffers are");
    REFUSED(map_at(0xffffffff80000000, PAGE, o, 0, RW), ST_BAD_ARG, 0,
            "aspace.map BAD_ARG: in the kernel's half");
    REFUSED(map_at(v, PAGE, SLOT_BANK, 0, RW), ST_BAD_CAP, 2,
            "aspace.map BAD_CAP: no memory object, detail is the argument index");
    REFUSED(map_at(v, PAGE, NO_SLOT, 0, RW), ST_BAD_CAP, 2,
            "aspace.map BAD_CAP: a slot outside the cspace");
    REFUSED(map_at(v, PAGE, o, PAGES(8), RW), ST_PAST_END, PAGES(8),
            "aspace.map PAST_END: offset at the end, detail is the size in whole pages");
    REFUSED(map_at(v, PAGE, o, PAGES(1000), RW), ST_PAST_END, PAGES(8),
            "aspace.map PAST_END: offset beyond the end");
    same(memory_read(o).mappings, 0, "aspace.map that is refused leaves no mapping at the object");
    drop(o);
}

static void test_rights(void)
{
    cap_t o = make(OBJ_anon, PAGES(4), 0), reader = copy_of(o, MEMORY_READ);
    word_t v = (word_t)fresh_range(PAGES(4));

    REFUSED(map_at(v, PAGE, reader, 0, RW), ST_DENIED, MAP_READ,
            "aspace.map DENIED: write through a capability to read, detail is what may be had");
    REFUSED(map_at(v, PAGE, reader, 0, MAP_READ | MAP_EXEC), ST_DENIED, MAP_READ,
            "aspace.map DENIED: exec through a capability to read");
    REFUSED(map_at(v, PAGE, reader, 0, MAP_READ | MAP_EXEC | MAP_PRIVATE), ST_DENIED,
            RW | MAP_PRIVATE, "aspace.map DENIED: who may read may write to pages of his own");
    REFUSED(q_aspace_map(copy_of(SLOT_ASPACE, 0), v, PAGE, o, 0, RW), ST_NO_RIGHT, ASPACE_MAP,
            "aspace.map needs right MAP");
    must(map_at(v, PAGE, reader, 0, MAP_READ), "map");
    ok(touch(PROBE_LOAD, (void *)v)->status == ST_OK &&
           touch(PROBE_STORE, (void *)v)->status == ST_FORBIDDEN &&
           touch(PROBE_JUMP, (void *)v)->status == ST_FORBIDDEN,
       "a mapping to read can be read, not written and not executed");
    kit_unmap((void *)v, PAGE);
    drop(reader);
    drop(o);
}

static void test_overlap(void)
{
    cap_t o = make(OBJ_anon, PAGES(16), 0);
    char *v = fresh_range(PAGES(16));
    word_t first = (word_t)v + PAGES(4);
    struct message m = {.words = {(word_t)v}};

    must(map(v + PAGES(4), PAGES(4), o, PAGES(2), RW), "map");
    REFUSED(map(v + PAGES(4), PAGES(4), o, 0, RW), ST_OVERLAP, first,
            "aspace.map OVERLAP: the same range, detail is the start of the region there");
    REFUSED(map(v, PAGES(5), o, 0, RW), ST_OVERLAP, first, "aspace.map OVERLAP: its first page");
    REFUSED(map(v + PAGES(7), PAGES(5), o, 0, RW), ST_OVERLAP, first,
            "aspace.map OVERLAP: its last page");
    REFUSED(map(v + PAGES(5), PAGE, o, 0, RW), ST_OVERLAP, first, "aspace.map OVERLAP: inside it");
    REFUSED(map(v, PAGES(16), o, 0, RW), ST_OVERLAP, first, "aspace.map OVERLAP: around it");
    must(map(v, PAGES(4), o, 0, RW), "map");
    must(map(v + PAGES(8), PAGES(4), o, 0, MAP_READ | MAP_PRIVATE), "map");
    ok(true, "aspace.map: neighbours do not overlap");

    (void)!q_operation(SLOT_ASPACE, OP_aspace_query, 1, &m);
    ok(m.words[0] == (word_t)v && m.words[1] == PAGES(4) && m.words[2] == 0 && m.words[3] == RW,
       "aspace.query: start, length, offset and flags of the region at an address");
    m.words[0] = (word_t)v + PAGES(8);
    (void)!q_operation(SLOT_ASPACE, OP_aspace_query, 1, &m);
    same(m.words[3], MAP_READ | MAP_PRIVATE, "aspace.query: a private mapping says so");
    m.words[0] = (word_t)v - PAGE;
    (void)!q_operation(SLOT_ASPACE, OP_aspace_query, 1, &m);
    same(m.words[0], (word_t)v, "aspace.query: the next region where none is at the address");
    REFUSED(q_aspace_query(SLOT_ASPACE, USER_REGION_TOP), ST_NOT_FOUND, USER_REGION_TOP,
            "aspace.query NOT_FOUND: no region there or after, detail is vaddr");

    REFUSED(q_aspace_unmap(SLOT_ASPACE, (word_t)v + 1, PAGE), ST_BAD_ARG, 0,
            "aspace.unmap BAD_ARG: unaligned vaddr");
    REFUSED(q_aspace_unmap(SLOT_ASPACE, (word_t)v, 1), ST_BAD_ARG, 1,
            "aspace.unmap BAD_ARG: unaligned length");
    REFUSED(q_aspace_unmap(SLOT_ASPACE, (word_t)v, 0), ST_BAD_ARG, 1,
            "aspace.unmap BAD_ARG: length 0");
    REFUSED(q_aspace_unmap(SLOT_ASPACE, USER_REGION_TOP, PAGE), ST_BAD_ARG, 0,
            "aspace.unmap BAD_ARG: where thread buffers are");
    REFUSED(q_aspace_unmap(SLOT_ASPACE, (word_t)v + PAGES(12), PAGES(4)), ST_NOT_FOUND,
            (word_t)v + PAGES(12), "aspace.unmap NOT_FOUND: no region in the range");
    same(must(q_aspace_unmap(SLOT_ASPACE, (word_t)v, PAGES(16)), "unmap"), PAGES(12),
         "aspace.unmap: three regions at once, result is the bytes removed");
    same(memory_read(o).mappings, 0, "aspace.unmap: the object has no mapping left");
    drop(o);
}

static void test_content(void)
{
    cap_t o = make(OBJ_anon, PAGES(600), 0);
    word_t *v = kit_map(o, PAGES(600), 0, RW), *w;
    bool right = true;

    for (unsigned i = 0; i < 600; i++)
        v[i * 512] = i ^ 0x5a5a;
    w = kit_map(o, PAGES(300), PAGES(300), MAP_READ);
    for (unsigned i = 0; i < 300; i++)
        right = right && w[i * 512] == ((i + 300) ^ 0x5a5a);
    ok(right, "two mappings of an object show the same pages, each from its offset");
    kit_unmap(v, PAGES(600));
    ok(touch(PROBE_LOAD, v + 512)->status == ST_NO_REGION, "an unmapped page is gone at once");
    ok(load(w + 512) == ((301) ^ 0x5a5a), "unmapping one mapping leaves the other");
    kit_unmap(w, PAGES(300));
    v = kit_map(o, PAGES(600), 0, MAP_READ);
    ok(v[599 * 512] == (599 ^ 0x5a5a), "an object keeps its pages when nothing maps it");
    drop(o);
    ok(load(v) == 0x5a5a, "a mapping outlives the capability it was made with");
    kit_unmap(v, PAGES(600));
}

/* Code that is copied, mapped and run; then changed and run again. */
static void test_execute(void)
{
    static const uint32_t first[] = {0x02a00513, 0x00008067};  /* li a0, 42; ret */
    static const uint32_t second[] = {0x00700513, 0x00008067}; /* li a0, 7; ret */
    cap_t o = make(OBJ_anon, PAGE, 0);
    uint32_t *v = kit_map(o, PAGE, 0, RW), *x;

    v[0] = first[0], v[1] = first[1];
    x = kit_map(o, PAGE, 0, MAP_READ | MAP_EXEC);
    same(touch(PROBE_JUMP, x)->result, 42, "a page that was written as data is executed");
    kit_unmap(x, PAGE);
    v[0] = second[0], v[1] = second[1];
    must(map(x, PAGE, o, 0, MAP_READ | MAP_EXEC), "map");
    same(touch(PROBE_JUMP, x)->result, 7, "mapped again, what was written since is executed");
    kit_unmap(x, PAGE);
    kit_unmap(v, PAGE);
    drop(o);
}

static void test_space(void)
{
    struct bank_state before = bank_read(kit.bank);
    cap_t small = make(OBJ_bank, 2, 0), a = make_in(small, OBJ_aspace, 0, 0), o, e, served;
    word_t at = (word_t)fresh_range(PAGES(4));
    struct declaration d = script_declaration();
    unsigned n = 0;

    o = make(OBJ_anon, PAGES(4), 0);
    same(bank_read(small).used, 2, "an address space takes a page table and a piece of a slab");
    /* regions take slab pages of another size: there is none left */
    REFUSED(q_aspace_map(a, at, PAGE, o, 0, RW), ST_NO_SPACE, 0,
            "aspace.map NO_SPACE: the address space's bank, detail is 0");
    drop(a);
    drop(small);

    small = make(OBJ_bank, 1, 0);
    e = make(OBJ_endpoint, 0, 0);
    served = make_in(small, OBJ_served, PAGES(4), 1);
    declare(served, &d);
    must(q_served_attach(served, e), "attach");
    REFUSED(map_at(at, PAGE, served, 0, RW), ST_NO_SPACE, 1,
            "aspace.map NO_SPACE: the object's bank, detail is 1");
    drop(served);
    drop(small);

    served = make(OBJ_served, PAGES(64), 1);
    d.records = 3;
    declare(served, &d);
    must(q_served_attach(served, e), "attach");
    for (word_t v = at; n < 3; n++, v += PAGE)
        must(map_at(v, PAGE, served, 0, RW), "map");
    REFUSED(map_at(at + PAGES(3), PAGE, served, 0, RW), ST_LIMIT, 3,
            "aspace.map LIMIT: the owner takes three mappings, detail is how many");
    kit_unmap((void *)at, PAGE);
    must(map_at(at, PAGE, served, 0, RW), "map");
    ok(true, "aspace.map: after an unmapping that the owner need not hear there is room again");
    kit_unmap((void *)at, PAGES(3));
    drop(served);
    drop(e);
    drop(o);
    same(bank_read(kit.bank).used, before.used, "aspace counters return to where they were");
}

/* Two spaces, one object. */
static void test_spaces(void)
{
    struct space *s = space_new(kit.bank);
    struct prober *p = prober_new(s, 0);
    cap_t o = make(OBJ_anon, PAGES(2), 0);
    word_t *v = kit_map(o, PAGES(2), 0, RW);

    v[0] = 1234;
    ok(probe(p, PROBE_LOAD, v, 0)->status == ST_NO_REGION,
       "what one space maps is not seen in another");
    space_map(s, v, o, PAGES(2), 0, RW);
    same(probe(p, PROBE_LOAD, v, 0)->result, 1234, "two spaces share an object's pages");
    probe(p, PROBE_STORE, v + 512, 77);
    same(v[512], 77, "what one space stores the other loads");
    prober_drop(p);
    space_drop(s);
    same(memory_read(o).mappings, 1, "a space that dies takes its mappings along");
    kit_unmap(v, PAGES(2));
    drop(o);
}

int main(void)
{
    kit_begin();
    load((void *)0x10000);
    test_arguments();
    test_rights();
    test_overlap();
    test_content();
    test_execute();
    test_space();
    test_spaces();
    return tap_end();
}
