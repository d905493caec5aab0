/* SPDX-License-Identifier: MIT */
/*
 * Claim: the debug object tells the truth about pages, counters and mappings, and refuses what it
 * cannot answer.
 *
 * It would fail if a page's state or physical address were wrong, or if a query changed anything.
 */
#include <string.h>

#include "lib/abi/trace.h"
#include "test/support/probe.h"

#define RTC_BASE 0x101000ul

static void test_write(void)
{
    struct message m = {.words = {17, 0x6220677562656420, 0x6573696f6e}};

    REFUSED(q_debug_write(kit.debug, 1), ST_BAD_ARG, 0,
            "debug.write BAD_ARG: more bytes than the message holds, detail is how many it holds");
    REFUSED(sys_call(kit.debug, tag_make(SYS_CALL, OP_debug_write, 3, 0), 17, 0, 0, 0, 0, 0),
            ST_BAD_ARG, 16, "debug.write BAD_ARG: 17 bytes in two words");
    m.words[0] = 0;
    ok(q_operation(kit.debug, OP_debug_write, 1, &m) == ST_OK, "debug.write of nothing is allowed");
}

static void test_power(void)
{
    cap_t weak = copy_of(kit.debug, DEBUG_QUERY);

    REFUSED(q_debug_power_off(kit.debug, 128), ST_BAD_ARG, 0,
            "debug.power_off BAD_ARG: over 127, detail is the argument index");
    REFUSED(q_debug_power_off(weak, 0), ST_NO_RIGHT, DEBUG_POWER,
            "debug.power_off needs right POWER");
    REFUSED(sys_call(weak, tag_make(SYS_CALL, OP_debug_write, 1, 0), 0, 0, 0, 0, 0, 0), ST_NO_RIGHT,
            DEBUG_CONSOLE, "debug.write needs right CONSOLE");
    drop(weak);
}

static void test_page(void)
{
    cap_t o = make(OBJ_anon, PAGES(3) - 5, 0);
    char *v = kit_map(o, PAGES(3), 0, MAP_READ | MAP_WRITE), *w;
    struct page_state p;

    REFUSED(q_debug_page(kit.debug, SLOT_BANK, 0), ST_BAD_CAP, 0,
            "debug.page BAD_CAP: no memory object, detail is the argument index");
    REFUSED(q_debug_page(kit.debug, o, PAGES(3)), ST_PAST_END, PAGES(3),
            "debug.page PAST_END: detail is the size in whole pages");
    ok(page_read(o, 0).state == 0, "debug.page: a page that nobody touched is missing");
    v[PAGE] = 1;
    p = page_read(o, PAGE);
    ok(p.state == 1 && p.paddr >= 0x80000000 && p.paddr % PAGE == 0 && p.mappings == 1,
       "debug.page: a touched page has a frame and one mapping");
    w = kit_map(o, PAGES(3), 0, MAP_READ);
    load(w + PAGE);
    same(page_read(o, PAGE).mappings, 2, "debug.page counts the mappings that show a page");
    kit_unmap(w, PAGES(3));
    same(page_read(o, PAGE).mappings, 1, "debug.page: and no longer counts those that went");
    kit_unmap(v, PAGES(3));
    ok(page_read(o, PAGE).mappings == 0 && page_read(o, PAGE).paddr == p.paddr,
       "debug.page: an unmapped page keeps its frame");
    drop(o);
}

static void test_mapping_info(void)
{
    cap_t o = make(OBJ_anon, PAGES(3), 0), device = make_in(kit.devices, OBJ_phys, RTC_BASE, PAGE);
    cap_t d = kit.debug, served = make(OBJ_served, PAGES(3), 1);
    struct message m = {.words = {device, 0, PAGE, 1}};

    REFUSED(q_debug_mapping_info(d, SLOT_BANK, 0, PAGE, 1), ST_BAD_CAP, 0,
            "debug.mapping_info BAD_CAP: no memory object");
    REFUSED(q_debug_mapping_info(d, o, 5, PAGE, 1), ST_BAD_ARG, 1,
            "debug.mapping_info BAD_ARG: unaligned offset, detail is the argument index");
    REFUSED(q_debug_mapping_info(d, o, 0, 0, 1), ST_BAD_ARG, 2,
            "debug.mapping_info BAD_ARG: length 0");
    REFUSED(q_debug_mapping_info(d, o, PAGE, ~0ul, 1), ST_BAD_ARG, 2,
            "debug.mapping_info BAD_ARG: overflow");
    REFUSED(q_debug_mapping_info(d, o, PAGES(3), PAGE, 1), ST_PAST_END, PAGES(3),
            "debug.mapping_info PAST_END: detail is the size in whole pages");
    REFUSED(q_debug_mapping_info(d, served, 0, PAGE, 1), ST_NOT_SUPPORTED, 0,
            "debug.mapping_info NOT_SUPPORTED: the owner refuses shared mappings");
    (void)!q_operation(d, OP_debug_mapping_info, 4, &m);
    ok(message_status(&m) == ST_OK && m.words[3] == RTC_BASE && m.words[2] == MEMORY_DEVICE,
       "debug.mapping_info: physical base and attribute of a device");
    drop(served);
    drop(device);
    drop(o);
}

