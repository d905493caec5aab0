/* SPDX-License-Identifier: MIT */
/*
 * Claim: whoever has a thread's right CONTROL can be its exception handler for a while, read and
 * write every register of it while it does not run, and let it go on; the thread notices nothing
 * but what was changed.
 *
 * It would fail if a register were forgotten, if the registers of a thread that runs or waits could
 * be written, or if a thread that a debugger lets go were not as before.
 */
#include <string.h>

#include "test/support/probe.h"

#define BADGE 0x64

static cap_t handler; /* to the test's own endpoint */

/* The next exception of whoever has the test as its handler. */
static status_t hear(struct message *m)
{
    if (q_recv(m, 0) != ST_OK || message_kind(m) != MSG_EXCEPTION || m->badge != BADGE)
        bail("no exception but kind %u of 0x%lx", message_kind(m), m->badge);
    return message_status(m);
}

/* ---- Every register ----------------------------------------------------------------------------*/

#define FREE_X \
    ".irp n, 5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
#define ALL_F                                                                                     \
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30," \
    "31\n"

/* x5 to x31 = 0x1000 + 3n, f = 500 + n, fcsr = 1; a breakpoint; then which bits are not those of
 * x = 5n + 7, f = 900 + n, fcsr = 0x63. */
__attribute__((naked, noinline)) static word_t fill_and_break(void)
{
    __asm__("addi sp, sp, -112\n"
            ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11\n sd s\\n, 8 * \\n(sp)\n .endr\n"
            "li t0, 1\n fscsr t0\n" ALL_F "li t0, 500 + \\n\n fmv.d.x f\\n, t0\n .endr\n" FREE_X
            "li x\\n, 0x1000 + 3 * \\n\n .endr\n"
            ".option push\n .option norvc\n"
            "ebreak\n"
            ".option pop\n" FREE_X "addi x\\n, x\\n, -(5 * \\n + 7)\n .endr\n"
            ".irp n, 5,6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
            "or a0, a0, x\\n\n .endr\n" ALL_F
            "fmv.x.d t0, f\\n\n addi t0, t0, -(900 + \\n)\n or a0, a0, t0\n .endr\n"
            "frcsr t0\n addi t0, t0, -0x63\n or a0, a0, t0\n"
            ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11\n ld s\\n, 8 * \\n(sp)\n .endr\n"
            "addi sp, sp, 112\n"
            "ret");
}

static void run_fill(void *argument)
{
    (void)argument;
    worker_self()->result = fill_and_break();
}

static void hold_floats(void *argument)
{
    volatile bool *stop = argument;

    __asm__ volatile("fmv.d.x fs0, %0" ::"r"(0x3e3));
    while (!*stop)
        ;
    __asm__ volatile("fmv.x.d %0, fs0" : "=r"(worker_self()->result));
}

static bool fields_are(const struct thread_registers *r, word_t base, word_t factor)
{
    bool right = true;

    for (unsigned n = 5; n < 32; n++)
        right = right && r->x[n - 1] == base + factor * n;
    return right;
}

static void test_all(void)
{
    volatile bool *stop = arena_new(64);
    struct worker *other = WORKER(hold_floats, (void *)stop, 0);
    struct worker *w = WORKER(run_fill, NULL, .handler = handler);
    struct thread_registers r = {0};
    struct thread_float f = {0};
    struct message m;
    bool right = true;

    same(hear(&m), ST_BREAKPOINT, "debugger: a breakpoint is heard");
    must(q_thread_registers(w->thread, &r), "read");
    ok(fields_are(&r, 0x1000, 3) && r.pc == m.words[2] && r.x[1] > (word_t)w &&
           r.x[1] < (word_t)w + (16 << 10) && r.x[3] > (word_t)w && r.x[3] < r.x[1],
       "thread.read_registers: pc and all 31");
    ok(r.status == ST_BREAKPOINT && r.access == 3 && r.address == m.words[1],
       "thread.read_registers: what stopped it");
    must(q_thread_float(w->thread, &f), "read");
    for (unsigned n = 0; n < 32; n++)
        right = right && f.f[n] == 500 + n;
    ok(right && f.fcsr == 1, "thread.read_float: f0 to f31 and fcsr");

    for (unsigned n = 5; n < 32; n++)
        r.x[n - 1] = 5 * n + 7;
    for (unsigned n = 0; n < 32; n++)
        f.f[n] = 900 + n;
    r.pc += 4;
    f.fcsr = ~0xfful | 0x63;
    must(q_thread_set_registers(w->thread, &r, false), "write");
    must(q_thread_set_float(w->thread, &f), "write");
    let_go(0);
    ok(worker_wait(w) && w->result == 0,
       "thread.write_registers, write_float: the thread goes on with every one of them");
    *stop = true;
    ok(worker_wait(other) && other->result == 0x3e3,
       "thread.write_float: another thread's registers stay");
    worker_drop(w);
    worker_drop(other);
}

