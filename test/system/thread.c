/* SPDX-License-Identifier: MIT */
/*
 * Claim: a thread is configured once, starts where it is told with what it is told, keeps its
 * registers, stops wherever it is, and what goes wrong in it is told to its handler.
 *
 * It would fail if a half-configured thread kept pages, if stopping left it on a queue, if a
 * preempted thread found a register changed, or if an exception came with the wrong status.
 */
#include "test/support/probe.h"

#define RTC_BASE \
    0x101000ul /* QEMU virt: the clock has 36 bytes of registers in a page of its own */

static void nothing(void *argument)
{
    (void)argument;
}

static struct result configure(cap_t t, cap_t cspace, cap_t aspace, cap_t handler, cap_t sched)
{
    return q_thread_configure(t, cspace, aspace, handler, sched);
}

static void test_configure(void)
{
    cap_t t = make(OBJ_thread, 0, 0), s = make(OBJ_sched, 5, 0), e = make(OBJ_endpoint, 0, 0);
    cap_t c = SLOT_CSPACE, a = SLOT_ASPACE, empty = slot_new();
    cap_t weak[] = {copy_of(c, 0), copy_of(a, 0), copy_of(e, ENDPOINT_RECEIVE), copy_of(s, 0)};
    struct worker *other = worker_new(&(struct worker_options){0});

    REFUSED(configure(t, e, a, 0, s), ST_BAD_CAP, 0,
            "thread.configure BAD_CAP: no cspace, detail is the argument index");
    REFUSED(configure(t, 0, a, 0, s), ST_BAD_CAP, 0, "thread.configure BAD_CAP: no cspace at all");
    REFUSED(configure(t, weak[0], a, 0, s), ST_BAD_CAP, 0,
            "thread.configure BAD_CAP: cspace without right EDIT");
    REFUSED(configure(t, c, c, 0, s), ST_BAD_CAP, 1, "thread.configure BAD_CAP: no aspace");
    REFUSED(configure(t, c, weak[1], 0, s), ST_BAD_CAP, 1,
            "thread.configure BAD_CAP: aspace without right MAP");
    REFUSED(configure(t, c, a, s, s), ST_BAD_CAP, 2, "thread.configure BAD_CAP: no endpoint");
    REFUSED(configure(t, c, a, weak[2], s), ST_BAD_CAP, 2,
            "thread.configure BAD_CAP: handler without right SEND");
    REFUSED(configure(t, c, a, 0, e), ST_BAD_CAP, 3, "thread.configure BAD_CAP: no context");
    REFUSED(configure(t, c, a, 0, empty), ST_BAD_CAP, 3,
            "thread.configure BAD_CAP: an empty slot for the context");
    REFUSED(configure(t, c, a, 0, weak[3]), ST_BAD_CAP, 3,
            "thread.configure BAD_CAP: context without right CONTROL");
    REFUSED(configure(t, c, a, 0, other->sched), ST_BUSY, 0,
            "thread.configure BUSY: the context is another thread's home");
    REFUSED(q_thread_start(t, 0x10000, 0, 0, 0), ST_BAD_STATE, 0,
            "thread.start BAD_STATE: not configured");
    same(thread_read(t).state, THREAD_NEW, "thread.query: a thread is new until configured");
    must(configure(t, c, a, 0, s), "configure");
    same(thread_read(t).state, THREAD_STOPPED, "thread.query: a configured thread is stopped");
    REFUSED(configure(t, c, a, 0, s), ST_BAD_STATE, 0,
            "thread.configure BAD_STATE: configured before");

    worker_drop(other);
    for (unsigned i = 0; i < 4; i++)
        drop(weak[i]);
    drop(t);
    drop(s);
    drop(e);
    slot_release(empty);
}

