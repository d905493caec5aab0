/* SPDX-License-Identifier: MIT */
/*
 * Thread, as an object: configured, started, stopped and bound here.  How it waits is
 * kernel/core/ipc.c, when it runs kernel/core/schedule.c.
 *
 * A thread that loses its capability space, address space or home goes on existing: without the
 * first two it is stopped for good, without a home it runs on what others lend.
 */
#include "kernel/object/thread.h"

#include "arch/cpu.h"
#include "arch/csr.h"
#include "kernel/core/clock.h"
#include "kernel/core/fpu.h"
#include "kernel/core/hart.h"
#include "kernel/core/invoke.h"
#include "kernel/core/ipc.h"
#include "kernel/core/panic.h"
#include "kernel/core/saved.h"
#include "kernel/core/schedule.h"
#include "kernel/core/trace.h"
#include "kernel/object/aspace.h"
#include "kernel/object/bank.h"
#include "kernel/object/cspace.h"
#include "kernel/object/endpoint.h"
#include "kernel/object/notification.h"
#include "kernel/object/registers.h"
#include "kernel/object/sched.h"
#include "lib/base/string.h"

#define OPERATIONS_OF   thread
#define OPERATIONS_FILE "lib/abi/thread.def"
#include "kernel/core/operations.h"

static struct thread *thread_of(struct object *o)
{
    return container_of(o, struct thread, object);
}

/* ---------------------------------------------------------------------------------- configuration */

/* Make the buffer page, paid by the thread's bank, and show it in the address space. */
static status_t make_buffer(struct thread *t, struct aspace *a, word_t *detail)
{
    struct bank *bank = object_bank(&t->object);
    struct frame *f = bank_frame_alloc_zeroed(bank);
    status_t status;

    if (!f) {
        *detail = bank->limit - bank->used;
        return ST_NO_SPACE;
    }
    status = aspace_add_buffer(a, f, &t->buffer_user, detail);
    if (status != ST_OK) {
        bank_frame_free(f, 0);
        return status;
    }
    t->buffer = frame_kva(f);
    t->buffer->clock_hz = clock_hz();
    return ST_OK;
}

/* The page and its place in the address space.  Lock: alone. */
static void drop_buffer(struct thread *t)
{
    if (!t->buffer)
        return;
    if (!slot_is_empty(&t->aspace))
        aspace_remove_buffer(slot_object(&t->aspace), t->buffer_user);
    bank_frame_free(frame_of_kva(t->buffer), 0);
    t->buffer = NULL;
    t->buffer_user = 0;
}

static void keep(struct slot *to, struct slot *from, enum slot_place place)
{
    slot_derive(to, from, place, slot_rights(from), from->badge);
}

/* Lock: alone. */
status_t thread_configure_slots(struct thread *t, struct slot *cspace, struct slot *aspace,
                                struct slot *handler, struct slot *home, word_t *detail)
{
    struct sched *s = home ? slot_object(home) : NULL;
    struct aspace *a = slot_object(aspace);
    status_t status;

    *detail = 0;
    if (t->state != THREAD_NEW)
        return ST_BAD_STATE;
    if (s && s->home)
        return ST_BUSY;
    status = make_buffer(t, a, detail);
    if (status != ST_OK)
        return status;

    keep(&t->cspace, cspace, PLACE_THREAD_CSPACE);
    keep(&t->aspace, aspace, PLACE_THREAD_ASPACE);
    if (handler)
        keep(&t->handler, handler, PLACE_THREAD_HANDLER);
    if (s) {
        keep(&t->home, home, PLACE_THREAD_HOME);
        s->home = t;
    }
    t->satp = a->satp;
    t->hart = this_hart();
    t->sstatus = SSTATUS_USER;
    t->state = THREAD_STOPPED;
    return ST_OK;
}

/* The capability that argument `n` names; NULL with *bad set if it is not of that kind.  0 is none,
 * which is `optional` or not. */
static struct slot *argument(const struct invocation *inv, unsigned n, enum object_type type,
                             unsigned rights, bool optional, unsigned *bad)
{
    word_t number = inv_word(inv, n);
    struct slot *slot = inv_capability(inv, number, type, rights);

    if (!slot && !(optional && number == 0) && *bad == 0)
        *bad = n + 1;
    return slot;
}

