/* SPDX-License-Identifier: MIT */
/*
 * Messages: call, send, recv, reply; and how exceptions, events and faults reach a receiver.
 *
 * A message is copied once, when sender and receiver meet, from the sender's control block and
 * buffer.  A call makes the pair caller and callee and lends the caller's context, so that the
 * server runs at once and at the client's priority; the reply gives it back.  A receiver first lets
 * go of whatever it still owes.
 *
 * A receiver that is handed something stops being RECEIVING before anything else looks at it, and
 * one that is about to receive is RECEIVING from the moment its loan goes back: so no context is
 * looked for on behalf of a thread that is about to wait.
 *
 * The file is long because every way to wait at an endpoint, and every way out, is here side by
 * side: each function leaves the pair of queues as the others expect it (E1 to E3).
 */
#include "kernel/core/ipc.h"

#include "arch/csr.h"
#include "kernel/core/fixup.h"
#include "kernel/core/hart.h"
#include "kernel/core/help.h"
#include "kernel/core/invoke.h"
#include "kernel/core/klock.h"
#include "kernel/core/panic.h"
#include "kernel/core/report.h"
#include "kernel/core/saved.h"
#include "kernel/core/schedule.h"
#include "kernel/core/timeout.h"
#include "kernel/core/trace.h"
#include "kernel/core/transfer.h"
#include "kernel/core/trap.h"
#include "kernel/object/cspace.h"
#include "kernel/object/notification.h"
#include "kernel/object/sched.h"
#include "kernel/object/served.h"

/* What the path of every reply shares with that of the rare reply to a caller put aside: the compiler
 * would else make calls of both. */
#define INLINE inline __attribute__((always_inline))

static struct endpoint *endpoint_of(const struct thread *t)
{
    return slot_is_empty(&t->endpoint) ? NULL : slot_object(&t->endpoint);
}

/* ------------------------------------------------------------------------- calls and their ends */

/* `from` has been received by `to`, which is RECEIVING, and waits for its reply. */
static void begin_call(struct thread *from, struct thread *to)
{
    assert(!to->caller);
    trace(call, trace_thread(from), trace_thread(to), tag_label(to->regs[REG_TAG]));
    from->callee = to;
    to->caller = from;
    from->state = THREAD_CALLING;
    sched_lend(from, to);
}

/* An exception that nobody lets go on: the thread stays as it is, STOPPED. */
static void leave_stopped(struct thread *t)
{
    schedule_block(t, THREAD_STOPPED);
    sched_detach(t);
}

/* Who was CALLING, and is not any more, hears that no reply comes.  True: it was an exception, so it
 * stays STOPPED, and its own caller is to hear. */
static bool call_fails(struct thread *caller, status_t status)
{
    if (caller->send_kind != MSG_EXCEPTION) {
        reply_status(caller, status, 0);
        schedule_ready(caller);
        return false;
    }
    if (status != ST_ABANDONED) /* else the handler has heard, and that is its answer */
        exception_report(caller);
    leave_stopped(caller);
    return true;
}

/* Lock: any.  Cost: where the caller waited as its handler, it stops, and then its own caller hears;
 * so a step for each such. */
void ipc_drop_caller(struct thread *t, status_t status)
{
    struct thread *caller;

    for (; (caller = t->caller) != NULL; t = caller, status = ST_CANCELLED) {
        t->caller = NULL;
        caller->callee = NULL;
        if (!call_fails(caller, status))
            return;
    }
}

/* Lock: alone. */
bool ipc_fail_saved(struct endpoint *e)
{
    struct thread *t = saved_first(e);

    if (!t)
        return true;
    saved_remove(t);
    if (call_fails(t, ST_CANCELLED))
        ipc_drop_caller(t, ST_CANCELLED);
    return false;
}

