/* SPDX-License-Identifier: MIT */
// sources: kernel/core/ipc.c kernel/core/fixup.c kernel/core/saved.c kernel/core/invoke.c kernel/core/schedule.c kernel/core/fault.c
// sources: kernel/core/report.c kernel/core/status.c kernel/core/counters.c kernel/core/transfer.c kernel/core/timeout.c kernel/core/help.c kernel/core/budget.c
// sources: kernel/object/thread.c kernel/object/registers.c kernel/object/sched.c kernel/object/endpoint.c
// sources: kernel/core/clock.c kernel/object/notification.c kernel/object/served.c kernel/object/answer.c
// sources: kernel/object/aspace.c kernel/object/cut.c kernel/object/region.c kernel/core/tree.c kernel/object/radix.c
// sources: kernel/object/memory.c kernel/object/anon.c kernel/object/phys.c kernel/object/bank.c
// sources: kernel/object/link.c kernel/object/private.c kernel/object/fork.c kernel/object/object.c kernel/object/slot.c kernel/object/cspace.c
// sources: kernel/object/frame.c lib/base/text.c
// sources: test/unit/fake/arena.c test/unit/fake/objects.c test/unit/fake/panic.c test/unit/fake/timer.c
/*
 * Claim: whatever programs do, by calls, faults, answers, kills and destructions in whatever order,
 * every invariant of every object holds after each system call, no operation returns a status that
 * its definition does not list, nobody waits for a reply that cannot come, and at the end every
 * page is back.
 *
 * There is no model: threads are simulated by the registers they enter the kernel with, and the
 * checks of a debug kernel run after each entry.  A queue, loan or link that is left behind when a
 * thread or an object goes makes it fail, usually within a hundred steps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/timer.h"
#include "kernel/core/clock.h"
#include "kernel/core/console.h"
#include "kernel/core/fault.h"
#include "kernel/core/fpu.h"
#include "kernel/core/hart.h"
#include "kernel/core/ipc.h"
#include "kernel/core/klock.h"
#include "kernel/core/schedule.h"
#include "kernel/core/trap.h"
#include "kernel/object/aspace.h"
#include "kernel/object/bank.h"
#include "kernel/object/cspace.h"
#include "kernel/object/endpoint.h"
#include "kernel/object/notification.h"
#include "kernel/object/served.h"
#include "lib/base/string.h"
#include "test/unit/base/support.h"
#include "test/unit/fake/panic.h"

#define PAGES        8192ul /* given to the allocator */
#define SERVED_PAGES 8ul

/* Slots of the one cspace that all share; those before MORTAL are for nobody to take away. */
enum {
    CSPACE = 1,
    FIRST_BANK,
    BANK, /* all but the first thread is made from it */
    ASPACE,
    MORTAL,
    CHILD = MORTAL, /* a bank below BANK */
    OTHER_CSPACE,   /* empty: who has it lives on what it is sent */
    THREAD,
    SCHED = THREAD + 8,
    ENDPOINT = SCHED + 6, /* so some threads are passive */
    NOTIFICATION = ENDPOINT + 3,
    SERVED = NOTIFICATION + 2,
    ANON = SERVED + 2,
    FREE,
    SLOTS = 64,
};
#define VADDR(n) (0x100000ul + (n)*0x10000ul) /* of the n-th served object */

static struct random rng;
static struct hart hart;
void *fake_hart = &hart;
struct klock klock;
static struct bank *first;
static struct cspace *cspace;
static struct thread *init;

/* ---- The parts of the kernel that need the machine -------------------------------------------- */

u32 mmu_asid_limit(void)
{
    return 4;
}
void mmu_flush_page(vaddr_t va, u32 asid)
{
    (void)va;
    (void)asid;
}
void mmu_flush_asid(u32 asid)
{
    (void)asid;
}
void mmu_root_init(u64 *root)
{
    (void)root;
}
void page_zero(void *page)
{
    memset(page, 0, PAGE_SIZE);
}
void page_copy(void *to, const void *from)
{
    memcpy(to, from, PAGE_SIZE);
}
void console_puts(const char *s)
{
    (void)s;
}
void fpu_forget(struct thread *t)
{
    (void)t;
}
void fpu_flush(struct thread *t)
{
    (void)t;
}
void schedule_leave_space(u64 satp)
{
    (void)satp;
}