/* ---- Who may, and when -------------------------------------------------------------------------*/

static void forever(void *argument)
{
    volatile word_t *n = argument;

    for (;;)
        ++*n;
}

static void call_nobody(void *argument)
{
    struct message m = {0};

    (void)argument;
    message_prepare(&m, 0, 0, 0);
    (void)q_call(SLOT_ENDPOINT, &m);
}

/* All four are refused alike. */
static void all_refused(cap_t thread, word_t state, const char *what)
{
    struct thread_registers r = {.pc = 0x10000};
    struct thread_float f = {0};

    REFUSED(q_thread_registers(thread, &r), ST_BAD_STATE, state,
            "thread.read_registers BAD_STATE: %s", what);
    REFUSED(q_thread_set_registers(thread, &r, false), ST_BAD_STATE, state,
            "thread.write_registers BAD_STATE: %s", what);
    REFUSED(q_thread_float(thread, &f), ST_BAD_STATE, state, "thread.read_float BAD_STATE: %s",
            what);
    REFUSED(q_thread_set_float(thread, &f), ST_BAD_STATE, state, "thread.write_float BAD_STATE: %s",
            what);
}

static void test_states(void)
{
    volatile word_t *n = arena_new(sizeof *n);
    cap_t fresh = make(OBJ_thread, 0, 0), weak;
    struct worker *w = WORKER(forever, (void *)n, 0);
    struct thread_registers r;
    struct message m;
    word_t seen;

    all_refused(fresh, THREAD_NEW, "a thread that is not configured");
    all_refused(w->thread, THREAD_READY, "a thread that runs");
    all_refused(SLOT_THREAD, THREAD_READY, "the caller itself");
    let_run();
    must(q_thread_stop(w->thread), "stop");
    must(q_thread_registers(w->thread, &r), "read");
    same(r.status, ST_OK, "thread.read_registers: a thread that was stopped had no exception");
    REFUSED(q_thread_set_registers(w->thread, &(struct thread_registers){.pc = 1}, false),
            ST_BAD_ARG, 1, "thread.write_registers BAD_ARG: an odd pc");
    REFUSED(q_thread_set_registers(w->thread, &(struct thread_registers){.pc = USER_TOP}, true),
            ST_BAD_ARG, 1, "thread.write_registers BAD_ARG: pc beyond user addresses");
    m = (struct message){.words = {2}};
    REFUSED(
        ((struct result){q_operation(w->thread, OP_thread_write_registers, 33, &m), m.words[0]}),
        ST_BAD_ARG, 0, "thread.write_registers BAD_ARG: `run` is 0 or 1");
    REFUSED(
        ((struct result){q_operation(w->thread, OP_thread_write_registers, 32, &m), m.words[0]}),
        ST_BAD_LENGTH, 33, "thread.write_registers: a register is missing");
    weak = copy_of(w->thread, 0);
    REFUSED(q_thread_registers(weak, &r), ST_NO_RIGHT, THREAD_CONTROL,
            "thread.read_registers needs right CONTROL");
    drop(weak);
    seen = *n;
    must(q_thread_set_registers(w->thread, &r, false), "write");
    let_run();
    same(*n, seen, "thread.write_registers: a stopped thread stays stopped");
    must(q_thread_set_registers(w->thread, &r, true), "write");
    let_run();
    ok(*n > seen, "thread.write_registers: with `run` it goes on where it was");
    REFUSED(q_thread_set_registers(w->thread, &r, true), ST_BAD_STATE, THREAD_READY,
            "thread.write_registers BAD_STATE: it runs already");
    worker_drop(w);

    w = WORKER(call_nobody, NULL, 0);
    thread_reaches(w->thread, THREAD_SENDING);
    all_refused(w->thread, THREAD_SENDING, "a thread that waits to send");
    if (q_recv(&m, 0) != ST_OK)
        bail("no call");
    all_refused(w->thread, THREAD_CALLING, "a thread that waits for a reply");
    let_go(0);
    worker_wait(w);
    worker_drop(w);
    drop(fresh);
}