/* thread.configure(cspace, aspace, handler, sched).  Rights: CONTROL.  Lock: alone. */
static status_t thread_configure(struct object *o, struct invocation *inv)
{
    unsigned bad = 0; /* 1 + index of the first argument that is wrong */
    struct slot *cspace = argument(inv, 0, OBJ_cspace, CSPACE_EDIT, false, &bad);
    struct slot *aspace = argument(inv, 1, OBJ_aspace, ASPACE_MAP, false, &bad);
    struct slot *handler = argument(inv, 2, OBJ_endpoint, ENDPOINT_SEND, true, &bad);
    struct slot *home = argument(inv, 3, OBJ_sched, SCHED_CONTROL, true, &bad);
    status_t status;

    if (bad)
        return inv_fail(inv, ST_BAD_CAP, bad - 1);
    status = thread_configure_slots(thread_of(o), cspace, aspace, handler, home, &inv->detail);
    if (status != ST_OK)
        return status;
    inv_result(inv, thread_of(o)->buffer_user);
    return ST_OK;
}

/* ------------------------------------------------------------------------------ running, stopping */

/* Lock: alone. */
void thread_run(struct thread *t, u64 pc, u64 sp, u64 argument, u64 tp)
{
    fpu_forget(t);
    memset(t->regs, 0, sizeof(t->regs));
    t->regs[0] = pc;
    t->regs[2] = sp;
    t->regs[4] = tp;
    t->regs[10] = argument;
    t->regs[11] = t->buffer_user;
    t->sstatus = SSTATUS_USER;
    t->exit_full = 1;
    t->exception = 0;
    t->reaps = t->carries = 0;
    t->stop_status = ST_OK;
    t->stop_address = 0;
    t->buffer->fixup.address = 0;
    schedule_ready(t);
}

/* thread.start(pc, sp, argument, tp).  Rights: CONTROL.  Lock: alone. */
static status_t thread_start(struct object *o, struct invocation *inv)
{
    struct thread *t = thread_of(o);
    word_t pc = inv_word(inv, 0);

    if (t->state != THREAD_STOPPED || slot_is_empty(&t->cspace) || slot_is_empty(&t->aspace))
        return inv_fail(inv, ST_BAD_STATE, 0);
    if ((pc & 1) || pc >= USER_TOP)
        return inv_fail(inv, ST_BAD_ARG, 0);

    thread_run(t, pc, inv_word(inv, 1), inv_word(inv, 2), inv_word(inv, 3));
    return ST_OK;
}

/* Lock: alone. */
void thread_halt(struct thread *t)
{
    if (t->state == THREAD_NEW)
        return;
    ipc_cancel(t);
    schedule_block(t, THREAD_STOPPED);
    ipc_drop_caller(t, ST_CANCELLED);
    t->caller_left = 0;
    sched_detach(t);
}

/* thread.stop().  Rights: CONTROL.  Lock: alone. */
static status_t thread_stop(struct object *o, struct invocation *inv)
{
    thread_halt(thread_of(o));
    inv->no_reply = thread_of(o) == inv->thread;
    return ST_OK;
}

/* thread.suspend().  Rights: CONTROL.  Lock: alone. */
static status_t thread_suspend(struct object *o, struct invocation *inv)
{
    (void)inv; /* the reply is there when it is resumed, if it is the caller */
    schedule_suspend(thread_of(o));
    return ST_OK;
}

/* thread.resume().  Rights: CONTROL.  Lock: alone. */
static status_t thread_resume(struct object *o, struct invocation *inv)
{
    (void)inv;
    schedule_resume(thread_of(o));
    return ST_OK;
}

/* thread.bind(endpoint).  Rights: CONTROL.  Lock: alone.  restartable: whoever waited for a server that
 * is gone hears so one after the other (endpoint_unbind). */
static status_t thread_bind(struct object *o, struct invocation *inv)
{
    struct thread *t = thread_of(o);
    word_t number = inv_word(inv, 0);
    struct slot *endpoint = inv_capability(inv, number, OBJ_endpoint, ENDPOINT_RECEIVE);

    if (number && !endpoint)
        return inv_fail(inv, ST_BAD_CAP, 0);
    if (number && !slot_is_empty(&t->endpoint)) {
        if (slot_object(&t->endpoint) != slot_object(endpoint))
            return inv_fail(inv, ST_BUSY, 0);
        return ST_OK;
    }

    if (number) {
        endpoint_bind(slot_object(endpoint), endpoint, t);
        return ST_OK;
    }
    while (!endpoint_unbind(t)) {
        if (cpu_interrupt_pending())
            return inv_restart(inv);
    }
    return ST_OK;
}

/* thread.name(first8, last8).  Rights: CONTROL.  Lock: shared. */
static status_t thread_name(struct object *o, struct invocation *inv)
{
    thread_of(o)->name[0] = inv_word(inv, 0);
    thread_of(o)->name[1] = inv_word(inv, 1);
    trace(name, trace_thread(thread_of(o)), thread_of(o)->name[0], thread_of(o)->name[1]);
    return ST_OK;
}