static void test_counters(void)
{
    cap_t o = make(OBJ_anon, PAGES(4), 0);
    char *v = kit_map(o, PAGES(4), 0, MAP_READ | MAP_WRITE);
    struct counters before, after;

    v[0] = 1; /* tables are there now */
    before = counters_read();
    v[PAGE] = 1;
    after = counters_read();
    same(after.faults, before.faults + 1, "debug.counters: one fault is one fault");
    same(after.free_frames, before.free_frames - 1, "debug.counters: one page is one frame");
    before = after;
    kit_unmap(v, PAGES(4));
    drop(o);
    ok(counters_read().free_frames >= before.free_frames + 2, "debug.counters: frames come back");
    same(must(q_debug_check(kit.debug), "check"), CONFIG_DEBUG,
         "debug.check: the invariants hold, and are looked at in a debug build");
}

/* Record `n` or the oldest after it; its number, or the count where there is none. */
static word_t record_read(word_t n, struct trace_record *record)
{
    struct message m = {.words = {n}};

    must((struct result){q_operation(kit.debug, OP_debug_trace_read, 1, &m), 0}, "trace_read");
    if (n >= m.words[0])
        return m.words[0];
    for (unsigned i = 0; i < 5; i++) {
        word_t word = message_word(&m, 2 + i);
        memcpy((char *)record + 8 * i, &word, 8);
    }
    return m.words[1];
}

/* In a debug build: what was noted from record `from` on. */
static void test_records(word_t from, word_t end)
{
    struct trace_record r = {0}, user = {0};
    word_t at = from, last_time = 0, here = 0, before;
    bool rises = true, own = false, fault = false;

    for (; (at = record_read(at, &r)) < end; at++) {
        rises = rises && r.time >= last_time;
        last_time = r.time;
        if (r.event == TRACE_user)
            user = r;
        if (r.event == TRACE_name && r.words[1] == 0x6c6c6577)
            here = r.words[0];
        own = own || (r.event == TRACE_syscall &&
                      r.words[0] == ((word_t)OBJ_debug << TRACE_TYPE_SHIFT | OP_debug_trace));
        fault = fault || (r.event == TRACE_fault && r.words[1] == PAGES(2) &&
                          r.words[2] >> TRACE_TYPE_SHIFT == OBJ_anon);
    }
    ok(user.words[0] == 11 && user.words[1] == 22 && user.words[2] == ~0ul,
       "debug.trace: a program's own event is in the ring, word for word");
    ok(here != 0 && user.thread == here, "debug.trace_read: a record names its thread");
    ok(own, "debug.trace_read: a system call is there by object and operation");
    ok(fault, "debug.trace_read: a fault is there with its offset and object");
    ok(rises, "debug.trace_read: time never falls");
    before = record_read(~0ul, &r);
    for (unsigned i = 0; i < 500; i++)
        record_read(from, &r);
    ok(record_read(~0ul, &r) - before < 100, /* a tick or two */
       "debug.trace_read leaves no record, so a reader comes to the end");
}

static void test_trace(void)
{
    cap_t weak = copy_of(kit.debug, DEBUG_CONSOLE), o = make(OBJ_anon, PAGES(3), 0);
    char *v = kit_map(o, PAGES(3), 0, MAP_READ | MAP_WRITE);
    struct trace_record r = {0};
    word_t from = record_read(~0ul, &r), end, oldest;

    must(q_thread_name(SLOT_THREAD, 0x6c6c6577, 0), "name");
    v[PAGES(2)] = 1;
    must(q_debug_trace(weak, 11, 22, ~0ul), "trace");
    end = record_read(~0ul, &r);
    ok(record_read(~0ul, &r) == end, "debug.trace_read: beyond the last there is nothing to read");
    REFUSED(q_debug_trace_read(weak, 0), ST_NO_RIGHT, DEBUG_QUERY,
            "debug.trace_read needs right QUERY");
    if (CONFIG_DEBUG) {
        ok(end >= from + 3, "debug.trace_read: what happens is counted");
        test_records(from, end);
        oldest = record_read(0, &r);
        ok(r.time != 0 && (oldest > 0 || end < 20000),
           "debug.trace_read: what was overwritten is passed over");
    } else {
        ok(end == 0 && from == 0, "debug.trace: a release build keeps no records");
    }
    kit_unmap(v, PAGES(3));
    drop(o);
    drop(weak);
}

int main(void)
{
    kit_begin();
    load((void *)0x10000);
    test_write();
    test_power();
    test_page();
    test_mapping_info();
    test_counters();
    test_trace();
    return tap_end();
}
