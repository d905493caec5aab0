/* SPDX-License-Identifier: MIT */
/*
 * Claim: a thread that is ready for it goes on at its fixup address after a failed access, told what
 * failed where and with every other register as it was; what it is not ready for, and what is no
 * access to data, its handler hears as ever.
 *
 * It would fail if an error of a pager were lost or told twice, if a register or a byte beyond the
 * failure changed, or if a wild fixup address did more than a wild jump.
 */
#include "lib/rt/recover.h"

#include <string.h>

#include "test/support/script.h"

#define RW (MAP_READ | MAP_WRITE)
#define RTC_BASE \
    0x101000ul /* QEMU virt: the clock has 36 bytes of registers in a page of its own */
#define NOTHING_AT ((volatile char *)0x700000)

static struct script *s;
static cap_t object;
static char *view; /* eight pages of it */

/* ---- What can fail -----------------------------------------------------------------------------*/

static void told(status_t got, status_t wanted, const volatile void *address, word_t access,
                 const char *what)
{
    const struct thread_fixup *f = &sys_buffer()->fixup;

    if (!ok(got == wanted && f->failed_status == wanted && f->failed_access == access &&
                f->failed_address == (word_t)address && f->failed_pc >= f->start &&
                f->failed_pc < f->end,
            "fixup %s: %s goes on, told pc, status, access and address", status_name(wanted), what))
        note("got %s; told %lu, access %lu, address 0x%lx, pc 0x%lx", status_name(got),
             f->failed_status, f->failed_access, f->failed_address, f->failed_pc);
}

static void test_statuses(void)
{
    static const status_t answers[] = {ST_IO,      ST_INTEGRITY, ST_NO_SPACE, ST_DENIED,
                                       ST_TIMEOUT, ST_DEADLOCK,  ST_TRUNCATED};
    cap_t clock = make_in(kit.devices, OBJ_phys, RTC_BASE, PAGE);
    char *registers = kit_map(clock, PAGE, 0, RW);
    word_t value = 77;

    told(try_load(NOTHING_AT + 8, &value), ST_NO_REGION, NOTHING_AT + 8, ACCESS_LOAD,
         "a load where nothing is mapped");
    told(try_store((void *)0x10008, 1), ST_FORBIDDEN, (void *)0x10008, ACCESS_STORE,
         "a store to the program's text");
    told(try_load((void *)USER_TOP, &value), ST_NO_REGION, (void *)USER_TOP, ACCESS_LOAD,
         "a load beyond user addresses");
    told(try_load((void *)0xffffffff80000000, &value), ST_NO_REGION, (void *)0xffffffff80000000,
         ACCESS_LOAD, "a load from the kernel");
    told(try_load(registers + 0x800, &value), ST_ACCESS_FAULT, registers + 0x800, 5,
         "a load where no device answers");
    s->answer = SCRIPT_ERROR;
    for (unsigned i = 0; i < sizeof answers / sizeof *answers; i++) {
        s->status = answers[i];
        told(try_load(view + PAGES(i) + 16, &value), answers[i], view + PAGES(i) + 16, ACCESS_LOAD,
             "a load of a page that its pager refuses");
    }
    same(value, 77, "fixup: the value of a load that failed is unchanged");
    s->answer = SCRIPT_ZERO;
    ok(try_load(view + 16, &value) == ST_OK && value == 0 && try_store(view + 16, 5) == ST_OK &&
           try_load(view + 16, &value) == ST_OK && value == 5,
       "fixup: a page that comes is waited for as ever");
    kit_unmap(registers, PAGE);
    drop(clock);
}

/* ---- Copies and ranges -------------------------------------------------------------------------*/

