/* SPDX-License-Identifier: MIT */
// sources: test/unit/fake/panic.c test/unit/fake/objects.c test/unit/fake/arena.c lib/base/text.c
// sources: kernel/object/object.c kernel/object/slot.c kernel/object/bank.c kernel/object/frame.c
// sources: kernel/object/cspace.c
/*
 * Claim: the ring keeps the last records and none twice, says which is the oldest, and a panic prints
 * its end in the words of trace.def.
 *
 * It would fail if the ring lost its place when it wraps round, if a reader were handed a record that
 * is overwritten already, or if a word were printed as what it is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#undef CONFIG_TRACE
#define CONFIG_TRACE 1
#include "kernel/core/trace.c"

static struct hart hart;
void *fake_hart = &hart;
static u64 clock_now = 1000;
static char printed[20000];

u64 cpu_instret(void)
{
    return clock_now += 10;
}

void page_zero(void *page)
{
    memset(page, 0, PAGE_SIZE);
}

const char *status_name(unsigned status)
{
    return status == ST_OWNER_DEAD ? "OWNER_DEAD" : "another";
}

void console_printf(const char *format, ...)
{
    va_list args;
    size_t n = strlen(printed);

    va_start(args, format);
    vsnprintf(printed + n, sizeof(printed) - n, format, args);
    va_end(args);
}

static void ring_keeps_the_last(void **state)
{
    struct trace_record r;

    (void)state;
    trace_rings[0].count = 0;
    assert_int_equal(trace_read(0, &r), 0); /* none: its number is the count */
    for (u64 i = 0; i < 3 * TRACE_RECORDS / 2; i++)
        trace_write(TRACE_user, i, i + 1, i + 2);
    assert_int_equal(trace_count(), 3 * TRACE_RECORDS / 2);
    assert_int_equal(trace_read(0, &r), TRACE_RECORDS / 2);
    assert_int_equal(r.words[0], TRACE_RECORDS / 2);
    for (u64 i = TRACE_RECORDS / 2; i < trace_count(); i++) {
        u64 before = r.time;

        assert_int_equal(trace_read(i, &r), i);
        assert_true(r.words[0] == i && r.words[1] == i + 1 && r.words[2] == i + 2);
        assert_true(r.event == TRACE_user && r.time >= before);
    }
    assert_int_equal(trace_read(trace_count(), &r), trace_count());
}

static void record_names_its_thread(void **state)
{
    static struct thread t = {.object = {.type = OBJ_thread, .serial = 77}};
    struct trace_record r;

    (void)state;
    trace_rings[0].count = 0;
    hart.thread = &t;
    trace_write(TRACE_tick, 5, 0, 0);
    hart.thread = NULL;
    trace_write(TRACE_tick, 6, 0, 0);
    trace_read(0, &r);
    assert_int_equal(r.thread, 77);
    trace_read(1, &r);
    assert_int_equal(r.thread, 0);
    assert_int_equal(trace_thread(&t), 77);
    assert_int_equal(trace_object(&t.object), (u64)OBJ_thread << 56 | 77);
    assert_int_equal(trace_object(NULL), 0);
}

static void words_are_printed_by_their_kinds(void **state)
{
    u64 served = (u64)OBJ_served << 56 | 9;

    (void)state;
    trace_rings[0].count = 0;
    clock_now = 0;
    trace_write(TRACE_tick, 1, 0, 0);
    trace_write(TRACE_ticket_answered, served, 0x3000, ST_OWNER_DEAD);
    trace_write(TRACE_event_told, 0, MAPPING_on_unmapped, 4);
    trace_write(TRACE_name, 12, 0x6c6c656873, 0x0a);
    trace_write(TRACE_syscall, SYS_YIELD, 0, 4);
    trace_write(TRACE_syscall, (u64)OBJ_endpoint << 56 | ENDPOINT_CALL_reply, 0, 3);
    trace_write(TRACE_syscall, (u64)OBJ_bank << 56 | OP_bank_query, 3, 3);
    trace_write(TRACE_syscall, (u64)OBJ_bank << 56 | 31, 3, 3);
    trace_write((enum trace_event)TRACE_LIMIT + 5, 1, 2, 3);
    printed[0] = 0;
    trace_print(8);
    assert_string_equal(
        printed,
        "trace: 20 hart 0 thread#0 ticket_answered object=served#9 offset=0x3000 status=OWNER_DEAD\n"
        "trace: 30 hart 0 thread#0 event_told object=none event=on_unmapped mapping=4\n"
        "trace: 40 hart 0 thread#0 name thread=thread#12 first=\"shell\" last=\"\\x0a\"\n"
        "trace: 50 hart 0 thread#0 syscall operation=yield slot=0 tag=0x4\n"
        "trace: 60 hart 0 thread#0 syscall operation=endpoint.reply slot=0 tag=0x3\n"
        "trace: 70 hart 0 thread#0 syscall operation=bank.query slot=3 tag=0x3\n"
        "trace: 80 hart 0 thread#0 syscall operation=bank.? slot=3 tag=0x3\n"
        "trace: 90 hart 0 thread#0 ?\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ring_keeps_the_last),
        cmocka_unit_test(record_names_its_thread),
        cmocka_unit_test(words_are_printed_by_their_kinds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
