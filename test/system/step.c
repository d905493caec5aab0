/* SPDX-License-Identifier: MIT */
/*
 * Claim: a debugger that is a program like any other attaches to a thread of another address space,
 * reads and changes its registers at a breakpoint, steps it over every kind of instruction, lets it
 * go on, and leaves; and the code is then what it was.
 *
 * It would fail if a step ended anywhere but at the next instruction, if a page fault or a sequence
 * from LR to SC got lost in a step, or if a byte of the code were not put back.
 */
#include <string.h>

#include "lib/debug/step.h"
#include "test/support/script.h"

#define CODE_AT 0x40000000ul /* in the debuggee's space */
#define DATA_AT 0x40010000ul /* two pages that a pager serves */
#define ROUNDS  3
#define HELLO   0x68656c6c6full

/* The debuggee: a0 = a counter, a1 = memory that is not there yet.  Its labels are what the steps must
 * meet.  Position independent; t6 = where to return to. */
__asm__(".pushsection .rodata\n .balign 8\n"
        ".global d_begin, d_first, d_loop, d_call, d_back, d_branch, d_lr, d_sc_end, d_load,\n"
        ".global d_store, d_jump, d_stop, d_end, d_function, d_return, d_code_end\n"
        ".option push\n .option rvc\n"
        "d_begin: c.ebreak\n"
        "d_first: c.li a2, 3\n"
        "d_loop: addi a3, a3, 5\n"
        "d_call: jal ra, d_function\n"
        "d_back: addi a2, a2, -1\n"
        "d_branch: c.bnez a2, d_loop\n"
        "d_lr: lr.d t2, (a0)\n"
        "addi t2, t2, 1\n"
        "sc.d t3, t2, (a0)\n"
        "d_sc_end: bnez t3, d_lr\n"
        "d_load: ld a4, 16(a1)\n"
        "d_store: sd a3, 24(a1)\n"
        "d_jump: c.j d_stop\n"
        "c.ebreak\n"
        "d_stop: c.ebreak\n"
        "d_end: c.jr t6\n"
        "d_function: addi a5, a5, 1\n"
        "d_return: c.jr ra\n"
        "d_code_end:\n"
        ".option pop\n .popsection");
extern const char d_begin[], d_first[], d_loop[], d_call[], d_back[], d_branch[], d_lr[],
    d_sc_end[], d_load[], d_store[], d_jump[], d_stop[], d_end[], d_function[], d_return[],
    d_code_end[];

static cap_t handler;
static struct space *space;
static cap_t code_object;
static unsigned char *code; /* the debugger's view of it */
static struct debug_code ranges[1];
static struct debuggee d = {.code = ranges, .ncode = 1};
static struct script *pager;
static cap_t served;

static word_t at(const char *label)
{
    return CODE_AT + (word_t)(label - d_begin);
}

/* ---- Beginning and end -------------------------------------------------------------------------*/

__attribute__((naked, noinline)) static void enter_code(__attribute__((unused)) void *argument)
{
    __asm__("addi sp, sp, -16\n sd ra, 0(sp)\n"
            "la t6, 1f\n"
            "li t0, 0x40000000\n"
            "jr t0\n"
            "1: ld ra, 0(sp)\n addi sp, sp, 16\n"
            "ret");
}

static void make_debuggee(void)
{
    size_t n = (size_t)(d_code_end - d_begin);

    code_object = make(OBJ_anon, PAGE, 0);
    code = kit_map(code_object, PAGE, 0, MAP_READ | MAP_WRITE);
    memcpy(code, d_begin, n);
    space = space_new(kit.bank);
    space_map(space, (void *)CODE_AT, code_object, PAGE, 0, MAP_READ | MAP_EXEC);
    pager = script_new(NULL, 0);
    served = script_object(pager, 0, PAGES(2), 1);
    space_map(space, (void *)DATA_AT, served, PAGES(2), 0, MAP_READ | MAP_WRITE);
    ranges[0] = (struct debug_code){CODE_AT, n, code};
}

static status_t hear(struct message *m)
{
    if (q_recv(m, 0) != ST_OK || message_kind(m) != MSG_EXCEPTION)
        bail("no exception but kind %u", message_kind(m));
    return message_status(m);
}

static struct thread_registers registers(void)
{
    struct thread_registers r = {0};

    must(q_thread_registers(d.thread, &r), "read");
    return r;
}

static void set_registers(const struct thread_registers *r)
{
    must(q_thread_set_registers(d.thread, r, false), "write");
}

/* ---- Steps -------------------------------------------------------------------------------------*/

/* The step must end at `label`. */
static bool step_to(const char *label, const char *what)
{
    struct message m;
    status_t status = step_once(&d, &m);
    word_t pc = registers().pc;

    if (status == ST_OK && pc == at(label))
        return true;
    note("step %s: %s, pc 0x%lx, wanted 0x%lx", what, status_name(status), pc, at(label));
    return false;
}

static bool code_is_whole(void)
{
    return !memcmp(code, d_begin, (size_t)(d_code_end - d_begin));
}

static void test_loop(void)
{
    bool right = true;

    right = step_to(d_loop, "over c.li");
    for (unsigned i = 1; i <= ROUNDS; i++) {
        struct thread_registers r;

        right = step_to(d_call, "over addi") && right;
        right = step_to(d_function, "into a call") && right;
        right = step_to(d_return, "in the function") && right;
        right = step_to(d_back, "out of it") && right;
        right = step_to(d_branch, "to the branch") && right;
        r = registers();
        right = right && r.x[13 - 1] == 5 * i && r.x[15 - 1] == 1000 + i &&
                r.x[12 - 1] == ROUNDS - i && r.x[1 - 1] == at(d_back);
        right = step_to(i < ROUNDS ? d_loop : d_lr, "at the branch") && right;
    }
    ok(right,
       "step: three rounds of a loop, each pc and register: call, return, branch taken and not");
    ok(code_is_whole(), "step: every byte of the code is put back");
}