static void test_copy(void)
{
    static char from[PAGE + 64], to[PAGE + 64];
    static const unsigned lengths[] = {0, 1, 7, 8, 9, 64, 1000, PAGE};
    char *edge;
    cap_t page = make(OBJ_anon, PAGE, 0);
    bool right = true;
    struct result r;

    for (unsigned i = 0; i < sizeof from; i++)
        from[i] = (char)(i * 7 + 1);
    for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (unsigned shift = 0; shift < 64; shift += 9) {
            unsigned a = shift & 7, b = shift >> 3, n = lengths[i];

            memset(to, 0, sizeof to);
            r = try_copy(to + a, from + b, n);
            right = right && r.status == ST_OK && r.value == n && !memcmp(to + a, from + b, n) &&
                    to[a + n] == 0 && (a == 0 || to[a - 1] == 0);
        }
    ok(right, "try_copy: any length at any alignment copies just that");

    edge = kit_map(page, PAGE, 0, RW);
    memcpy(edge, from, PAGE);
    memset(to, 0, sizeof to);
    r = try_copy(to, edge + PAGE - 40, 100);
    ok(r.status == ST_NO_REGION && r.value == 40 && !memcmp(to, from + PAGE - 40, 40) &&
           to[40] == 0,
       "try_copy: the source ends within, and just what was there has been copied");
    r = try_copy(to + 3, edge + PAGE - 40, 100);
    ok(r.status == ST_NO_REGION && r.value == 40,
       "try_copy: the same for bytes that are not aligned");
    r = try_copy(edge + PAGE - 24, from, 100);
    ok(r.status == ST_NO_REGION && r.value == 24 && !memcmp(edge + PAGE - 24, from, 24),
       "try_copy: the destination ends within");
    same(sys_buffer()->fixup.failed_address, (word_t)edge + PAGE,
         "try_copy: the exact address that failed is told");
    kit_unmap(edge, PAGE);
    drop(page);
}

static void test_touch(void)
{
    char *reads;
    struct result r;
    word_t value;

    must(q_memory_release(object, 0, PAGES(8)), "release");
    s->answer = SCRIPT_ZERO;
    script_clear(s);
    r = touch_range(view + PAGE + 100, PAGES(2), false);
    ok(r.status == ST_OK && script_count(s, MAPPING_resolve_fault) == 3 &&
           page_read(object, PAGES(3)).state == 1 && page_read(object, 0).state == 0 &&
           page_read(object, PAGES(4)).state == 0,
       "touch_range: every page of the range is there, and no other");
    ok(try_store(view + PAGE, 0x1234567) == ST_OK &&
           touch_range(view + PAGE, PAGES(1), true).status == ST_OK &&
           try_load(view + PAGE, &value) == ST_OK && value == 0x1234567,
       "touch_range: to write changes nothing");
    s->answer = SCRIPT_ERROR;
    s->status = ST_IO;
    r = touch_range(view + PAGES(2) + 8, PAGES(3), false);
    ok(r.status == ST_IO && r.value == (word_t)view + PAGES(4),
       "touch_range: the first address that may not be read is told, with the reason");
    s->answer = SCRIPT_ZERO;
    reads = kit_map(object, PAGES(8), 0, MAP_READ);
    ok(touch_range(reads, PAGES(8), false).status == ST_OK, "touch_range: a mapping to read");
    r = touch_range(reads + PAGES(2) + 5, PAGES(2), true);
    ok(r.status == ST_FORBIDDEN && r.value == (word_t)reads + PAGES(2) + 5,
       "touch_range: to write where only reading is allowed");
    r = touch_range(view + 8, ~0ul, false);
    ok(r.status == ST_NO_REGION && r.value == (word_t)view + 8,
       "touch_range: a range that wraps round");
    same(touch_range(NOTHING_AT, 0, false).status, ST_OK, "touch_range: nothing of nothing");
    kit_unmap(reads, PAGES(8));
}

/* ---- Registers ---------------------------------------------------------------------------------*/