/* An exception that nobody has heard yet, then one that has been. */
static void test_exceptions(void)
{
    struct worker *w = WORKER(run_fill, NULL, .handler = handler);
    struct thread_registers r;
    struct message m;

    thread_reaches(w->thread, THREAD_SENDING);
    must(q_thread_registers(w->thread, &r), "read");
    ok(r.status == ST_BREAKPOINT && fields_are(&r, 0x1000, 3),
       "thread.read_registers: an exception that is still to be heard");
    r.x[9] = 77;
    must(q_thread_set_registers(w->thread, &r, false), "write");
    hear(&m);
    same(message_word(&m, 6 + 9), 77, "thread.write_registers: the handler hears what was written");
    REFUSED(q_thread_set_registers(w->thread, &r, true), ST_BAD_STATE, THREAD_CALLING,
            "thread.write_registers BAD_STATE: `run` is not the way past a handler");
    let_go(1);
    must(q_thread_registers(w->thread, &r), "read");
    ok(r.status == ST_BREAKPOINT && r.x[9] == 77,
       "thread.read_registers: a thread that its handler left stopped");
    must(q_thread_stop(w->thread), "stop");
    worker_drop(w);
}

/* ---- Handlers come and go ----------------------------------------------------------------------*/

static void test_handlers(void)
{
    struct prober *p = prober_new(NULL, 0);
    cap_t t = p->worker->thread, deaf = copy_of(SLOT_ENDPOINT, ENDPOINT_RECEIVE);
    cap_t fresh = make(OBJ_thread, 0, 0), gone = make(OBJ_endpoint, 0, 0);
    struct message m;

    REFUSED(q_thread_set_handler(t, deaf), ST_BAD_CAP, 0,
            "thread.set_handler BAD_CAP: without right SEND");
    REFUSED(q_thread_set_handler(t, SLOT_BANK), ST_BAD_CAP, 0,
            "thread.set_handler BAD_CAP: what is no endpoint");
    REFUSED(q_thread_set_handler(fresh, handler), ST_BAD_STATE, THREAD_NEW,
            "thread.set_handler BAD_STATE: not configured");
    same(probe(p, PROBE_LOAD, (void *)8, 0)->status, ST_NO_REGION,
         "thread.set_handler: a refusal leaves the old one");
    must(q_thread_set_handler(t, handler), "set");
    p->touched.status = ST_OK;
    probe_start(p, PROBE_LOAD, 8, 0);
    ok(hear(&m) == ST_NO_REGION && p->touched.status == ST_OK,
       "thread.set_handler: the new one hears, and the old one does not");
    must(q_thread_set_handler(t, p->handler), "set");
    same(thread_read(t).state, THREAD_CALLING,
         "thread.set_handler: what the first has heard is still its to answer");
    let_go(0);
    ok(probe_wait(p) && p->touched.status == ST_NO_REGION,
       "thread.set_handler: the same instruction again, and the one that is back hears");
    must(q_thread_set_handler(t, 0), "set");
    must(q_thread_set_handler(t, gone), "set");
    drop(gone);
    same(probe(p, PROBE_LOAD1, p, 0)->status, ST_OK,
         "thread.set_handler: its endpoint may lose the capability that it was set with");
    must(q_thread_set_handler(t, 0), "set");
    probe_start(p, PROBE_LOAD, 8, 0);
    ok(thread_reaches(t, THREAD_STOPPED) && !p->touched.done,
       "thread.set_handler: 0, and nobody hears");
    prober_drop(p);
    drop(deaf);
    drop(fresh);
}

/* ---- A thread that is suspended ----------------------------------------------------------------*/

/* Until somebody gives t1 a value, which is the result; t0 = 77. */
__attribute__((naked, noinline)) static word_t wait_for_value(void)
{
    __asm__("li t0, 77\n"
            "li t1, 0\n"
            "1: beqz t1, 1b\n"
            "mv a0, t1\n"
            "ret");
}

static void run_wait(void *argument)
{
    (void)argument;
    worker_self()->result = wait_for_value();
}

static void test_suspended(void)
{
    struct worker *w = WORKER(run_wait, NULL, 0);
    struct thread_registers r = {0};
    word_t place = (word_t)wait_for_value;

    let_run();
    must(q_thread_suspend(w->thread), "suspend");
    must(q_thread_registers(w->thread, &r), "read");
    ok(r.pc >= place && r.pc < place + 12 && r.x[4] == 77 && r.x[5] == 0 && r.status == ST_OK,
       "thread.read_registers: of a thread that is suspended in the middle of its work");
    r.x[5] = 4711;
    must(q_thread_set_registers(w->thread, &r, false), "write");
    let_run();
    ok(!w->done, "thread.write_registers: it stays suspended");
    must(q_thread_resume(w->thread), "resume");
    ok(worker_wait(w) && w->result == 4711,
       "thread.write_registers: resumed, it goes on with what was written");
    worker_drop(w);
}

int main(void)
{
    word_t before;

    kit_begin();
    arena_new(64);
    load((void *)0x10000);
    handler = badged(SLOT_ENDPOINT, ENDPOINT_SEND, BADGE);
    before = pages_used();
    test_all();
    test_states();
    test_exceptions();
    test_handlers();
    test_suspended();
    same(pages_used(), before, "debugger: every page is back");
    return tap_end();
}