/* Interrupts, as often as a round wants them: each takes the processor from a long operation. */
static u64 interrupts_percent;

bool cpu_interrupt_pending(void)
{
    return random_below(&rng, 100) < interrupts_percent;
}

void interrupts_take(void)
{
}

/* As in switch.c; `init` is always READY, so a hart never idles. */
struct thread *schedule_next(void)
{
    for (;;) {
        struct thread *t = schedule_pick();

        assert_non_null(t);
        hart.thread = t;
        t->hart = &hart;
        if (!t->reaps)
            return t;
        t->reaps = 0;
        if (!object_reap() && hart.thread == t)
            t->reaps = 1;
    }
}

/* ---- Checks ----------------------------------------------------------------------------------- */

/* Nobody waits for what cannot come, and nothing that should be told lies about untold. */
static void check_waiting(const struct object *o)
{
    if (o->type == OBJ_thread) {
        const struct thread *t = container_of(o, struct thread, object);

        /* While the last thread is being unbound, step by step, it is still bound. */
        if (t->state == THREAD_SENDING)
            assert_true(!t->sends_to->deserted || t->sends_to->bound > 0); /* or being told so */
        if (t->state == THREAD_CALLING && t->ticket.saved)
            assert_true(t->sends_to->bound > 0);
        else if (t->state == THREAD_CALLING)
            assert_int_not_equal(t->callee->state, THREAD_STOPPED);
    } else if (o->type == OBJ_served) {
        const struct served *s =
            container_of(container_of(o, struct memory, object), struct served, memory);

        if (!queue_is_empty(&s->queue) && !slot_is_empty(&s->server)) /* V3 */
            assert_int_equal(s->node.kind, QNODE_SERVED);
    }
}

/* Everything there is hangs below the first bank's origin. */
static void check_everything(void)
{
    struct slot *top = &first->object.origin;

    schedule_check();
    clock_check();
    for (struct slot *s = top; s; s = slot_walk_next(top, s)) {
        slot_check(s);
        if (slot_place(s) == PLACE_ORIGIN) {
            object_ops_of(slot_type(s))->check(slot_object(s));
            check_waiting(slot_object(s));
        }
    }
}

/* ---- Threads ---------------------------------------------------------------------------------- */

static struct slot *slot_at(unsigned number)
{
    return cspace_slot(cspace, number);
}

static u64 below(u64 n)
{
    return random_below(&rng, n);
}

static bool chance(unsigned percent)
{
    return below(100) < percent;
}

/* Enter the kernel by ecall, as entry.S does. */
static struct thread *enter(struct thread *t, word_t tag, word_t slot, const word_t words[6])
{
    memcpy(&t->regs[10], words, 6 * sizeof(word_t));
    t->regs[16] = slot;
    t->regs[17] = tag;
    t->regs[0] += 4;
    t->exit_full = 0;
    t->regs[5] = t->regs[6] = t->regs[7] = t->regs[28] = t->regs[29] = 0;
    return syscall_enter(t);
}

static struct thread *call(struct thread *t, word_t slot, unsigned operation, word_t a, word_t b,
                           word_t c, word_t d, word_t e)
{
    const word_t words[6] = {a, b, c, d, e, 0};

    return enter(t, tag_make(SYS_CALL, operation, 5, 0), slot, words);
}

/* By init, which has it done at once: it never calls through an endpoint that got into that slot. */
static status_t init_enter(word_t slot, unsigned operation, const word_t words[6])
{
    u64 pc;

    if (!slot_is_empty(slot_at(slot)) && slot_type(slot_at(slot)) == OBJ_endpoint)
        return ST_BAD_CAP;
    do { /* until it does not start again */
        hart.thread = init;
        pc = init->regs[0];
        enter(init, tag_make(SYS_CALL, operation, 5, 0), slot, words);
    } while (init->regs[0] == pc);
    return (status_t)tag_label(init->regs[17]);
}

static status_t init_call(word_t slot, unsigned operation, word_t a, word_t b, word_t c, word_t d)
{
    return init_enter(slot, operation, (const word_t[6]){a, b, c, d, 0, 0});
}