static void test_sequence(volatile word_t *counter)
{
    unsigned tries = 0;
    bool right = true;

    do { /* a tick may fall into it, as it may without a debugger */
        right = step_to(d_sc_end, "over the sequence") && right;
        tries++;
        if (registers().x[28 - 1] == 0)
            break;
        right = step_to(d_lr, "back to it") && right;
    } while (tries < 5);
    ok(right && tries < 5 && *counter == 71, "step: from LR to SC is one step, and SC succeeds");
    ok(step_to(d_load, "behind it"), "step: the branch behind the sequence");
}

static void test_faults(void)
{
    struct message m;
    struct thread_registers r;

    ok(page_read(served, 0).state == 0 && step_to(d_store, "over a load") &&
           page_read(served, 0).state == 1 && registers().x[14 - 1] == 0 &&
           script_count(pager, MAPPING_resolve_fault) == 1,
       "step: a page fault in the middle of a step is served by its pager");
    pager->answer = SCRIPT_ERROR;
    pager->status = ST_IO;
    r = registers();
    r.x[11 - 1] = DATA_AT + PAGE;
    set_registers(&r);
    ok(step_once(&d, &m) == ST_BUSY && message_status(&m) == ST_IO &&
           m.words[1] == DATA_AT + PAGE + 24 && m.words[2] == at(d_store) && code_is_whole(),
       "step: an exception in a step ends it, and the debugger hears which");
    r.x[11 - 1] = DATA_AT;
    set_registers(&r);
    ok(step_to(d_jump, "over the store"), "step: a register put right, the same instruction again");
    ok(step_to(d_stop, "over c.j"), "step: a jump");
}

static void test_refusals(void)
{
    struct thread_registers r = registers();
    struct debuggee none = {.thread = d.thread};
    uint16_t bytes;

    same(step_begin(&none), ST_NOT_FOUND, "step: of code that the debugger does not see");
    same(breakpoint_set(&d, CODE_AT + 1, &bytes), ST_NOT_FOUND,
         "breakpoint: not at an odd address");
    same(breakpoint_set(&d, CODE_AT + ranges[0].nbytes, &bytes), ST_NOT_FOUND,
         "breakpoint: not behind the code");
    none.thread = SLOT_THREAD;
    same(step_begin(&none), ST_BAD_STATE, "step: of a thread that runs");
    set_registers(&r);
    ok(code_is_whole(), "step: what is refused leaves the code");
}

/* Attach, look, change, go on to a breakpoint, step, leave. */
static void test_story(void)
{
    struct prober *p = prober_new(NULL, 0); /* whose handler the debuggee has of old */
    volatile word_t *counter = arena_new(sizeof *counter);
    struct worker *w = worker_new(&(struct worker_options){.space = space, .handler = p->handler});
    struct thread_registers r;
    struct message m;
    uint16_t bytes;

    d.thread = w->thread;
    must(q_thread_set_handler(d.thread, handler), "attach");
    *counter = 70;
    worker_start(w, enter_code, NULL);
    ok(hear(&m) == ST_BREAKPOINT && m.words[2] == at(d_begin),
       "debugger: attached, hears a breakpoint");
    r = registers();
    r.pc = at(d_first);
    r.x[10 - 1] = (word_t)counter;
    r.x[11 - 1] = DATA_AT;
    r.x[13 - 1] = 0;
    r.x[15 - 1] = 1000;
    set_registers(&r);
    test_loop();
    test_sequence(counter);
    test_faults();
    test_refusals();

    r = registers();
    r.pc = at(d_first);
    r.x[15 - 1] = HELLO;
    set_registers(&r);
    must((struct result){breakpoint_set(&d, at(d_back), &bytes), 0}, "breakpoint");
    let_go(0);
    ok(hear(&m) == ST_BREAKPOINT && m.words[2] == at(d_back) && registers().x[15 - 1] == HELLO + 1,
       "debugger: goes on to a breakpoint with the register that was changed");
    must((struct result){breakpoint_clear(&d, at(d_back), bytes), 0}, "breakpoint");
    ok(step_to(d_branch, "from the breakpoint"), "debugger: steps from there");
    r = registers();
    r.pc = at(d_end);
    set_registers(&r);
    must(q_thread_set_handler(d.thread, p->handler), "detach");
    let_go(0);
    ok(worker_wait(w) && code_is_whole(), "debugger: leaves, and the thread runs to its end");
    worker_start(w, enter_code, NULL);
    for (unsigned i = 0; i < 50 && p->touched.status != ST_BREAKPOINT; i++)
        sys_yield();
    same(p->touched.status, ST_BREAKPOINT, "debugger: its handler of old hears the next exception");
    must(q_thread_stop(w->thread), "stop");
    worker_drop(w);
    prober_drop(p);
}

int main(void)
{
    word_t before;

    kit_begin();
    arena_new(64);
    load((void *)0x10000);
    handler = badged(SLOT_ENDPOINT, ENDPOINT_SEND, 1);
    space_drop(space_new(kit.bank)); /* the tables of the window it copies through stay */
    before = pages_used();
    make_debuggee();
    test_story();
    script_drop(pager);
    drop(served);
    space_drop(space);
    kit_unmap(code, PAGE);
    drop(code_object);
    same(pages_used(), before, "step: every page is back");
    return tap_end();
}