/* What `t` sent comes to nothing, before anybody received it.  It is on no queue. */
static void message_fails(struct thread *t, status_t status, word_t detail)
{
    if (t->send_kind == MSG_EXCEPTION) {
        exception_report(t);
        leave_stopped(t);
        ipc_drop_caller(t, ST_CANCELLED);
        return;
    }
    reply_status(t, status, detail);
    schedule_ready(t);
}

/* -------------------------------------------------------------------------------------- exceptions */

static void put_exception(const struct thread *from, struct thread *to)
{
    struct exception_message m;

    exception_describe(from, &m);
    reply_words(to, tag_make(MSG_EXCEPTION, from->stop_status, EXCEPTION_WORDS, 0),
                from->send_badge, &m.access, EXCEPTION_WORDS);
    to->regs[REG_TAKEN] = to->taken;
}
_Static_assert(EXCEPTION_WORDS <= MESSAGE_WORDS, "one message");

/* The handler's reply to `t`, whose call it was: label 0 lets it go on. */
static INLINE void end_exception(struct thread *handler, struct thread *t)
{
    word_t tag = handler->regs[REG_TAG];

    if (tag_label(tag) != 0) {
        leave_stopped(t);
        ipc_drop_caller(t, ST_CANCELLED);
        return;
    }
    if (tag_nwords(tag) >= 1)
        t->regs[0] = handler->regs[REG_A0];
    t->exception = 0;
    schedule_ready(t);
}

/* ------------------------------------------------------------------------ questions about mappings */

/* Which object is the child of a fork to map?  See served.c, fork_clone. */
static __attribute__((noinline, cold)) void put_clone_question(const struct thread *from,
                                                               struct thread *to)
{
    word_t flags = from->regs[REG_A0 + 5] & PAGE_MASK;
    const struct ask_message m = {
        .offset = from->regs[REG_A0 + 3],
        .length = from->regs[REG_A0 + 4],
        .is_shared = !(flags & MAP_PRIVATE),
        .permissions = flags & ~(word_t)MAP_PRIVATE,
        .badge = from->send_badge,
        .epoch = from->ticket.epoch,
    };

    reply_words(to, tag_make(MSG_ASK, MAPPING_fork_clone, MESSAGE_REGISTERS, 0),
                from->regs[REG_A0 + 2], &m.offset, MESSAGE_REGISTERS);
    to->regs[REG_TAKEN] = to->taken;
}

/* The words of aspace.map are still in the asker's registers. */
static void put_question(const struct thread *from, struct thread *to)
{
    word_t flags = from->regs[REG_A0 + 4];
    const struct ask_message m = {
        .offset = from->regs[REG_A0 + 3],
        .length = from->regs[REG_A0 + 1],
        .is_shared = !(flags & MAP_PRIVATE),
        .permissions = (flags & MAP_WRITE ? flags | MAP_READ : flags) & ~(word_t)MAP_PRIVATE,
        .badge = from->send_badge,
        .epoch = from->ticket.epoch,
    };

    reply_words(to, tag_make(MSG_ASK, MAPPING_get_mapping_info_with, MESSAGE_REGISTERS, 0),
                from->ticket.vaddr, &m.offset, MESSAGE_REGISTERS);
    to->regs[REG_TAKEN] = to->taken;
}

/* The server's reply to a question about a fork: the capability it sends goes to the slot that the
 * asker named (a1), which is empty as it was, or else the answer is a refusal. */
static __attribute__((noinline, cold)) void end_clone_question(const struct thread *server,
                                                               struct thread *t)
{
    struct slot *to = cspace_slot(slot_object(&t->cspace), t->regs[REG_A0 + 1]);
    struct transfer_caps caps = {.n = tag_ncaps(server->regs[REG_TAG]), .to = {to}};
    word_t detail;
    bool right = tag_label(server->regs[REG_TAG]) == ST_OK && caps.n <= 1 && to &&
                 slot_is_empty(to) && transfer_find_sources(server, &caps, &detail) == ST_OK;