/* A bank with room for a thread and nothing else; then an address space full of buffers. */
static void test_configure_limits(void)
{
    cap_t small = make(OBJ_bank, 1, 0), t = make_in(small, OBJ_thread, 0, 0);
    cap_t a, threads[513];
    struct bank_state before;

    REFUSED(configure(t, SLOT_CSPACE, SLOT_ASPACE, 0, 0), ST_NO_SPACE, 0,
            "thread.configure NO_SPACE: no page for the buffer, detail is the pages left");
    same(bank_read(small).used, 1, "thread.configure that is refused charges nothing");
    drop(t);
    drop(small);

    before = bank_read(kit.bank);
    a = make(OBJ_aspace, 0, 0);
    for (unsigned i = 0; i < 513; i++)
        threads[i] = make(OBJ_thread, 0, 0);
    for (unsigned i = 0; i < 512; i++)
        must(configure(threads[i], SLOT_CSPACE, a, 0, 0), "configure");
    REFUSED(configure(threads[512], SLOT_CSPACE, a, 0, 0), ST_LIMIT, 512,
            "thread.configure LIMIT: 512 buffers in one address space");
    drop(threads[17]);
    must(configure(threads[512], SLOT_CSPACE, a, 0, 0), "configure");
    ok(true, "a thread that dies leaves room for another buffer");
    for (unsigned i = 0; i < 513; i++)
        if (i != 17)
            drop(threads[i]);
    drop(a);
    same(bank_read(kit.bank).used, before.used, "513 threads give every page back");
}

static void test_start(void)
{
    struct worker *w = worker_new(&(struct worker_options){0});
    cap_t weak = copy_of(w->thread, 0);

    REFUSED(q_thread_start(w->thread, 0x10001, 0, 0, 0), ST_BAD_ARG, 0,
            "thread.start BAD_ARG: an odd pc");
    REFUSED(q_thread_start(w->thread, USER_TOP, 0, 0, 0), ST_BAD_ARG, 0,
            "thread.start BAD_ARG: pc beyond user addresses");
    REFUSED(q_thread_start(w->thread, 0xffffffff80000000, 0, 0, 0), ST_BAD_ARG, 0,
            "thread.start BAD_ARG: pc in the kernel");
    REFUSED(q_thread_stop(weak), ST_NO_RIGHT, THREAD_CONTROL, "thread.stop needs right CONTROL");
    worker_start(w, nothing, NULL);
    ok(worker_wait(w), "thread.start: a function runs and the thread stops itself");
    worker_start(w, nothing, NULL);
    ok(worker_wait(w), "thread.start: a stopped thread can be started again");
    must(q_thread_name(w->thread, 0x72657474696b, 0), "name");
    drop(weak);
    worker_drop(w);
}

static void forever(void *argument)
{
    volatile word_t *n = argument;

    for (;;)
        ++*n;
}

static void test_stop(void)
{
    volatile word_t *n = arena_new(sizeof *n);
    struct worker *w = WORKER(forever, (void *)n, 0);
    word_t seen;

    let_run();
    REFUSED(q_thread_start(w->thread, 0x10000, 0, 0, 0), ST_BAD_STATE, 0,
            "thread.start BAD_STATE: it runs");
    must(q_thread_stop(w->thread), "stop");
    seen = *n;
    let_run();
    ok(*n == seen && seen > 0, "thread.stop: a running thread stops");
    must(q_thread_stop(w->thread), "stop");
    same(thread_read(w->thread).state, THREAD_STOPPED, "thread.stop twice is no error");
    worker_drop(w);
}

static void test_bind(void)
{
    cap_t e = make(OBJ_endpoint, 0, 0), other = make(OBJ_endpoint, 0, 0);
    cap_t weak = copy_of(e, ENDPOINT_SEND);
    struct worker *w = worker_new(&(struct worker_options){0});

    REFUSED(q_thread_bind(w->thread, weak), ST_BAD_CAP, 0,
            "thread.bind BAD_CAP: endpoint without right RECEIVE");
    REFUSED(q_thread_bind(w->thread, SLOT_BANK), ST_BAD_CAP, 0,
            "thread.bind BAD_CAP: what is no endpoint");
    must(q_thread_bind(w->thread, e), "bind");
    REFUSED(q_thread_bind(w->thread, other), ST_BUSY, 0,
            "thread.bind BUSY: bound to another endpoint");
    must(q_thread_bind(w->thread, 0), "unbind");
    must(q_thread_bind(w->thread, other), "bind");
    ok(true, "thread.bind: 0 undoes it");
    worker_drop(w);
    drop(weak);
    drop(e);
    drop(other);
}