/* thread.query().  Rights: CONTROL.  Lock: shared. */
static status_t thread_query(struct object *o, struct invocation *inv)
{
    const struct thread *t = thread_of(o);

    inv_result(inv, t->state);
    inv_result(inv, t->regs[0]);
    inv_result(inv, t->stop_status);
    inv_result(inv, t->stop_address);
    inv_result(inv, (t->unusual & THREAD_IS_SUSPENDED) != 0);
    return ST_OK;
}

/* The registers of a thread that does not run (registers.c).  Rights: CONTROL. */
static status_t thread_read_registers(struct object *o, struct invocation *inv)
{
    return registers_read(thread_of(o), inv);
}

static status_t thread_write_registers(struct object *o, struct invocation *inv)
{
    return registers_write(thread_of(o), inv);
}

static status_t thread_read_float(struct object *o, struct invocation *inv)
{
    return registers_read_float(thread_of(o), inv);
}

static status_t thread_write_float(struct object *o, struct invocation *inv)
{
    return registers_write_float(thread_of(o), inv);
}

/* thread.set_handler(handler).  Rights: CONTROL.  Lock: alone. */
static status_t thread_set_handler(struct object *o, struct invocation *inv)
{
    struct thread *t = thread_of(o);
    word_t number = inv_word(inv, 0);
    struct slot *handler = inv_capability(inv, number, OBJ_endpoint, ENDPOINT_SEND);

    if (number && !handler)
        return inv_fail(inv, ST_BAD_CAP, 0);
    if (t->state == THREAD_NEW)
        return inv_fail(inv, ST_BAD_STATE, THREAD_NEW);

    if (!slot_is_empty(&t->handler))
        slot_delete(&t->handler);
    if (number)
        keep(&t->handler, handler, PLACE_THREAD_HANDLER);
    return ST_OK;
}

/* -------------------------------------------------------------------------- references taken away */

/* Lock: alone, as for all of them. */
bool thread_lost_cspace(struct thread *t)
{
    thread_halt(t);
    slot_delete(&t->cspace);
    return true;
}

/* The buffer page stays with the thread; its place goes with the address space. */
bool thread_lost_aspace(struct thread *t)
{
    thread_halt(t);
    drop_buffer(t);
    t->satp = 0;
    slot_delete(&t->aspace);
    return true;
}

/* Who waits for its reply stays stopped, with a report, when the handler's own end is known. */
bool thread_lost_handler(struct thread *t)
{
    slot_delete(&t->handler);
    return true;
}

bool thread_lost_home(struct thread *t)
{
    struct sched *s = slot_object(&t->home);

    s->home = NULL;
    slot_delete(&t->home);
    sched_vanish(s);
    return true;
}

bool thread_lost_endpoint(struct thread *t)
{
    return endpoint_unbind(t);
}

bool thread_lost_notification(struct thread *t)
{
    notification_unbind(t);
    return true;
}

/* ------------------------------------------------------------------------------- the object table */

static struct thread *thread_make(struct bank *bank)
{
    struct thread *t = bank_alloc(bank, THREAD_BYTES);

    if (!t)
        return NULL;
    object_init(&t->object, bank, OBJ_thread, THREAD_BYTES);
    t->state = THREAD_NEW;
    return t;
}

struct thread *thread_boot(struct bank *bank)
{
    struct thread *t = thread_make(bank);

    if (!t)
        panic("no room for the first thread");
    return t;
}

/* bank.create(thread).  Lock: alone. */
static status_t thread_create(struct bank *bank, struct invocation *inv, const word_t args[3],
                              struct object **out)
{
    struct thread *t = thread_make(bank);

    (void)args;
    if (!t)
        return inv_fail(inv, ST_NO_SPACE, bank->limit - bank->used);
    *out = &t->object;
    return ST_OK;
}

/* It may be the caller of the very operation that ends it: then the hart forgets it.  Lock: alone. */
static bool thread_destroy(struct object *o)
{
    struct thread *t = thread_of(o);

    thread_halt(t);
    if (!endpoint_unbind(t))
        return false;
    notification_unbind(t);
    fpu_forget(t);
    if (this_hart()->thread == t)
        this_hart()->thread = NULL;
    if (!slot_is_empty(&t->home))
        (void)!thread_lost_home(t);
    if (!slot_is_empty(&t->handler))
        slot_delete(&t->handler);
    if (!slot_is_empty(&t->aspace))
        (void)!thread_lost_aspace(t);
    if (!slot_is_empty(&t->cspace))
        slot_delete(&t->cspace);
    return true;
}