    if (right) {
        transfer_move_caps(&caps);
        t->ticket.delivered = TICKET_CLONE;
        t->regs[0] -= 4; /* the ecall */
    } else {
        t->ticket.delivered = 0;
        reply_status(t, ST_DENIED, t->regs[REG_A0 + 5] & ~PAGE_MASK);
    }
    schedule_ready(t);
}

/* The server's reply to the question of `t`: label 0 and permissions let it ask again, with a permit;
 * any other label is a refusal. */
static INLINE void end_question(const struct thread *server, struct thread *t)
{
    status_t status = (status_t)tag_label(server->regs[REG_TAG]);

    if (status == ST_OK) {
        t->ticket.index = t->regs[REG_A0 + 3] >> PAGE_SHIFT;
        t->ticket.vaddr = t->regs[REG_A0 + 1];
        t->ticket.access = server->regs[REG_A0] & (MAP_READ | MAP_WRITE | MAP_EXEC);
        t->ticket.delivered =
            t->regs[REG_A0 + 4] & MAP_PRIVATE ? TICKET_PERMIT_PRIVATE : TICKET_PERMIT_SHARED;
        t->regs[0] -= 4; /* the ecall */
    } else {
        t->ticket.delivered = 0;
        if (status != ST_NOT_MAPPABLE && status != ST_NOT_SUPPORTED)
            status = ST_DENIED;
        reply_status(t, status, 0);
    }
    schedule_ready(t);
}

/* --------------------------------------------------------------------------------------- delivery */

/* Give what `from` wants to send, and is on no queue with, to `to`, which is RECEIVING and on no
 * queue.  False: it came to nothing for the sender, who has heard, and nothing for the receiver. */
static bool deliver_thread(struct thread *from, struct thread *to)
{
    word_t detail = 0;
    status_t status;

    if (from->send_kind == MSG_EXCEPTION) {
        put_exception(from, to);
        begin_call(from, to);
        return true;
    }
    if (from->send_kind == MSG_ASK) {
        if (from->ticket.delivered == TICKET_ASKS_CLONE)
            put_clone_question(from, to);
        else
            put_question(from, to);
        begin_call(from, to);
        return true;
    }
    status = transfer_message(from, to, from->send_kind, from->send_badge, &detail);
    if (status != ST_OK) {
        message_fails(from, status, detail);
        return false;
    }
    if (from->send_kind == MSG_CALL) {
        begin_call(from, to);
        return true;
    }
    trace(send, trace_thread(from), trace_thread(to), tag_label(to->regs[REG_TAG]));
    reply_status(from, ST_OK, 0);
    schedule_ready(from);
    schedule_ready(to);
    return true;
}

/* The same for the first entry of an object's queue. */
static void deliver_object(struct endpoint *e, struct served *s, struct thread *to)
{
    struct thread *waiter = served_deliver(s, to);

    to->regs[REG_TAKEN] = to->taken;
    if (!queue_is_empty(&s->queue))
        queue_push(&e->senders, &s->node, QNODE_SERVED);
    if (waiter) {
        sched_unpledge(waiter);
        sched_lend(waiter, to);
    } else {
        schedule_ready(to);
    }
}

/* Give the first thing that waits at `e` to `to`.  Cost: a step for each sender that fails. */
static bool deliver_first(struct endpoint *e, struct thread *to)
{
    struct qnode *n;

    while ((n = queue_first(&e->senders))) {
        bool is_object = n->kind == QNODE_SERVED;

        queue_remove(&e->senders, n);
        if (is_object) {
            deliver_object(e, container_of(n, struct served, node), to);
            return true;
        }
        thread_of_wait(n)->sends_to = NULL;
        if (deliver_thread(thread_of_wait(n), to))
            return true;
    }
    return false;
}

static void put_bits(struct thread *t, u64 bits)
{
    reply_words(t, tag_make(MSG_NOTIFY, 0, 1, 0), 0, &bits, 1);
    t->regs[REG_TAKEN] = t->taken;
    schedule_ready(t);
}