/* What the memory system refuses: the handler hears cause, instruction and address.  Plain loads that
 * are not aligned are no exception: the machine or its firmware does them.  QEMU with one hart does
 * an atomic operation as a load and a store, and tells the load's cause. */
static void test_alignment(void)
{
    word_t *data = arena_new(2 * sizeof *data);
    cap_t clock = make_in(kit.devices, OBJ_phys, RTC_BASE, PAGE);
    char *registers = kit_map(clock, PAGE, 0, MAP_READ | MAP_WRITE);
    const struct {
        enum probe_op op;
        char *address;
        status_t status;
        word_t causes; /* one bit for each that is right */
        const char *what;
    } cases[] = {
        {PROBE_AMO, (char *)data + 1, ST_MISALIGNED, 1 << 4 | 1 << 6,
         "an atomic addition that is not aligned"},
        {PROBE_LR, (char *)data + 4, ST_MISALIGNED, 1 << 4, "a load-reserved that is not aligned"},
        {PROBE_LOAD, registers + 0x800, ST_ACCESS_FAULT, 1 << 5, "a load where no device answers"},
        {PROBE_STORE, registers + 0x800, ST_ACCESS_FAULT, 1 << 7,
         "a store where no device answers"},
    };

    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct touched *t = touch(cases[i].op, cases[i].address);
        word_t pc = probe_pc(cases[i].op);

        if (!ok(t->status == cases[i].status && (cases[i].causes >> t->message.access & 1) &&
                    t->message.address == (word_t)cases[i].address && t->message.pc == pc,
                "exception %s: %s, with cause, pc and address", status_name(cases[i].status),
                cases[i].what))
            note("got %s, cause %lu, address 0x%lx, pc 0x%lx", status_name(t->status),
                 t->message.access, t->message.address, t->message.pc);
    }
    ok(data[0] == 0 && data[1] == 0, "exception MISALIGNED: nothing was written");
    kit_unmap(registers, PAGE);
    drop(clock);
}

static void test_exceptions(void)
{
    static const struct {
        enum probe_op op;
        word_t address;
        status_t status;
        word_t access;
        const char *what;
    } cases[] = {
        {PROBE_LOAD, 0x7000000000 >> 4, ST_NO_REGION, ACCESS_LOAD, "load where nothing is mapped"},
        {PROBE_STORE, 0x8, ST_NO_REGION, ACCESS_STORE, "store near address 0"},
        {PROBE_JUMP, 0x500000, ST_NO_REGION, ACCESS_INSTRUCTION, "jump where nothing is mapped"},
        {PROBE_LOAD, USER_TOP, ST_NO_REGION, ACCESS_LOAD, "load beyond user addresses"},
        {PROBE_LOAD, 0xffffffff80000000, ST_NO_REGION, ACCESS_LOAD, "load from the kernel's text"},
        {PROBE_STORE, 0xffffffc080000000, ST_NO_REGION, ACCESS_STORE,
         "store to the kernel's map of memory"},
        {PROBE_STORE, 0x10000, ST_FORBIDDEN, ACCESS_STORE, "store to the program's text"},
        {PROBE_ILLEGAL, 0, ST_ILLEGAL, 2, "an illegal instruction"},
        {PROBE_BREAKPOINT, 0, ST_BREAKPOINT, 3, "ebreak"},
        {PROBE_BAD_CALL, 0, ST_BAD_CALL, 8, "an ecall that is no system call"},
    };

    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct touched *t = touch(cases[i].op, (void *)cases[i].address);

        if (!ok(t->status == cases[i].status && t->message.access == cases[i].access,
                "exception %s: %s", status_name(cases[i].status), cases[i].what))
            note("got %s, access %lu, address 0x%lx", status_name(t->status), t->message.access,
                 t->message.address);
        if (cases[i].status == ST_NO_REGION || cases[i].status == ST_FORBIDDEN)
            same(t->message.address, cases[i].address, "exception: the address of %s",
                 cases[i].what);
    }
    test_alignment();
    same(touch(PROBE_STORE, (void *)0x10000)->message.region_start, 0x10000,
         "exception: the region of the address is told");
    ok(touch(PROBE_LOAD, (void *)0x8)->message.region_length == 0,
       "exception: no region is told where there is none");
    same(touch(PROBE_LOAD, (void *)0x8)->nwords, EXCEPTION_WORDS,
         "exception: length of the message");
}