static void give(unsigned number, struct object *o)
{
    slot_derive(slot_at(number), &o->origin, PLACE_CSPACE, RIGHTS_ALL, 0);
}

/* init, in the first bank, at the lowest priority. */
static int boot(void **state)
{
    struct sched *sched;
    struct aspace *space;
    word_t detail;

    (void)state;
    fake_arena_init();
    clock_init(&hart, 1000000000);
    frame_boot_add(paddr(FAKE_BASE), PAGES);
    first = bank_boot();
    cspace = cspace_boot(first, 6);
    space = aspace_boot(first);
    init = thread_boot(first);
    sched = sched_boot(first, 0);
    give(CSPACE, &cspace->object);
    give(FIRST_BANK, &first->object);
    assert_int_equal(thread_configure_slots(init, slot_at(CSPACE), &space->object.origin, NULL,
                                            &sched->object.origin, &detail),
                     ST_OK);
    thread_run(init, 0x1000, 0, 0, 0);
    schedule_next();
    return 0;
}

/* A bank for all that follows, and the address space of all programs. */
static void make_world(void)
{
    assert_int_equal(init_call(FIRST_BANK, OP_bank_create, OBJ_bank, BANK, 2000, 0), ST_OK);
    assert_int_equal(init_call(BANK, OP_bank_create, OBJ_aspace, ASPACE, 0, 0), ST_OK);
}

static unsigned pick_slot(unsigned base, unsigned end)
{
    return base + below(end - base);
}

/* What belongs into that slot, and from where; sometimes from the child bank. */
static void remake(unsigned number)
{
    unsigned bank = chance(40) && !slot_is_empty(slot_at(CHILD)) ? CHILD : BANK;
    unsigned type;
    word_t a = 0;

    if (number == CHILD) {
        type = OBJ_bank;
        bank = BANK;
        a = 200;
    } else if (number == OTHER_CSPACE) {
        type = OBJ_cspace;
        a = 4;
    } else if (number < SCHED) {
        type = OBJ_thread;
    } else if (number < ENDPOINT) {
        type = OBJ_sched;
        a = 1 + below(3);
    } else if (number < NOTIFICATION) {
        type = OBJ_endpoint;
    } else if (number < SERVED) {
        type = OBJ_notification;
    } else {
        type = number < ANON ? OBJ_served : OBJ_anon;
        a = SERVED_PAGES * PAGE_SIZE;
    }
    init_call(bank, OP_bank_create, type, number, a, number);
}

/* A thread that does nothing: give it what it lacks, and start it. */
static void revive(unsigned number)
{
    word_t handler = chance(70) ? pick_slot(ENDPOINT, NOTIFICATION) : 0;
    word_t home = chance(80) ? pick_slot(SCHED, ENDPOINT) : 0;

    init_call(number, OP_thread_configure, chance(90) ? CSPACE : OTHER_CSPACE, ASPACE, handler,
              home);
    if (chance(80))
        init_call(number, OP_thread_bind, pick_slot(ENDPOINT, NOTIFICATION), 0, 0, 0);
    if (chance(30))
        init_call(pick_slot(NOTIFICATION, SERVED), OP_notification_bind, number, 0, 0, 0);
    init_call(number, OP_thread_start, 0x1000, 0, 0, 0);
}

static void serve(unsigned number)
{
    word_t at = VADDR(number - SERVED);
    const word_t wants =
        1ul << MAPPING_on_mapped | 1ul << MAPPING_on_unmapped | 1ul << MAPPING_resolve_fault;
    const word_t words[6] = {
        DECLARE_MAPPABLE, MAP_READ | MAP_WRITE, 0, chance(80) ? wants : 0, 16, 0};

    init_call(number, OP_served_attach, chance(90) ? pick_slot(ENDPOINT, NOTIFICATION) : 0, 0, 0,
              0);
    init_enter(number, OP_served_declare, words);
    if (chance(30)) {
        init_call(ASPACE, OP_aspace_unmap, at, SERVED_PAGES * PAGE_SIZE, 0, 0);
        return;
    }
    init_enter(ASPACE, OP_aspace_map,
               (const word_t[6]){at, SERVED_PAGES * PAGE_SIZE, number, 0, MAP_READ | MAP_WRITE, 0});
}

