/* SPDX-License-Identifier: MIT */
/* The vocabulary of the system tests; kit.h says what each word means. */
#include "test/support/kit.h"

#include <stdarg.h>
#include <stdio.h>

struct kit kit;

static word_t next_address = ANYWHERE_BASE;

/* Have the stack's pages before any are counted. */
static void touch_stack(void)
{
    volatile char room[8 * PAGE];

    for (word_t i = 0; i < sizeof room; i += PAGE)
        room[i] = 0;
}

void kit_begin(void)
{
    kit = (struct kit){
        .bank = SLOT_BANK,
        .devices = env_cap("devices"),
        .root = env_cap("root"),
        .debug = env_cap("debug"),
        .bundle = env_cap("bundle"),
    };
    if (!kit.debug)
        bail("the test was given no capability `debug`");
    touch_stack();
}

/* ------------------------------------------------------------------------ slots and capabilities */

cap_t slot_new(void)
{
    cap_t slot = slot_alloc();

    if (!slot)
        bail("no slot is left");
    return slot;
}

word_t must(struct result r, const char *what)
{
    if (r.status != ST_OK)
        bail("%s: %s, detail 0x%lx", what, status_name(r.status), r.value);
    return r.value;
}

cap_t make_in(cap_t bank, enum object_type type, word_t a, word_t b)
{
    cap_t slot = slot_new();

    must(q_bank_create(bank, type, slot, a, b, 0), object_type_name(type));
    return slot;
}

cap_t make(enum object_type type, word_t a, word_t b)
{
    return make_in(kit.bank, type, a, b);
}

cap_t copy_of(cap_t from, word_t rights)
{
    cap_t slot = slot_new();

    must(q_cspace_copy(SLOT_CSPACE, slot, SLOT_CSPACE, from, rights), "cspace.copy");
    return slot;
}

cap_t badged(cap_t from, word_t rights, word_t badge)
{
    cap_t slot = slot_new();

    must(q_cspace_mint(SLOT_CSPACE, slot, SLOT_CSPACE, from, rights, badge), "cspace.mint");
    return slot;
}

void drop(cap_t cap)
{
    must(q_cspace_delete(SLOT_CSPACE, cap), "cspace.delete");
    slot_release(cap);
}

void forget(cap_t cap)
{
    if (!slot_is_empty(cap))
        bail("slot %lu still holds a capability", cap);
    slot_release(cap);
}

bool slot_is_empty(cap_t slot)
{
    return must(q_cspace_query(SLOT_CSPACE, slot), "cspace.query") == 0;
}

cap_t many_copies(word_t n, cap_t bank, cap_t of, bool chain)
{
    cap_t table = make_in(bank, OBJ_cspace, 14, 0);

    must(q_cspace_copy(table, 1, SLOT_CSPACE, of, RIGHTS_ALL), "copy");
    for (word_t i = 2; i <= n; i++)
        must(q_cspace_copy(table, i, table, chain ? i - 1 : 1, RIGHTS_ALL), "copy");
    return table;
}

void let_go(word_t label)
{
    struct message m = {0};

    message_prepare(&m, label, 0, 0);
    m.tag |= SYS_NONBLOCK;
    if (q_reply_recv(&m) != ST_WOULD_BLOCK)
        bail("something came with the reply");
}

/* --------------------------------------------------------------------------- what may not change */

/* An operation without arguments; its results, up to six, go to `results`. */
static void query(cap_t self, word_t operation, unsigned nargs, word_t a, word_t b, word_t *results,
                  unsigned n)
{
    struct message m = {.words = {a, b}};
    status_t status = q_operation(self, operation, nargs, &m);

    if (status != ST_OK)
        bail("query %lu of slot %lu: %s", operation, self, status_name(status));
    for (unsigned i = 0; i < n; i++)
        results[i] = m.words[i];
}

struct bank_state bank_read(cap_t bank)
{
    struct bank_state s;

    query(bank, OP_bank_query, 0, 0, 0, &s.limit, 6);
    return s;
}

struct counters counters_read(void)
{
    struct counters c;

    query(kit.debug, OP_debug_counters, 0, 0, 0, &c.ticks, 6);
    return c;
}

word_t free_frames(void)
{
    return counters_read().free_frames;
}

struct memory_state memory_read(cap_t object)
{
    struct memory_state s;

    query(object, OP_memory_query, 0, 0, 0, &s.size, 4);
    return s;
}

struct page_state page_read(cap_t object, word_t offset)
{
    struct page_state s;

    query(kit.debug, OP_debug_page, 2, object, offset, &s.state, 4);
    return s;
}

word_t region_count(cap_t aspace)
{
    word_t n = 0, at = 0;
    struct message m = {0};

    for (;;) {
        m.words[0] = at;
        if (q_operation(aspace, OP_aspace_query, 1, &m) != ST_OK)
            return n;
        at = m.words[0] + m.words[1];
        n++;
    }
}

struct snapshot snapshot(void)
{
    return (struct snapshot){
        .bank = bank_read(kit.bank),
        .free_frames = free_frames(),
        .regions = region_count(SLOT_ASPACE),
    };
}

void refused(const struct snapshot *before, struct result got, status_t status, word_t detail,
             const char *format, ...)
{
    struct snapshot after = snapshot();
    bool unchanged =
        after.bank.used == before->bank.used && after.bank.slabs == before->bank.slabs &&
        after.bank.frames == before->bank.frames && after.bank.children == before->bank.children &&
        after.free_frames == before->free_frames && after.regions == before->regions;
    va_list arguments;
    char text[160];

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (ok(got.status == status && got.value == detail && unchanged, "%s", text))
        return;
    note("got %s 0x%lx, wanted %s 0x%lx", status_name(got.status), got.value, status_name(status),
         detail);
    note("pages used %lu -> %lu, free frames %lu -> %lu, regions %lu -> %lu", before->bank.used,
         after.bank.used, before->free_frames, after.free_frames, before->regions, after.regions);
}

/* --------------------------------------------------------------------------------------- mapping */

void *fresh_range(word_t length)
{
    word_t address = next_address + PAGE;

    next_address = address + ((length + PAGE - 1) & ~(PAGE - 1)) + PAGE;
    return (void *)address;
}

void *kit_map(cap_t object, word_t length, word_t offset, word_t flags)
{
    void *address = fresh_range(length);

    must(q_aspace_map(SLOT_ASPACE, (word_t)address, length, object, offset, flags), "aspace.map");
    return address;
}

void kit_unmap(void *address, word_t length)
{
    must(q_aspace_unmap(SLOT_ASPACE, (word_t)address, length), "aspace.unmap");
}

bool is_mapped(const void *address)
{
    struct result r = q_aspace_query(SLOT_ASPACE, (word_t)address);

    return r.status == ST_OK && r.value <= (word_t)address;
}