/* Recoverable by its place.  Fills what a caller may not care for, fails, and says what changed. */
__attribute__((naked, noinline, section(".text.recover"))) static word_t fill_and_fail(void)
{
    __asm__("li t0, 100\n li t1, 101\n li t2, 102\n li t3, 103\n li t4, 104\n li t5, 105\n"
            "li t6, 106\n li a0, 110\n li a1, 111\n li a2, 112\n li a3, 113\n li a4, 114\n"
            "li a5, 115\n li a6, 116\n li a7, 117\n fmv.d.x ft0, t0\n"
            "ld a0, 0x30(zero)\n"
            "li a0, -1\n" /* not reached */
            "ret");
}

__attribute__((naked, noinline)) static void after_fill(void)
{
    __asm__("addi t0, t0, -100\n addi t1, t1, -101\n addi t2, t2, -102\n addi t3, t3, -103\n"
            "addi t4, t4, -104\n addi t5, t5, -105\n addi t6, t6, -106\n addi a0, a0, -110\n"
            "addi a1, a1, -111\n addi a2, a2, -112\n addi a3, a3, -113\n addi a4, a4, -114\n"
            "addi a5, a5, -115\n addi a6, a6, -116\n addi a7, a7, -117\n"
            "or a0, a0, t0\n or a0, a0, t1\n or a0, a0, t2\n or a0, a0, t3\n or a0, a0, t4\n"
            "or a0, a0, t5\n or a0, a0, t6\n or a0, a0, a1\n or a0, a0, a2\n or a0, a0, a3\n"
            "or a0, a0, a4\n or a0, a0, a5\n or a0, a0, a6\n or a0, a0, a7\n"
            "fmv.x.d t0, ft0\n addi t0, t0, -100\n or a0, a0, t0\n"
            "ret");
}

static void test_registers(void)
{
    word_t left;

    sys_buffer()->fixup.address = (word_t)after_fill;
    left = fill_and_fail();
    recover_arm();
    same(left, 0, "fixup: every register is as it was at the access");
}

/* ---- Who is not ready, and wild addresses ------------------------------------------------------*/

static struct thread_fixup wild;
static enum probe_op wild_op;

static void do_wild(void *argument)
{
    (void)argument;
    sys_buffer()->fixup = wild;
    ((word_t(*)(word_t, word_t))probe_pc(wild_op))((word_t)NOTHING_AT, 0);
}

/* One failing access with that fixup; what the handler heard. */
static const struct touched *with_fixup(struct prober *p, enum probe_op op, word_t address,
                                        word_t start, word_t end)
{
    struct worker *w = worker_new(&(struct worker_options){.handler = p->handler});

    wild = (struct thread_fixup){.address = address, .start = start, .end = end};
    wild_op = op;
    p->touched.status = ST_OK;
    worker_start(w, do_wild, NULL);
    for (unsigned i = 0; i < 50 && !w->done; i++) /* it may go round for ever */
        sys_yield();
    worker_drop(w);
    return &p->touched;
}

__attribute__((naked)) static void just_return(void)
{
    __asm__("ret");
}

__attribute__((naked)) static void fail_again(void)
{
    __asm__("ld a0, 0(zero)\n ret");
}