/* Lock: any. */
void ipc_deliver_bits(struct thread *t, u64 bits)
{
    queue_remove(&endpoint_of(t)->receivers, &t->wait);
    put_bits(t, bits);
}

/* Take the bits of the bound notification. */
static bool deliver_pending_bits(struct thread *t)
{
    struct notification *n = slot_object(&t->notification);
    u64 bits;

    if (!n || !n->bits)
        return false;
    bits = n->bits;
    n->bits = 0;
    put_bits(t, bits);
    return true;
}

/* --------------------------------------------------------------------------------- those who wait */

static void wait_to_send(struct endpoint *e, struct thread *t)
{
    schedule_block(t, THREAD_SENDING);
    t->sends_to = e;
    queue_push(&e->senders, &t->wait, QNODE_SENDER);
    help_by(t);
}

/* Lock: any. */
struct thread *ipc_take_receiver(struct endpoint *e)
{
    struct qnode *n = queue_first(&e->receivers);

    if (!n)
        return NULL;
    queue_remove(&e->receivers, n);
    return thread_of_wait(n);
}

/* Lock: any. */
void ipc_object_has_news(struct served *s)
{
    struct endpoint *e = slot_object(&s->server);
    struct thread *to;

    if (!e || queue_is_empty(&s->queue))
        return;
    if (s->node.kind == QNODE_OFF)
        queue_push(&e->senders, &s->node, QNODE_SERVED);
    /* Nothing but this object can be on the queue while receivers wait (E1), so nothing fails. */
    while (!queue_is_empty(&e->senders) && (to = ipc_take_receiver(e)) != NULL)
        deliver_first(e, to);
    help_endpoint(e);
}

/* Lock: any.  `t` is READY. */
void ipc_ask(struct thread *t, struct endpoint *e)
{
    struct thread *to = ipc_take_receiver(e);

    t->send_kind = MSG_ASK;
    if (to)
        deliver_thread(t, to);
    else
        wait_to_send(e, t);
}

/* Apart from exception_raise, whose test then costs no register saved. */
static __attribute__((noinline)) void tell_handler(struct thread *t, status_t status,
                                                   unsigned access, u64 address)
{
    struct endpoint *e = slot_object(&t->handler);
    struct thread *to;

    t->stop_status = status;
    t->stop_access = access;
    t->stop_address = address;
    t->exception = 1;
    t->exit_full = 1;
    trace(exception, status, address, t->regs[0]);
    t->send_kind = MSG_EXCEPTION;
    if (!e || !endpoint_is_served(e)) {
        message_fails(t, status, 0);
        return;
    }
    t->send_badge = t->handler.badge;
    to = ipc_take_receiver(e);
    if (!to) {
        wait_to_send(e, t);
        return;
    }
    deliver_thread(t, to);
    if (to->sched && to->sched->ring == RING_HELD)
        schedule_rescue(to->sched);
}

static __attribute__((noinline, cold)) void raise_in_range(struct thread *t, status_t status,
                                                           unsigned access, u64 address)
{
    if (!fixup_take(t, status, access, address))
        tell_handler(t, status, access, address);
}

/* Lock: any.  `t` has been READY, or its ticket is closed. */
void exception_raise(struct thread *t, status_t status, unsigned access, u64 address)
{
    if (fixup_in_range(t))
        raise_in_range(t, status, access, address);
    else
        tell_handler(t, status, access, address);
}