/* Everybody else waits, or it is init's turn: it repairs what is broken. */
static void init_step(void)
{
    unsigned number = pick_slot(MORTAL, FREE);
    struct slot *slot = slot_at(number);

    if (slot_is_empty(slot_at(BANK))) /* somebody ended the world */
        make_world();
    if (slot_is_empty(slot))
        remake(number);
    else if (slot_type(slot) == OBJ_thread)
        revive(number);
    else if (slot_type(slot) == OBJ_notification)
        init_call(number, OP_notification_signal, 1 + below(7), 0, 0, 0);
    else if (number >= SERVED) /* anon memory refuses the operations of served memory */
        serve(number);
    else if (slot_type(slot) == OBJ_bank && chance(40))
        init_call(number, OP_bank_destroy, 0, 0, 0, 0);
    if (chance(10))
        init_call(pick_slot(THREAD, SCHED), OP_thread_stop, 0, 0, 0, 0);
    if (chance(30))
        init_call(pick_slot(THREAD, SCHED), OP_thread_resume, 0, 0, 0, 0);
}

/* ---- What a program does ---------------------------------------------------------------------- */

static word_t any_tag(unsigned kind)
{
    word_t nwords = chance(90) ? below(8) : below(70);
    word_t ncaps = chance(75) ? 0 : below(6);

    return tag_make(kind, chance(80) ? 0 : below(4), nwords, ncaps) |
           (chance(15) ? SYS_NONBLOCK : 0) | (chance(15) ? SYS_TIMEOUT : 0) |
           (chance(15) ? SYS_DEADLINE : 0);
}

/* How long a system call with a timeout may wait, or until when. */
static void choose_time(struct thread *t)
{
    t->buffer->timeout = chance(20) ? 0 : (chance(50) ? fake_now : 0) + below(3000);
}

static void fill_buffer(struct thread *t)
{
    for (unsigned i = 0; i < MESSAGE_CAPS; i++) {
        t->buffer->send[i] = chance(80) ? pick_slot(MORTAL, FREE) : below(SLOTS + 2);
        t->buffer->receive[i] = chance(80) ? pick_slot(FREE, SLOTS) : below(SLOTS + 2);
    }
}

static struct thread *message(struct thread *t, unsigned kind)
{
    const word_t words[6] = {below(9), below(9), below(9), below(9), below(9), below(9)};
    word_t slot = chance(80)   ? pick_slot(ENDPOINT, NOTIFICATION)
                  : chance(80) ? pick_slot(FREE, SLOTS)
                               : BANK + below(SLOTS);

    fill_buffer(t);
    choose_time(t);
    return enter(t, any_tag(kind), kind == SYS_REPLY_RECV && chance(90) ? 0 : slot, words);
}

/* To whom this thread's endpoint put aside lately, mostly. */
static struct thread *reply_saved(struct thread *t)
{
    const struct endpoint *e = slot_object(&t->endpoint);
    const word_t words[6] = {below(9), below(9)};
    word_t number = e ? e->saved_count - below(4) : below(4);

    fill_buffer(t);
    return enter(t, any_tag(SYS_REPLY_SAVED), number, words);
}

static struct thread *fault(struct thread *t)
{
    u64 address = VADDR(below(3)) + below(SERVED_PAGES + 1) * PAGE_SIZE + below(64);
    struct thread *next;

    t->exit_full = 1;
    t->buffer->fixup = (struct thread_fixup){.address = chance(20) ? below(9) : 0, .end = USER_TOP};
    kernel_enter_shared();
    if (chance(5))
        exception_raise(t, ST_ILLEGAL, 2, 0);
    else
        fault_user(t, below(2), address);
    next = schedule_next();
    kernel_leave();
    return next;
}

/* An answer to anything, in the first half of a system call that receives. */
static struct thread *answer(struct thread *t)
{
    unsigned number = pick_slot(SERVED, ANON);
    struct slot *slot = slot_at(number);
    word_t kind = 1 + below(4), page = below(SERVED_PAGES), epoch = 0;
    word_t status = kind == ANSWER_ERROR ? ST_IO : 0;