static void test_wild(void)
{
    struct prober *p = prober_new(NULL, 0);
    const word_t all = ~0ul, pc = probe_pc(PROBE_LOAD), good = (word_t)just_return;
    const struct touched *t;
    struct worker *w;

    same(with_fixup(p, PROBE_LOAD, good, 0, all)->status, ST_OK,
         "fixup: any range of its own code");
    same(with_fixup(p, PROBE_LOAD, good, pc, pc + 1)->status, ST_OK,
         "fixup: just that instruction");
    same(with_fixup(p, PROBE_LOAD, good, pc + 2, all)->status, ST_NO_REGION,
         "fixup: pc below the range, and the handler hears");
    same(with_fixup(p, PROBE_LOAD, good, 0, pc)->status, ST_NO_REGION,
         "fixup: pc behind the range, and the handler hears");
    same(with_fixup(p, PROBE_LOAD, 0, 0, all)->status, ST_NO_REGION,
         "fixup: address 0, and the handler hears");
    same(with_fixup(p, PROBE_LOAD, good | 1, 0, all)->status, ST_NO_REGION,
         "fixup: an odd address is none");
    same(with_fixup(p, PROBE_LOAD, 0xffffffff80000000, 0, all)->status, ST_NO_REGION,
         "fixup: an address in the kernel is none");
    same(p->touched.message.access, ACCESS_LOAD, "fixup: the handler then hears of the access");
    t = with_fixup(p, PROBE_LOAD, 0x500000, 0, all);
    ok(t->status == ST_NO_REGION && t->message.access == ACCESS_INSTRUCTION &&
           t->message.pc == 0x500000,
       "fixup: an address where nothing is mapped ends as a wild jump does");
    same(with_fixup(p, PROBE_ILLEGAL, good, 0, all)->status, ST_ILLEGAL,
         "fixup: an illegal instruction is the handler's");
    same(with_fixup(p, PROBE_BREAKPOINT, good, 0, all)->status, ST_BREAKPOINT,
         "fixup: a breakpoint is the handler's");
    same(with_fixup(p, PROBE_BAD_CALL, good, 0, all)->status, ST_BAD_CALL,
         "fixup: an ecall that is no system call is the handler's");

    w = worker_new(&(struct worker_options){.handler = p->handler});
    wild = (struct thread_fixup){.address = (word_t)fail_again, .end = all};
    wild_op = PROBE_LOAD;
    p->touched.status = ST_OK;
    worker_start(w, do_wild, NULL);
    for (unsigned i = 0; i < 3; i++)
        sys_yield();
    must(q_thread_stop(w->thread), "stop");
    ok(thread_read(w->thread).state == THREAD_STOPPED && p->touched.status == ST_OK && !w->done,
       "fixup: an address that fails again goes round until it is stopped");
    w->buffer->fixup.address = good;
    must(q_thread_start(w->thread, good, 0, 0, 0), "start");
    same(w->buffer->fixup.address, 0, "fixup: a thread that is started has none");
    must(q_thread_stop(w->thread), "stop");
    worker_drop(w);
    prober_drop(p);
}

/* ---- Two wait for one page ---------------------------------------------------------------------*/

static void wait_for_page(void *argument)
{
    word_t value;

    worker_self()->result = try_load(argument, &value);
}

static void test_waiters(void)
{
    struct prober *p = prober_new(NULL, 0);
    struct worker *w[2];

    must(q_memory_release(object, 0, PAGES(8)), "release");
    s->answer = SCRIPT_SILENT;
    w[0] = WORKER(wait_for_page, view, 0);
    thread_reaches(w[0]->thread, THREAD_FAULTING);
    probe_start(p, PROBE_LOAD, (word_t)view + 8, 0);
    thread_reaches(p->worker->thread, THREAD_FAULTING);
    w[1] = WORKER(wait_for_page, view + 16, 0);
    thread_reaches(w[1]->thread, THREAD_FAULTING);
    s->answer = SCRIPT_DIE;
    w[0]->result = w[1]->result = ST_OK;
    must(q_thread_bind(s->worker->thread, 0), "unbind");
    ok(worker_wait(w[0]) && worker_wait(w[1]) && w[0]->result == ST_OWNER_DEAD &&
           w[1]->result == ST_OWNER_DEAD,
       "fixup OWNER_DEAD: both who were ready go on when the pager is gone");
    ok(probe_wait(p) && p->touched.status == ST_OWNER_DEAD,
       "fixup OWNER_DEAD: the third, who was not, is told to its handler");
    prober_drop(p);
    worker_drop(w[0]);
    worker_drop(w[1]);
}

int main(void)
{
    kit_begin();
    s = script_new(NULL, 0);
    object = script_object(s, 0, PAGES(8), 1);
    view = kit_map(object, PAGES(8), 0, RW);
    test_statuses();
    test_copy();
    test_touch();
    test_registers();
    test_wild();
    test_waiters();
    return tap_end();
}