/* Lock: any.  What it lent stays lent: sched_detach or schedule_ready see to that. */
void ipc_cancel(struct thread *t)
{
    timeout_cancel(t);
    switch (t->state) {
    case THREAD_SENDING:
        queue_remove(&t->sends_to->senders, &t->wait);
        t->sends_to = NULL;
        break;
    case THREAD_CALLING:
        if (t->ticket.saved) {
            saved_remove(t);
            break;
        }
        t->callee->caller = NULL;
        t->callee->caller_left = 1;
        t->callee = NULL;
        break;
    case THREAD_RECEIVING:
        queue_remove(&endpoint_of(t)->receivers, &t->wait);
        break;
    case THREAD_WAITING:
        queue_remove(&t->waits_for->waiters, &t->wait);
        t->waits_for = NULL;
        break;
    case THREAD_FAULTING:
        served_cancel_wait(t); /* where the next waiter may help, in its place */
        sched_unpledge(t);
        break;
    default:
        break;
    }
}

/* Lock: any.  As if whoever it waits for had never heard of it: a server that has the call finds its
 * caller gone. */
void ipc_timed_out(struct thread *t)
{
    bool received = t->state == THREAD_RECEIVING;

    ipc_cancel(t);
    t->ticket.delivered = 0; /* a question, if it was one */
    reply_status(t, ST_TIMEOUT, 0);
    if (received)
        t->regs[REG_TAKEN] = t->taken;
    schedule_ready(t);
}

/* Lock: alone. */
void ipc_stop_receiving(struct thread *t, status_t status)
{
    if (t->state != THREAD_RECEIVING)
        return;
    ipc_cancel(t);
    reply_status(t, status, 0);
    schedule_ready(t);
}

/* Lock: alone. */
bool ipc_fail_sender(struct endpoint *e)
{
    struct qnode *n = queue_first(&e->senders);
    bool is_object = n && n->kind == QNODE_SERVED;

    if (!n || (is_object && n->mark == e->sweep))
        return true;
    queue_remove(&e->senders, n);
    if (is_object) {
        queue_push(&e->senders, n, QNODE_SERVED);
        n->mark = e->sweep;
        return false;
    }
    thread_of_wait(n)->sends_to = NULL;
    message_fails(thread_of_wait(n), ST_CANCELLED, 0);
    return false;
}

/* ------------------------------------------------------------------------------------ system calls */

/* A call or send through an endpoint capability: rights and form.  OK, or the caller has heard. */
static bool may_send(struct thread *t, const struct slot *slot, word_t tag)
{
    word_t detail = 0;
    status_t status;

    if (!(slot_rights(slot) & ENDPOINT_SEND)) {
        reply_status(t, ST_NO_RIGHT, ENDPOINT_SEND);
        return false;
    }
    status = transfer_check_tag(tag, &detail);
    if (status == ST_OK && tag_ncaps(tag) && !(slot_rights(slot) & ENDPOINT_GRANT)) {
        status = ST_NO_RIGHT;
        detail = ENDPOINT_GRANT;
    }
    if (status != ST_OK)
        reply_status(t, status, detail);
    return status == ST_OK;
}

/* SYS_CALL on an endpoint.  Lock: shared; alone if it carries capabilities. */
static void ipc_call(struct thread *t, const struct slot *slot, word_t tag)
{
    struct endpoint *e = slot_object(slot);
    struct qnode *receiver = queue_first(&e->receivers);
    struct thread *to;
    word_t detail = 0;
    status_t status;

    if (!may_send(t, slot, tag))
        return;
    if (!receiver) {
        if (e->deserted) {
            reply_status(t, ST_CANCELLED, 0);
            return;
        }
        t->send_kind = MSG_CALL;
        t->send_badge = slot->badge;
        wait_to_send(e, t);
        return;
    }
    to = thread_of_wait(receiver);
    status = transfer_message(t, to, MSG_CALL, slot->badge, &detail);
    if (status != ST_OK) {
        reply_status(t, status, detail);
        return;
    }
    t->send_kind = MSG_CALL;
    queue_remove(&e->receivers, receiver);
    begin_call(t, to);
}