static void test_handler(void)
{
    struct prober *p = prober_new(NULL, 0);
    struct worker *lone = worker_new(&(struct worker_options){0});
    struct thread_state s;

    must(q_thread_name(p->worker->thread, 0x6f72657a, 0), "name");
    p->leave_stopped = true;
    probe_start(p, PROBE_LOAD, 0x10, 0);
    ok(probe_wait(p) && p->touched.message.name[0] == 0x6f72657a && p->touched.message.name[1] == 0,
       "exception: the thread's name is told");
    s = thread_read(p->worker->thread);
    ok(s.state == THREAD_STOPPED && s.status == ST_NO_REGION && s.address == 0x10,
       "thread.query: status and address of what stopped it");
    ok(p->touched.badge > 0, "exception: the handler's badge comes with it");
    prober_drop(p);
    worker_drop(lone);
}

static void wild_store(void *argument)
{
    *(volatile word_t *)argument = 1;
}

/* Without a handler, and with one that nobody listens for: the kernel prints the report itself. */
static void test_no_handler(void)
{
    word_t before = counters_read().console_writes;
    cap_t deaf = make(OBJ_endpoint, 0, 0);
    struct worker *w = worker_new(&(struct worker_options){.handler = deaf});
    struct thread_state s;

    for (unsigned i = 0; i < 2; i++) {
        word_t address = i ? (word_t)wild_store & ~7ul : 0x18;

        must(q_thread_name(w->thread, 0x646c6977, 0), "name");
        worker_start(w, wild_store, (void *)address);
        ok(thread_reaches(w->thread, THREAD_STOPPED) && !w->done,
           "exception %s: that thread stops, and it alone",
           i ? "without a handler" : "with a handler that nobody listens for");
        s = thread_read(w->thread);
        ok(s.status == (i ? ST_FORBIDDEN : ST_NO_REGION) && s.address == address,
           "thread.query: what stopped a thread without a handler");
        ok(counters_read().console_writes > before, "exception: the kernel prints a report");
        before = counters_read().console_writes;
        worker_drop(w);
        w = worker_new(&(struct worker_options){0});
    }
    worker_drop(w);
    drop(deaf);
}