    if (!slot_is_empty(slot) && slot_type(slot) == OBJ_served)
        epoch = memory_of(slot_object(slot))->epoch;
    const word_t words[6] = {
        epoch, answer_what(kind, status, 1 + below(3)), page * PAGE_SIZE, ANON, page * PAGE_SIZE,
        0};
    return enter(t, tag_make(chance(80) ? SYS_REPLY_RECV : SYS_CALL, OP_served_answer, 5, 0),
                 number, words);
}

/* Time goes on, and the timer interrupts if it is due. */
static struct thread *tick(void)
{
    struct thread *next;

    fake_now += chance(90) ? below(800) : below(20000);
    kernel_enter_alone();
    if (fake_now >= fake_programmed)
        clock_interrupt();
    next = schedule_next();
    kernel_leave();
    return next;
}

/* A budget for a context: a few steps' time, or none. */
static struct thread *limit(struct thread *t)
{
    word_t budget = BUDGET_MIN_NS + below(3 * BUDGET_MIN_NS), period = budget + below(2 * budget);

    if (chance(20))
        budget = period = 0;
    return call(t, pick_slot(SCHED, ENDPOINT), OP_sched_configure, budget, period, 2 + below(30),
                below(2), 0);
}

/* An operation that takes something away or changes who is bound to what. */
static struct thread *meddle(struct thread *t)
{
    unsigned number = pick_slot(MORTAL, SLOTS);

    switch (below(12)) {
    case 0:
        return call(t, CSPACE, OP_cspace_delete, number, 0, 0, 0, 0);
    case 1:
        return call(t, CSPACE, OP_cspace_mint, pick_slot(FREE, SLOTS), CSPACE, number,
                    chance(70) ? RIGHTS_ALL : below(8), below(3));
    case 2:
        return call(t, CSPACE, OP_cspace_move, pick_slot(FREE, SLOTS), CSPACE, number, 0, 0);
    case 3:
        return call(t, pick_slot(THREAD, SCHED), OP_thread_stop, 0, 0, 0, 0, 0);
    case 4:
        return call(t, pick_slot(THREAD, SCHED), OP_thread_bind,
                    chance(50) ? 0 : pick_slot(ENDPOINT, NOTIFICATION), 0, 0, 0, 0);
    case 5:
        return call(t, pick_slot(SCHED, ENDPOINT), OP_sched_set_priority, below(5), 0, 0, 0, 0);
    case 6:
        return call(t, pick_slot(SERVED, ANON), OP_served_attach,
                    chance(40) ? 0 : pick_slot(ENDPOINT, NOTIFICATION), 0, 0, 0, 0);
    case 7:
        return call(t, ASPACE, OP_aspace_unmap, VADDR(below(2)), SERVED_PAGES * PAGE_SIZE, 0, 0, 0);
    case 8:
        return call(t, pick_slot(THREAD, SCHED), OP_thread_suspend, 0, 0, 0, 0, 0);
    case 9:
        return call(t, pick_slot(THREAD, SCHED), OP_thread_resume, 0, 0, 0, 0, 0);
    case 10:
        return limit(t);
    default:
        return chance(20) ? call(t, CHILD, OP_bank_destroy, 0, 0, 0, 0, 0) : tick();
    }
}

static struct thread *notify(struct thread *t)
{
    word_t operation = chance(30) ? OP_notification_signal : OP_notification_wait;
    const word_t words[6] = {below(4)};

    choose_time(t);
    return enter(t, tag_make(SYS_CALL | (chance(50) ? SYS_TIMEOUT : 0), operation, 1, 0),
                 pick_slot(NOTIFICATION, SERVED), words);
}

static struct thread *program_step(struct thread *t)
{
    unsigned n = below(100);

    if (n < 22)
        return message(t, SYS_CALL);
    if (n < 27)
        return message(t, SYS_SEND);
    if (n < 36)
        return message(t, SYS_RECV);
    if (n < 45)
        return enter(t, SYS_SAVE, 0, (const word_t[6]){0});
    if (n < 50)
        return reply_saved(t);
    if (n < 65)
        return message(t, SYS_REPLY_RECV);
    if (n < 75)
        return fault(t);
    if (n < 84)
        return answer(t);
    if (n < 89)
        return notify(t);
    if (n < 92)
        return enter(t, n == 91 ? 15 : SYS_YIELD, 0, (const word_t[6]){0});
    return meddle(t);
}