/* SYS_SEND on an endpoint.  Lock: as for a call. */
static void ipc_send(struct thread *t, const struct slot *slot, word_t tag)
{
    struct endpoint *e = slot_object(slot);
    struct qnode *receiver = queue_first(&e->receivers);
    struct thread *to;
    word_t detail = 0;
    status_t status;

    if (!may_send(t, slot, tag))
        return;
    if (!receiver) {
        if (e->deserted || (tag & SYS_NONBLOCK)) {
            reply_status(t, tag & SYS_NONBLOCK ? ST_WOULD_BLOCK : ST_CANCELLED, 0);
            return;
        }
        t->send_kind = MSG_SEND;
        t->send_badge = slot->badge;
        wait_to_send(e, t);
        return;
    }
    to = thread_of_wait(receiver);
    status = transfer_message(t, to, MSG_SEND, slot->badge, &detail);
    if (status == ST_OK) {
        trace(send, trace_thread(t), trace_thread(to), tag_label(tag));
        queue_remove(&e->receivers, receiver);
        schedule_ready(to);
    }
    reply_status(t, status, detail);
}

/* Nothing is there for `t`, which is RECEIVING. */
static void wait_to_receive(struct endpoint *e, struct thread *t, word_t tag)
{
    if (tag & SYS_NONBLOCK) { /* there was something, but it failed */
        reply_status(t, ST_WOULD_BLOCK, 0);
        t->regs[REG_TAKEN] = t->taken;
        schedule_ready(t);
        return;
    }
    trace(receive, trace_thread(t), trace_object(&e->object), 0);
    schedule_block(t, THREAD_RECEIVING);
    queue_push(&e->receivers, &t->wait, QNODE_RECEIVER);
}

/* SYS_RECV, and the second half of SYS_REPLY_RECV.  `t` is READY, or RECEIVING (and on no queue)
 * after its reply.  Without a message and with SYS_NONBLOCK nothing changes, as for any error. */
static void ipc_recv(struct thread *t, word_t tag)
{
    struct endpoint *e = endpoint_of(t);
    const struct notification *n = slot_object(&t->notification);
    bool nonblock = tag & SYS_NONBLOCK;

    if (!e || (nonblock && queue_is_empty(&e->senders) && !(n && n->bits))) {
        reply_status(t, e ? ST_WOULD_BLOCK : ST_NOT_BOUND, 0);
        t->regs[REG_TAKEN] = t->taken;
        schedule_ready(t);
        return;
    }

    t->state = THREAD_RECEIVING;
    sched_return(t);
    if (t->caller)
        ipc_drop_caller(t, ST_ABANDONED);
    t->caller_left = 0;
    if (queue_is_empty(&e->senders)) {
        if (!deliver_pending_bits(t))
            wait_to_receive(e, t, tag);
        return;
    }
    if (!deliver_pending_bits(t) && !deliver_first(e, t))
        wait_to_receive(e, t, tag);
    if (!queue_is_empty(&e->senders)) /* E3 */
        help_chain(t);
}

/* Check the reply and find its capabilities.  OK: `caps` is full, or the caller's slots are not free
 * (*blame, a status for the caller).  Else the replier's mistake. */
static INLINE status_t check_reply(struct thread *t, struct thread *to, struct transfer_caps *caps,
                                   status_t *blame, word_t *detail)
{
    word_t tag = t->regs[REG_TAG];
    status_t status = transfer_check_tag(tag, detail);

    *blame = ST_OK;
    caps->n = tag_ncaps(tag);
    if (status != ST_OK || !caps->n)
        return status;
    status = transfer_find_sources(t, caps, detail);
    if (status == ST_OK)
        *blame = transfer_find_destinations(to, caps, detail);
    return status;
}