/* Registers: every one that a program may use, kept over ticks by two threads at once. */
static void keep_registers(void *argument)
{
    volatile bool *stop = argument;
    word_t bad = 0;

    while (!*stop) {
        word_t wrong;
        /* Fill what may be clobbered from one seed, spin, and see that it is all still there. */
        __asm__ volatile("mv t0, %1\n addi t1, %1, 1\n addi t2, %1, 2\n addi t3, %1, 3\n"
                         "addi t4, %1, 4\n addi t5, %1, 5\n addi t6, %1, 6\n addi a0, %1, 7\n"
                         "addi a1, %1, 8\n addi a2, %1, 9\n addi a3, %1, 10\n addi a4, %1, 11\n"
                         "addi a5, %1, 12\n addi a6, %1, 13\n addi a7, %1, 14\n"
                         "fmv.d.x ft0, t1\n fmv.d.x fa7, t2\n"
                         "li s11, 20000\n"
                         "1: addi s11, s11, -1\n bnez s11, 1b\n"
                         "fmv.x.d s10, ft0\n sub s10, s10, t1\n"
                         "fmv.x.d s9, fa7\n sub s9, s9, t2\n or s10, s10, s9\n"
                         "sub t0, t0, %1\n addi t1, t1, -1\n sub t1, t1, %1\n"
                         "addi t2, t2, -2\n sub t2, t2, %1\n addi t3, t3, -3\n sub t3, t3, %1\n"
                         "addi t4, t4, -4\n sub t4, t4, %1\n addi t5, t5, -5\n sub t5, t5, %1\n"
                         "addi t6, t6, -6\n sub t6, t6, %1\n addi a0, a0, -7\n sub a0, a0, %1\n"
                         "addi a1, a1, -8\n sub a1, a1, %1\n addi a2, a2, -9\n sub a2, a2, %1\n"
                         "addi a3, a3, -10\n sub a3, a3, %1\n addi a4, a4, -11\n sub a4, a4, %1\n"
                         "addi a5, a5, -12\n sub a5, a5, %1\n addi a6, a6, -13\n sub a6, a6, %1\n"
                         "addi a7, a7, -14\n sub a7, a7, %1\n"
                         "or %0, t0, t1\n or %0, %0, t2\n or %0, %0, t3\n or %0, %0, t4\n"
                         "or %0, %0, t5\n or %0, %0, t6\n or %0, %0, a0\n or %0, %0, a1\n"
                         "or %0, %0, a2\n or %0, %0, a3\n or %0, %0, a4\n or %0, %0, a5\n"
                         "or %0, %0, a6\n or %0, %0, a7\n or %0, %0, s10"
                         : "=&r"(wrong)
                         : "r"((word_t)worker_self() * 0x9e3779b97f4a7c15)
                         : "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a0", "a1", "a2", "a3", "a4",
                           "a5", "a6", "a7", "s9", "s10", "s11", "ft0", "fa7", "memory");
        bad |= wrong;
    }
    worker_self()->result = bad;
}

static void test_registers(void)
{
    volatile bool *stop = arena_new(64);
    struct worker *w[2] = {WORKER(keep_registers, (void *)stop, 0),
                           WORKER(keep_registers, (void *)stop, 0)};
    word_t until = counters_read().ticks + 12;

    for (unsigned i = 0; i < 3000000 && counters_read().ticks < until; i++)
        ;
    *stop = true;
    ok(worker_wait(w[0]) && worker_wait(w[1]) && w[0]->result == 0 && w[1]->result == 0,
       "preempted threads keep every register, those of floating point included");
    worker_drop(w[0]);
    worker_drop(w[1]);
}

/* What a system call returns beside its results: caller-saved registers are zero, others kept. */
static void test_zeroed(void)
{
    word_t t[4];

    __asm__ volatile("li t0, -1\n li t1, -1\n li t2, -1\n li t3, -1\n"
                     "li a0, 0\n mv a6, %4\n mv a7, %5\n ecall\n"
                     "mv %0, t0\n mv %1, t1\n mv %2, t2\n mv %3, t3"
                     : "=&r"(t[0]), "=&r"(t[1]), "=&r"(t[2]), "=&r"(t[3])
                     : "r"(kit.bank), "r"(tag_make(SYS_CALL, 0, 0, 0))
                     : "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "t0", "t1", "t2", "t3", "t4",
                       SYS_CLOBBERS);
    ok((t[0] | t[1] | t[2] | t[3]) == 0,
       "a system call zeroes the caller-saved registers that return nothing");
}

int main(void)
{
    word_t before;

    kit_begin();
    arena_new(64);
    test_start();
    before = pages_used();
    test_configure();
    test_configure_limits();
    test_stop();
    test_bind();
    same(pages_used(), before, "thread counters return to where they were");
    test_exceptions();
    test_handler();
    test_no_handler();
    test_registers();
    test_zeroed();
    return tap_end();
}