/* A thread with a home, bound to the first endpoint; it runs. */
static struct thread *make_program(unsigned number, unsigned home)
{
    assert_int_equal(init_call(BANK, OP_bank_create, OBJ_thread, number, 0, 0), ST_OK);
    assert_int_equal(init_call(BANK, OP_bank_create, OBJ_sched, home, 1, 0), ST_OK);
    assert_int_equal(init_call(number, OP_thread_configure, CSPACE, ASPACE, 0, home), ST_OK);
    assert_int_equal(init_call(number, OP_thread_bind, ENDPOINT, 0, 0, 0), ST_OK);
    assert_int_equal(init_call(number, OP_thread_start, 0x1000, 0, 0, 0), ST_OK);
    return slot_object(slot_at(number));
}

/* Words 0 to n - 1 are `value`, all else that came in registers is zero. */
static void heard(const struct thread *t, unsigned kind, unsigned n, word_t value)
{
    static const u8 others[] = {5, 6, 7, 28, 29};

    assert_int_equal(t->state, THREAD_READY);
    assert_int_equal(tag_kind(t->regs[17]), kind);
    assert_int_equal(tag_nwords(t->regs[17]), n);
    for (unsigned i = 0; i < MESSAGE_REGISTERS; i++)
        assert_int_equal(t->regs[10 + i], i < n ? value : 0);
    for (unsigned i = 0; i < ARRAY_SIZE(others); i++)
        assert_int_equal(t->regs[others[i]], 0);
}

static void message_when_it_is_short_shows_nothing_else(void **state)
{
    const word_t secret[6] = {7, 7, 7, 7, 7, 7};
    struct thread *client, *server;

    (void)state;
    make_world();
    assert_int_equal(init_call(BANK, OP_bank_create, OBJ_endpoint, ENDPOINT, 0, 0), ST_OK);
    client = make_program(THREAD, SCHED);
    server = make_program(THREAD + 1, SCHED + 1);
    for (unsigned n = 0; n <= MESSAGE_WORDS; n++) {
        bool first = n % 2; /* the server waits already, or the client does */

        for (unsigned i = MESSAGE_REGISTERS; i < MESSAGE_WORDS; i++) {
            client->buffer->words[i] = i;
            server->buffer->words[i] = 0;
        }
        if (first)
            enter(server, SYS_RECV, 0, secret);
        enter(client, tag_make(SYS_CALL, 0, n, 0), ENDPOINT, secret);
        if (!first)
            enter(server, SYS_RECV, 0, secret);
        heard(server, MSG_CALL, n, 7);
        for (unsigned i = MESSAGE_REGISTERS; i < MESSAGE_WORDS; i++)
            assert_int_equal(server->buffer->words[i], i < n ? i : 0);
        assert_int_equal(client->state, THREAD_CALLING);
        enter(server, tag_make(SYS_REPLY_RECV, 0, n % 7, 0) | SYS_NONBLOCK, 0, secret);
        heard(client, MSG_REPLY, n % 7, 7);
        check_everything();
    }
    init_call(BANK, OP_bank_destroy, 0, 0, 0, 0);
}

static void programs_when_they_do_anything_break_nothing(void **state)
{
    (void)state;
    rng = seeded("programs");
    for (unsigned round = 0; round < 60; round++) {
        u64 used = first->used, free_frames = frame_free_count();

        interrupts_percent = round % 3 ? 20 * (round % 3) : 0;
        make_world();
        for (unsigned i = 0; i < 40; i++)
            init_step();
        for (unsigned step = 0; step < 1500; step++) {
            if (hart.thread == init || chance(5))
                init_step();
            else
                program_step(hart.thread);
            check_everything();
            if (chance(20)) {
                tick();
                check_everything();
            }
        }
        init_call(BANK, OP_bank_destroy, 0, 0, 0, 0);
        interrupts_percent = 0;
        while (!object_reap())
            continue;
        check_everything();
        assert_ptr_equal(hart.thread, init);
        assert_int_equal(first->used, used);
        assert_int_equal(frame_free_count(), free_frames);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message_when_it_is_short_shows_nothing_else),
        cmocka_unit_test(programs_when_they_do_anything_break_nothing),
    };

    return cmocka_run_group_tests(tests, boot, NULL);
}