/* The reply that check_reply found good goes to `to`, whom nobody counts as a caller any more. */
static INLINE void end_call(struct thread *t, struct thread *to, const struct transfer_caps *caps,
                            status_t blame, word_t detail)
{
    if (to->send_kind == MSG_EXCEPTION) {
        end_exception(t, to);
        return;
    }
    if (to->send_kind == MSG_ASK) {
        if (to->ticket.delivered == TICKET_ASKS_CLONE)
            end_clone_question(t, to);
        else
            end_question(t, to);
        return;
    }
    if (blame == ST_OK) {
        transfer_move_caps(caps);
        transfer_put_message(t, to, MSG_REPLY, 0);
    } else {
        reply_status(to, blame, detail);
    }
    schedule_ready(to);
}

/* The first half of SYS_REPLY_RECV without a capability.  False: it failed, and `t` has heard. */
static bool ipc_reply(struct thread *t)
{
    struct thread *to = t->caller;
    struct transfer_caps caps;
    word_t detail = 0;
    status_t status, blame;

    if (!to) {
        if (t->caller_left) {
            t->caller_left = 0;
            return true;
        }
        reply_status(t, ST_NOT_FOUND, 0);
        return false;
    }
    status = check_reply(t, to, &caps, &blame, &detail);
    if (status != ST_OK) {
        reply_status(t, status, detail);
        return false;
    }

    trace(reply, trace_thread(t), trace_thread(to), tag_label(t->regs[REG_TAG]));
    t->caller = NULL;
    to->callee = NULL;
    t->state = THREAD_RECEIVING; /* ipc_recv follows: no home context for the moment between */
    end_call(t, to, &caps, blame, detail);
    return true;
}

/* SYS_SAVE.  Lock: alone. */
static __attribute__((noinline, cold)) void ipc_save(struct thread *t)
{
    struct endpoint *e = endpoint_of(t);
    word_t number;

    if (!e || e->deserted) {
        reply_status(t, ST_NOT_BOUND, 0);
        return;
    }
    number = saved_put(e, t);
    if (number)
        reply_words(t, tag_make(MSG_REPLY, ST_OK, 1, 0), 0, &number, 1);
    else
        reply_status(t, ST_NOT_FOUND, 0);
}

/* SYS_REPLY_SAVED.  Lock: alone. */
static __attribute__((noinline, cold)) void ipc_reply_saved(struct thread *t)
{
    struct endpoint *e = endpoint_of(t);
    word_t number = t->regs[REG_NUMBER], detail = 0;
    struct thread *to = e ? saved_find(e, number) : NULL;
    struct transfer_caps caps;
    status_t status, blame;

    if (!to) {
        reply_status(t, e ? ST_NOT_FOUND : ST_NOT_BOUND, e ? number : 0);
        return;
    }
    status = check_reply(t, to, &caps, &blame, &detail);
    if (status == ST_OK) {
        saved_remove(to);
        end_call(t, to, &caps, blame, detail);
    }
    reply_status(t, status, status == ST_OK ? 0 : detail);
}

static struct slot *invoked_slot(const struct thread *t)
{
    word_t number = t->regs[REG_NUMBER];
    struct slot *slot = cspace_slot(slot_object(&t->cspace), number);

    return slot && !slot_is_empty(slot) ? slot : NULL;
}

/* SYS_REPLY_RECV.  Lock: shared; alone if the invocation or capabilities need it. */
static void ipc_reply_recv(struct thread *t, word_t tag)
{
    struct slot *slot;
    word_t taken = 0;

    if (t->regs[REG_NUMBER] == 0) {
        t->taken = 0;
        if (ipc_reply(t))
            ipc_recv(t, tag);
        return;
    }
    slot = invoked_slot(t);
    if (!slot || slot_type(slot) == OBJ_endpoint) {
        reply_status(t, ST_BAD_CAP, t->regs[REG_NUMBER]);
        return;
    }
    if (invoke_object(t, slot, tag, &taken) != ST_OK)
        return;
    /* It may have ended itself, or wait: then there is nobody who could receive now. */
    if (this_hart()->thread != t || t->state != THREAD_READY)
        return;
    t->taken = taken;
    ipc_recv(t, tag);
}