/* Which queue, if any, may a thread in that state be on?  T4 */
static bool wait_is_right(const struct thread *t)
{
    switch (t->state) {
    case THREAD_SENDING:
        return t->wait.kind == QNODE_SENDER && t->sends_to;
    case THREAD_RECEIVING:
        return t->wait.kind == QNODE_RECEIVER;
    case THREAD_WAITING:
        return t->wait.kind == QNODE_WAITER && t->waits_for;
    case THREAD_FAULTING:
        return t->wait.kind == QNODE_OFF || t->wait.kind == QNODE_TICKET;
    case THREAD_READY:
        return t->wait.kind == QNODE_OFF || (t->wait.kind == QNODE_STRANDED && !t->sched);
    default:
        return t->wait.kind == QNODE_OFF;
    }
}

static bool may_lend(const struct thread *t)
{
    return t->state == THREAD_SENDING || t->state == THREAD_CALLING || t->state == THREAD_FAULTING;
}

/* I6: each reference is in the tree, as what it is. */
static void check_references(const struct thread *t)
{
    const struct {
        const struct slot *slot;
        enum slot_place place;
    } kept[] = {
        {&t->cspace, PLACE_THREAD_CSPACE},     {&t->aspace, PLACE_THREAD_ASPACE},
        {&t->handler, PLACE_THREAD_HANDLER},   {&t->home, PLACE_THREAD_HOME},
        {&t->endpoint, PLACE_THREAD_ENDPOINT}, {&t->notification, PLACE_THREAD_NOTIFICATION},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(kept); i++) {
        slot_check(kept[i].slot);
        assert(slot_is_empty(kept[i].slot) || slot_place(kept[i].slot) == kept[i].place);
    }
}

/* What few threads are.  T6, T7 */
static void check_unusual(const struct thread *t)
{
    if (t->unusual & THREAD_IS_TIMED)
        assert(timer_kind(&t->timeout) == TIMER_TIMEOUT && t->state >= THREAD_SENDING &&
               t->state != THREAD_FAULTING);
    if (t->unusual & THREAD_HAS_PLEDGED)
        assert(t->state == THREAD_FAULTING && t->callee->pledger == slot_number(t));
    if (t->pledger)
        assert(((struct thread *)slot_pointer(t->pledger))->callee == t);
}

/* Debug: T1 to T7, I6.  Lock: any. */
void thread_check(const struct object *o)
{
    const struct thread *t = container_of(o, struct thread, object);
    const struct thread *head = t;

    check_references(t);
    assert(wait_is_right(t));
    check_unusual(t);
    assert(!t->sched || t->sched->queued == (t->state == THREAD_READY &&
                                             !(t->unusual & THREAD_IS_SUSPENDED))); /* T1 */
    assert(!t->sched || t->sched->thread == t);                                     /* T2 */
    assert(!t->caller || (t->caller->callee == t && !t->caller->ticket.saved &&
                          t->caller->state == THREAD_CALLING)); /* T3 */
    assert(t->state != THREAD_CALLING || t->ticket.saved || t->callee->caller == t);
    assert(!t->ticket.saved ||
           (t->state == THREAD_CALLING && saved_find(t->sends_to, t->ticket.aside.key) == t));
    assert(!t->lender || t->lender->lendee == t); /* T5 */
    assert(!t->lendee || (t->lendee->lender == t && may_lend(t) && !t->sched));
    assert(!t->lender || (t->state != THREAD_STOPPED && t->state != THREAD_RECEIVING));
    if (!t->sched)
        return;
    while (head->lender)
        head = head->lender;
    assert(slot_object(&head->home) == t->sched); /* T5 */
}

static void thread_describe(const struct object *o, struct text *out)
{
    static const char *const states[] = {
        [THREAD_NEW] = "new",         [THREAD_STOPPED] = "stopped",
        [THREAD_READY] = "ready",     [THREAD_SENDING] = "sending",
        [THREAD_CALLING] = "calling", [THREAD_RECEIVING] = "receiving",
        [THREAD_WAITING] = "waiting", [THREAD_FAULTING] = "faulting"};
    const struct thread *t = container_of(o, struct thread, object);

    text_puts(out, "thread \"");
    text_escape(out, (const char *)t->name, sizeof(t->name));
    text_printf(out, "\" %s, pc 0x%lx%s", states[t->state], t->regs[0],
                t->sched ? "" : ", no context");
}

const struct object_ops thread_ops = {
    .create = thread_create,
    .destroy = thread_destroy,
    .check = DEBUG_ONLY(thread_check),
    .describe = thread_describe,
    .operations = &thread_operations,
};