/* SYS_CALL and SYS_SEND. */
static void call_or_send(struct thread *t, word_t tag)
{
    struct slot *slot = invoked_slot(t);
    word_t result;

    if (!slot) {
        reply_status(t, ST_BAD_CAP, t->regs[REG_NUMBER]);
        return;
    }
    if (slot_type(slot) != OBJ_endpoint) {
        (void)!invoke_object(t, slot, tag, &result);
        return;
    }
    if (tag_kind(tag) == SYS_CALL)
        ipc_call(t, slot, tag);
    else
        ipc_send(t, slot, tag);
}

/* A system call with an end.  True: go on as without one, then set_end.  A call that could not wait for
 * its reply is not sent. */
static bool begin_timed(struct thread *t, word_t tag)
{
    u64 when = timeout_moment(t, tag);

    if (!when && tag_kind(tag) == SYS_CALL) {
        struct slot *slot = invoked_slot(t);

        if (slot && slot_type(slot) == OBJ_endpoint) {
            if (may_send(t, slot, tag))
                reply_status(t, ST_TIMEOUT, 0);
            return false;
        }
    }
    this_hart()->wait_has_end = true;
    this_hart()->wait_end = when;
    return true;
}

/* What is not worth a branch of its own on the way of the others.  True: go on as without an end. */
static __attribute__((noinline, cold)) bool rare_call(struct thread *t, word_t tag)
{
    if (tag_kind(tag) <= SYS_REPLY_RECV)
        return begin_timed(t, tag);
    if (tag_kind(tag) == SYS_SAVE) {
        ipc_save(t);
    } else if (tag_kind(tag) == SYS_REPLY_SAVED) {
        ipc_reply_saved(t);
    } else {
        t->regs[0] -= 4; /* the handler sees the ecall */
        exception_raise(t, ST_BAD_CALL, CAUSE_USER_ECALL, tag);
    }
    return false;
}

/* If `t` waits now, it does so until the moment that begin_timed found. */
static __attribute__((noinline, cold)) void set_end(struct hart *h, struct thread *t)
{
    h->wait_has_end = false;
    if (h->thread != t || t->state < THREAD_SENDING)
        return;
    if (h->wait_end)
        timeout_arm(t, h->wait_end);
    else
        ipc_timed_out(t);
}
_Static_assert(THREAD_NEW < THREAD_SENDING && THREAD_STOPPED < THREAD_SENDING &&
                   THREAD_READY < THREAD_SENDING && THREAD_FAULTING > THREAD_SENDING,
               "who waits");

/* An ecall from user mode; pc is behind it already, t0-t4 are zero.  From entry.S, on the empty
 * stack of the hart.  The lock is taken alone, since a message may carry capabilities and an
 * operation may do anything; IPC without capabilities would do with shared. */
struct thread *syscall_enter(struct thread *t)
{
    word_t tag = t->regs[REG_TAG];
    struct thread *next;
    u64 called;

    kernel_enter_alone();
    called = trace_call_begins(t);
again:
    switch (tag & (TAG_KIND_MASK | SYS_TIMEOUT | SYS_DEADLINE)) {
    case SYS_CALL:
    case SYS_SEND:
        call_or_send(t, tag);
        break;
    case SYS_RECV:
        t->taken = 0;
        ipc_recv(t, tag);
        break;
    case SYS_REPLY_RECV:
        ipc_reply_recv(t, tag);
        break;
    case SYS_YIELD:
        reply_status(t, ST_OK, 0);
        schedule_yield();
        break;
    default:
        if (!rare_call(t, tag))
            break;
        tag &= ~(word_t)(SYS_TIMEOUT | SYS_DEADLINE);
        goto again;
    }
    if (this_hart()->wait_has_end)
        set_end(this_hart(), t);
    trace_call_ends(t, called);
    next = schedule_next();
    kernel_leave();
    return next;
}
