/* SPDX-License-Identifier: MIT */
/*
 * Served memory: mapping operations carried to a pager.
 *
 * Nothing here waits for the pager: mapping is decided by what it declared, events and tickets
 * queue, and an answer (answer.c) is an operation of its own.  A ticket is no object: it is the
 * page's index slot pointing at its first waiter, and the `ticket` field of each waiter.
 *
 * The file is long because events and tickets share one queue, whose order is what the server is
 * promised (I7); parted, each half would have to know the other's entries.
 */
#include "kernel/object/served.h"

#include "arch/cpu.h"
#include "kernel/core/counters.h"
#include "kernel/core/fault.h"
#include "kernel/core/help.h"
#include "kernel/core/invoke.h"
#include "kernel/core/ipc.h"
#include "kernel/core/panic.h"
#include "kernel/core/schedule.h"
#include "kernel/core/trace.h"
#include "kernel/object/answer.h"
#include "kernel/object/aspace.h"
#include "kernel/object/bank.h"
#include "lib/base/bits.h"
#include "lib/base/string.h"

#define OPERATIONS_OF   served
#define OPERATIONS_FILE "lib/abi/served.def"
#define OPERATIONS_BASE "lib/abi/memory.def"
#include "kernel/core/operations.h"

#define WINDOW_PAGES \
    16ul /* how far resolve_fault looks for missing pages behind the one asked for */

static struct endpoint *served_endpoint(const struct served *s)
{
    return slot_is_empty(&s->server) || s->server_leaves ? NULL : slot_object(&s->server);
}

static bool served_wants(const struct served *s, enum mapping_op op)
{
    return s->wants >> op & 1;
}

/* Add an entry to the object's queue and let the server know.  Lock: any. */
static void queue_news(struct served *s, struct qnode *n, enum qnode_kind kind, u64 *sequence)
{
    *sequence = ++s->sequence;
    queue_push(&s->queue, n, kind);
    ipc_object_has_news(s);
}

/* Take an entry off; an object with nothing to tell leaves its endpoint's queue (V3). */
static void queue_retract(struct served *s, struct qnode *n)
{
    queue_remove(&s->queue, n);
    if (queue_is_empty(&s->queue) && s->node.kind == QNODE_SERVED)
        queue_remove(&((struct endpoint *)slot_object(&s->server))->senders, &s->node);
}

/* --------------------------------------------------------------------------------- event records */

/* What a server of mappings may want to hear. */
#define MAPPING_EVENTS                                                              \
    (1u << MAPPING_on_mapped | 1u << MAPPING_on_unmapped | 1u << MAPPING_on_split | \
     1u << MAPPING_on_protect)

static u8 event_tells(const struct event *e)
{
    return e->node.spare[0];
}

/* A record, if the server takes one more and its bank has the room; else NULL. */
static struct event *event_make(struct served *s)
{
    struct event *e = NULL;

    if (s->records < s->records_max)
        e = bank_alloc(object_bank(&s->memory.object), sizeof(struct event));
    if (e)
        s->records++;
    return e;
}

static void event_free(struct served *s, struct event *e)
{
    s->records--;
    bank_free(e, sizeof(*e));
}

/* The record says of [start, end) of the region what is so now. */
static void event_describe(struct event *e, const struct region *r, u64 start, u64 end)
{
    e->mapping_id = r->mapping_id;
    e->vaddr = start;
    e->length = end - start;
    e->offset = (r->first_page << PAGE_SHIFT) + (start - r->start);
    e->badge = r->object.badge;
    e->node.spare[1] = r->flags;
}

/* The record has that to tell too: at its place, or at the queue's end if it had nothing to tell. */
static void event_tell(struct served *s, struct event *e, enum event_tell what)
{
    bool queued = event_tells(e) != 0;

    e->node.spare[0] |= what;
    if (!queued)
        queue_news(s, &e->node, QNODE_EVENT, &e->sequence);
}

/* It has nothing to tell any more. */
static void event_silence(struct served *s, struct event *e)
{
    if (event_tells(e))
        queue_retract(s, &e->node);
    e->node.spare[0] = 0;
}

/* Something changes that no record can tell.  One RESYNC stands for all such changes up to the moment
 * when it is heard, since the server then sees what is. */
static void served_on_resync(struct memory *m)
{
    struct served *s = served_of(m);

    if (s->wants & MAPPING_EVENTS)
        event_tell(s, &s->resync, EVENT_RESYNC);
}

/* Lock: alone.  Makes the record that the region's events will need, if any is wanted. */
static status_t served_prepare_map(struct memory *m, struct region *r, word_t *detail)
{
    struct served *s = served_of(m);

    r->event = NULL;
    if (!(s->wants & MAPPING_EVENTS))
        return ST_OK;
    if (s->records >= s->records_max) {
        *detail = s->records_max;
        return ST_LIMIT;
    }
    r->event = event_make(s);
    if (!r->event) {
        *detail = 1;
        return ST_NO_SPACE;
    }
    return ST_OK;
}

/* Is this the permit for that request, given for the object as it is? */
static bool permit_holds(const struct memory *m, const struct ticket *k,
                         const struct map_request *q)
{
    unsigned kind = q->flags & MAP_PRIVATE ? TICKET_PERMIT_PRIVATE : TICKET_PERMIT_SHARED;

    return k->delivered == kind && k->sequence == m->object.serial && k->epoch == m->epoch &&
           k->index == q->offset >> PAGE_SHIFT && k->vaddr == q->length;
}

/* Lock: alone.  No state of the object waits: what was granted lies in the thread's registers and
 * ticket, and everything else is checked anew when the invocation starts again. */
static status_t served_permit_map(struct memory *m, struct thread *t, const struct map_request *q,
                                  u64 badge, u32 *granted)
{
    struct served *s = served_of(m);
    struct ticket *k = &t->ticket;
    struct endpoint *e = served_endpoint(s);

    if (!(s->flags & DECLARE_ASK))
        return ST_OK;
    if (permit_holds(m, k, q)) {
        k->delivered = 0;
        *granted = k->access;
        return q->flags & (MAP_READ | MAP_WRITE | MAP_EXEC) & ~*granted ? ST_DENIED : ST_OK;
    }
    *granted = 0;
    if (!e || !endpoint_is_served(e))
        return ST_OWNER_DEAD;
    k->delivered = TICKET_ASKS;
    k->sequence = m->object.serial;
    k->epoch = m->epoch;
    k->vaddr = s->key;
    t->send_badge = badge;
    ipc_ask(t, e);
    return ST_WOULD_BLOCK;
}

/* Is this the answer to that question? */
static bool clone_holds(const struct memory *m, const struct thread *t, const struct region *r)
{
    const struct ticket *k = &t->ticket;

    return k->delivered == TICKET_CLONE && k->sequence == m->object.serial &&
           k->epoch == m->epoch && k->index == r->mapping_id &&
           t->regs[15] == (r->start | r->flags);
}

/* The child maps with what the parent's mapping may, as far as the server's capability and that object
 * let it. */
static bool may_replace(const struct region *r, const struct slot *object)
{
    bool is_shared = !(r->flags & MAP_PRIVATE);
    struct mapping_info info;
    const struct memory *m;
    u64 offset = r->first_page << PAGE_SHIFT;

    if (!slot_holds_memory(object, 0) ||
        r->flags & MAP_ACCESS & ~aspace_flags_of(slot_rights(object), is_shared))
        return false;
    m = memory_of(slot_object(object));
    return r->first_page < m->npages && m->ops->supports_mmap(m) &&
           (is_shared || m->ops->supports_private_mmap(m)) &&
           m->ops->get_mapping_info_with(m, offset, r->end - r->start, is_shared, &info) == ST_OK &&
           info.attribute == MEMORY_NORMAL && memory_has_frames(m) &&
           (r->flags & (MAP_READ | MAP_WRITE | MAP_EXEC) & ~info.permissions) == 0;
}

/* Lock: alone.  As for permit_map, nothing of the object waits: the words of the question are in
 * registers of the thread that aspace.fork does not use. */
static status_t served_fork_clone(struct memory *m, struct thread *t, const struct region *r,
                                  struct slot *answer, bool *other)
{
    struct served *s = served_of(m);
    struct ticket *k = &t->ticket;
    struct endpoint *e = served_endpoint(s);
    bool holds = clone_holds(m, t, r);

    *other = false;
    if (!(s->flags & DECLARE_FORK))
        return ST_OK;
    if (k->delivered == TICKET_CLONE) {
        k->delivered = 0;
        if (holds && slot_is_empty(answer))
            return ST_OK; /* the same object */
        if (holds && may_replace(r, answer)) {
            *other = true;
            return ST_OK;
        }
        if (!slot_is_empty(answer))
            slot_delete(answer);
        if (holds)
            return ST_DENIED;
    }
    if (!answer)
        return ST_BAD_ARG;
    if (!e || !endpoint_is_served(e))
        return ST_OWNER_DEAD;
    k->delivered = TICKET_ASKS_CLONE;
    k->sequence = m->object.serial;
    k->epoch = m->epoch;
    k->index = r->mapping_id;
    t->send_badge = r->object.badge;
    t->regs[12] = s->key;
    t->regs[13] = r->first_page << PAGE_SHIFT;
    t->regs[14] = r->end - r->start;
    t->regs[15] = r->start | r->flags;
    ipc_ask(t, e);
    return ST_WOULD_BLOCK;
}

/* Lock: alone. */
static void served_on_mapped(struct memory *m, struct region *r, paddr_t first)
{
    struct served *s = served_of(m);

    (void)first; /* a user program sees a physical address only with the DMA right */
    if (!r->event)
        return;
    event_describe(r->event, r, r->start, r->end);
    if (served_wants(s, MAPPING_on_mapped))
        event_tell(s, r->event, EVENT_MAPPED);
}

/* All of a region is gone.  One that the server never heard of vanishes without a word. */
static void region_unmapped(struct served *s, struct region *r)
{
    struct event *e = r->event;
    bool unheard = event_tells(e) & EVENT_MAPPED;

    r->event = NULL;
    event_silence(s,
                  e); /* on_unmapped comes after the last ticket of the region, which is closed */
    if (unheard || !served_wants(s, MAPPING_on_unmapped))
        event_free(s, e);
    else
        event_tell(s, e, EVENT_UNMAPPED);
}

/* Lock: alone. */
static void served_on_unmapped(struct memory *m, struct region *r, u64 start, u64 end)
{
    struct served *s = served_of(m);
    struct event *e;

    if (!r->event) {
        if (r->untold)
            served_on_resync(m);
        return;
    }
    if (r->start == start && r->end == end) {
        region_unmapped(s, r);
        return;
    }
    event_describe(r->event, r, r->start, r->end);
    if ((event_tells(r->event) & EVENT_MAPPED) || !served_wants(s, MAPPING_on_unmapped))
        return;
    e = event_make(s);
    if (!e) {
        served_on_resync(m);
        return;
    }
    event_describe(e, r, start, end);
    event_tell(s, e, EVENT_UNMAPPED);
}

/* Lock: alone.  What the server has not heard of the region it has not heard of either piece; those
 * words of the upper one follow the lower's, so that no fault comes between. */
static void served_on_split(struct memory *m, struct region *r, struct region *upper)
{
    struct served *s = served_of(m);
    struct event *e;
    u8 tells;

    upper->event = NULL;
    upper->untold = r->untold;
    if (!r->event) {
        if (r->untold)
            served_on_resync(m);
        return;
    }
    event_describe(r->event, r, r->start, r->end);
    upper->event = e = event_make(s);
    if (!e) {
        upper->untold = 1;
        served_on_resync(m);
        return;
    }

    event_describe(e, upper, upper->start, upper->end);
    tells = event_tells(r->event) & (EVENT_MAPPED | EVENT_PROTECTED);
    if (!(tells & EVENT_MAPPED) && served_wants(s, MAPPING_on_split))
        tells |= EVENT_SPLIT;
    if (!event_tells(r->event)) {
        if (tells)
            event_tell(s, e, tells);
    } else if (tells) {
        e->node.spare[0] = tells;
        e->sequence = r->event->sequence;
        queue_insert_after(&s->queue, &r->event->node, &e->node);
    }
}

/* Lock: alone.  on_mapped, where it is still to come, says the permissions as they are then. */
static void served_on_protect(struct memory *m, struct region *r)
{
    struct served *s = served_of(m);

    if (!r->event) {
        if (r->untold)
            served_on_resync(m);
        return;
    }
    r->event->node.spare[1] = r->flags;
    if (!(event_tells(r->event) & EVENT_MAPPED) && served_wants(s, MAPPING_on_protect))
        event_tell(s, r->event, EVENT_PROTECTED);
}

/* ---------------------------------------------------------------------------------------- tickets */

static void open_add(struct served *s, struct thread *t)
{
    t->ticket.open_next = s->open_first;
    t->ticket.open_prev = 0;
    if (s->open_first)
        ((struct thread *)slot_pointer(s->open_first))->ticket.open_prev = slot_number(t);
    s->open_first = slot_number(t);
}

static void open_remove(struct served *s, struct thread *t)
{
    struct thread *next = slot_pointer(t->ticket.open_next);
    struct thread *prev = slot_pointer(t->ticket.open_prev);

    if (prev)
        prev->ticket.open_next = t->ticket.open_next;
    else
        s->open_first = t->ticket.open_next;
    if (next)
        next->ticket.open_prev = t->ticket.open_prev;
    t->ticket.open_next = t->ticket.open_prev = 0;
}

__attribute__((noinline, cold)) struct thread *served_first_writer(u64 slot)
{
    return slot_pointer(frame_of(paddr(slot & ~SLOT_BITS))->waiter);
}

/* The slot says that `t` is the first who waits: for the page, or to write to the page that is there. */
static void set_first_waiter(u64 *slot, struct thread *t)
{
    if (*slot & SLOT_RESIDENT) {
        frame_of(paddr(*slot & ~SLOT_BITS))->waiter = slot_number(t);
        *slot |= SLOT_ASKED;
    } else {
        *slot = paddr_from_kva(t).addr | SLOT_WAITING;
    }
}

static __attribute__((noinline, cold)) void count_ticks(struct served *s, u32 waited)
{
    s->waited += waited;
    s->longest_wait = MAX(s->longest_wait, waited);
}

struct thread *served_close_ticket(struct served *s, u64 *slot)
{
    u64 old = *slot;
    struct thread *first;
    u32 waited;

    if (old & SLOT_WAITING) {
        first = kva_from_paddr(paddr(old & ~SLOT_WAITER_BITS));
        *slot = 0;
    } else {
        first = served_first_writer(old);
        *slot = old & ~SLOT_ASKED;
    }
    waited = (u32)kernel_counters.ticks - first->ticket.since;
    s->waits++;
    if (waited)
        count_ticks(s, waited);
    open_remove(s, first);
    if (first->wait.kind == QNODE_TICKET)
        queue_retract(s, &first->wait);
    return first;
}

void served_retry(u64 *slot)
{
    struct thread *first = served_first_waiter(*slot);

    fault_wake_retry(served_close_ticket(served_of(first->ticket.object), slot));
}

static void deliver_ticket(struct served *s, struct thread *t, struct thread *receiver);

/* Somebody waits at this slot already, whom `t` joins, or it has a page to which `t` is the first who
 * wants to write. */
static __attribute__((noinline)) bool joins_others(u64 *slot, struct thread *t)
{
    struct thread *first;

    if (*slot & SLOT_RESIDENT)
        t->ticket.access |= FAULT_WHY_PROTECTED << FAULT_WHY_SHIFT;
    if ((*slot & (SLOT_WAITING | SLOT_ASKED)) == 0) {
        set_first_waiter(slot, t);
        return false;
    }
    first = served_first_waiter(*slot);
    trace(ticket_joined, trace_object(&t->ticket.object->object), t->ticket.index << PAGE_SHIFT,
          trace_thread(first));
    schedule_block(t, THREAD_FAULTING);
    t->ticket.next_waiter = first->ticket.next_waiter;
    first->ticket.next_waiter = slot_number(t);
    return true;
}

/* Lock: shared.  The page is not there, or is protected and somebody writes (the slot says which, as
 * long as the ticket is open): wait for the server, alone or with those who wait already.
 * If nothing older is to be told and a server waits, it hears at once: no queue is touched, and the
 * context that is lent never leaves the run queue. */
static enum resolve_result served_resolve_fault(struct memory *m, const struct access *access,
                                                const struct fault_place *place, status_t *status,
                                                u64 *paddr_out)
{
    struct served *s = served_of(m);
    struct thread *t = place->thread;
    struct endpoint *e = served_endpoint(s);
    struct thread *receiver;

    (void)paddr_out;
    if (!e || !endpoint_is_served(e)) {
        *status = ST_OWNER_DEAD;
        return RESOLVE_ERROR;
    }

    t->ticket.object = m;
    t->ticket.index = place->index;
    t->ticket.slot = place->slot;
    t->ticket.pte = place->pte;
    t->ticket.region = place->region;
    t->ticket.vaddr = access->vaddr;
    t->ticket.access = access->op;
    t->ticket.delivered = 0;
    t->ticket.since = (u32)kernel_counters.ticks;
    t->ticket.next_waiter = 0;
    if (*place->slot == 0) {
        *place->slot = paddr_from_kva(t).addr | SLOT_WAITING;
    } else if (joins_others(place->slot, t)) {
        help_by(t);
        return RESOLVE_PENDING;
    }
    trace(ticket, trace_object(&m->object), place->index << PAGE_SHIFT, s->sequence + 1);
    open_add(s, t);
    if (queue_is_empty(&s->queue) && (receiver = ipc_take_receiver(e))) {
        t->state = THREAD_FAULTING;
        t->ticket.sequence = ++s->sequence;
        deliver_ticket(s, t, receiver);
        receiver->regs[29] = receiver->taken;
        sched_lend(t, receiver);
        return RESOLVE_PENDING;
    }
    schedule_block(t, THREAD_FAULTING);
    queue_news(s, &t->wait, QNODE_TICKET, &t->ticket.sequence);
    return RESOLVE_PENDING;
}

/* `heir` becomes the first waiter of `t`'s ticket. */
static void ticket_inherit(struct served *s, struct thread *t, struct thread *heir)
{
    heir->ticket.epoch = t->ticket.epoch;
    heir->ticket.delivered = t->ticket.delivered;
    heir->ticket.sequence = t->ticket.sequence;
    open_remove(s, t);
    open_add(s, heir);
    if (t->wait.kind == QNODE_TICKET)
        queue_replace(&s->queue, &t->wait, &heir->wait);
    set_first_waiter(t->ticket.slot, heir);
    help_by(heir); /* it waits at the endpoint from now on */
}

void served_cancel_wait(struct thread *t)
{
    struct served *s = served_of(t->ticket.object);
    struct thread *at = served_first_waiter(*t->ticket.slot);

    if (at != t) {
        while (at->ticket.next_waiter != slot_number(t))
            at = slot_pointer(at->ticket.next_waiter);
        at->ticket.next_waiter = t->ticket.next_waiter;
    } else if (t->ticket.next_waiter) {
        ticket_inherit(s, t, slot_pointer(t->ticket.next_waiter));
    } else {
        trace(ticket_cancelled, trace_object(&s->memory.object), t->ticket.index << PAGE_SHIFT,
              trace_thread(t));
        served_close_ticket(s, t->ticket.slot);
    }
    t->ticket.next_waiter = 0;
    if (t->lendee)
        sched_return(t->lendee);
}

void served_retry_one(struct thread *t)
{
    served_cancel_wait(t);
    schedule_ready(t);
}

/* --------------------------------------------------------------------------------------- delivery */

/* Store the eleven words of an event where a receiver's registers are: a0-a5, t0-t4.  Inline and
 * without a loop, so that the words go from where they are made straight to their places. */
static inline void put_event(struct thread *receiver, const struct served *s, enum mapping_op op,
                             const word_t words[11])
{
    u64 *regs = receiver->regs;

    regs[10] = words[0];
    regs[11] = words[1];
    regs[12] = words[2];
    regs[13] = words[3];
    regs[14] = words[4];
    regs[15] = words[5];
    regs[5] = words[6];
    regs[6] = words[7];
    regs[7] = words[8];
    regs[28] = words[9];
    regs[29] = words[10];
    regs[16] = s->key;
    regs[17] = tag_make(MSG_EVENT, op, 11, 0);
}

/* Place of a member of struct fault_event or mapping_event among the eleven words. */
#define WORD(type, member) (offsetof(struct type, member) / sizeof(word_t))

/* The label of what a record tells first. */
static enum mapping_op event_label(u8 tells)
{
    static const u8 labels[] = {MAPPING_on_mapped, MAPPING_on_split, MAPPING_on_protect,
                                MAPPING_on_unmapped, MAPPING_on_resync};
    return labels[ctz64(tells)];
}

/* Tell the first thing that a record has to tell; the record keeps its place until all is told. */
static void deliver_event(struct served *s, struct event *e, struct thread *receiver)
{
    u8 tells = event_tells(e), left = tells & (tells - 1);
    const word_t words[11] = {
        [WORD(mapping_event, vaddr)] = e->vaddr,
        [WORD(mapping_event, length)] = e->length,
        [WORD(mapping_event, offset)] = e->offset,
        [WORD(mapping_event, mapping)] = e->mapping_id,
        [WORD(mapping_event, flags)] = e->node.spare[1],
        [WORD(mapping_event, sequence)] = e->sequence,
        [WORD(mapping_event, epoch)] = s->memory.epoch,
        [WORD(mapping_event, badge)] = e->badge,
    };

    trace(event_told, trace_object(&s->memory.object), event_label(tells), e->mapping_id);
    put_event(receiver, s, event_label(tells), words);
    e->node.spare[0] = left;
    if (left)
        return;
    queue_remove(&s->queue, &e->node);
    if (tells == EVENT_UNMAPPED)
        event_free(s, e);
}

/* End of the run of missing pages that the server may fill: inside the mapping, the object and the
 * index leaf, where one pointer reaches them all.  It begins behind a page that is there, but protected. */
static u64 missing_window(const struct memory *m, const struct ticket *k)
{
    const struct region *r = k->region;
    u64 last = r->first_page + ((r->end - r->start) >> PAGE_SHIFT);
    u64 end = MAX(m->npages, k->index + 1); /* beyond the end: that page alone */
    u64 left = MIN(MIN(last, end) - k->index, RADIX_ENTRIES - k->index % RADIX_ENTRIES);
    u64 n = 1;

    left = MIN(left, WINDOW_PAGES);
    while (n < left && k->slot[n] == 0)
        n++;
    return k->index + n;
}

/* Of an access through links the server of what they lead to hears the page alone: the mapping and its
 * addresses are another object's client's. */
static __attribute__((noinline, cold)) void deliver_far(struct served *s, struct thread *t,
                                                        struct thread *receiver)
{
    struct ticket *k = &t->ticket;
    const word_t words[11] = {
        [WORD(fault_event, offset)] = k->index << PAGE_SHIFT,
        [WORD(fault_event, flags)] = k->access & ~(TICKET_FAR | TICKET_LINKED),
        [WORD(fault_event, window_end)] = (k->index + 1) << PAGE_SHIFT,
        [WORD(fault_event, epoch)] = s->memory.epoch,
        [WORD(fault_event, sequence)] = k->sequence,
    };

    put_event(receiver, s, MAPPING_resolve_fault, words);
}

static inline void deliver_near(struct served *s, struct thread *t, struct thread *receiver)
{
    const struct ticket *k = &t->ticket;
    const struct region *r = k->region;
    const word_t words[11] = {
        [WORD(fault_event, offset)] = k->index << PAGE_SHIFT,
        [WORD(fault_event, vaddr)] = k->vaddr,
        [WORD(fault_event, mapping)] = r->mapping_id,
        [WORD(fault_event, flags)] = (k->access & ~TICKET_LINKED) | (u64)r->flags
                                                                        << FAULT_PERMS_SHIFT,
        [WORD(fault_event, window_end)] = missing_window(&s->memory, k) << PAGE_SHIFT,
        [WORD(fault_event, epoch)] = s->memory.epoch,
        [WORD(fault_event, sequence)] = k->sequence,
        [WORD(fault_event, pc)] = t->regs[0],
        [WORD(fault_event, badge)] = r->object.badge,
    };

    put_event(receiver, s, MAPPING_resolve_fault, words);
}

static void deliver_ticket(struct served *s, struct thread *t, struct thread *receiver)
{
    struct ticket *k = &t->ticket;

    trace(ticket_told, trace_object(&s->memory.object), k->index << PAGE_SHIFT, k->sequence);
    k->delivered = 1;
    k->epoch = s->memory.epoch;
    if (k->access & TICKET_FAR)
        deliver_far(s, t, receiver);
    else
        deliver_near(s, t, receiver);
}

struct thread *served_deliver(struct served *s, struct thread *receiver)
{
    struct qnode *n = queue_first(&s->queue);

    if (n->kind == QNODE_EVENT) {
        deliver_event(s, container_of(n, struct event, node), receiver);
        return NULL;
    }
    queue_remove(&s->queue, n);
    deliver_ticket(s, thread_of_wait(n), receiver);
    return thread_of_wait(n);
}

/* ---------------------------------------------------------------------------------- server's life */

bool served_fail_one(struct served *s)
{
    struct thread *t = slot_pointer(s->open_first);

    if (!t)
        return false;
    served_cancel_wait(t);
    schedule_ready(t);
    exception_raise(t, ST_OWNER_DEAD, t->ticket.access, t->ticket.vaddr);
    return true;
}

/* Let go of the endpoint; what was queued stays for a successor.  Lock: alone. */
static void served_detach(struct served *s)
{
    struct endpoint *e;

    if (slot_is_empty(&s->server))
        return;
    e = slot_object(&s->server);
    if (s->node.kind == QNODE_SERVED)
        queue_remove(&e->senders, &s->node);
    queue_remove(&e->attached, &s->attached);
    slot_delete(&s->server);
    s->server_leaves = false;
}

/* Slot hook.  From its first step on nobody is asked any more.  Lock: alone. */
bool served_lost_server(struct served *s)
{
    s->server_leaves = true;
    if (served_fail_one(s))
        return false;
    served_detach(s);
    return true;
}

/* A new server hears every open ticket again, in the order in which they were opened last. */
static void redeliver_tickets(struct served *s)
{
    for (struct thread *t = slot_pointer(s->open_first); t; t = slot_pointer(t->ticket.open_next)) {
        if (t->wait.kind == QNODE_TICKET)
            continue;
        if (t->lendee)
            sched_return(t->lendee);
        sched_unpledge(t);
        t->ticket.delivered = 0;
        queue_news(s, &t->wait, QNODE_TICKET, &t->ticket.sequence);
    }
    if (!queue_is_empty(&s->queue))
        ipc_object_has_news(s);
}

/* served.attach.  Rights: OWN.  Lock: alone.  restartable: without a server those who wait hear so one
 * after the other, and nobody new waits. */
static status_t served_attach(struct object *o, struct invocation *inv)
{
    struct served *s = served_of(memory_of(o));
    word_t number = inv_word(inv, 0);
    struct slot *endpoint = NULL;

    if (number) {
        endpoint = inv_capability(inv, number, OBJ_endpoint, ENDPOINT_RECEIVE);
        if (!endpoint)
            return inv_fail(inv, ST_BAD_CAP, 0);
    }

    if (endpoint || !slot_is_empty(&s->server))
        s->memory.epoch++;
    served_detach(s);
    if (!endpoint) {
        while (served_fail_one(s)) {
            if (cpu_interrupt_pending())
                return inv_restart(inv);
        }
        return ST_OK;
    }
    slot_derive(&s->server, endpoint, PLACE_SERVED_SERVER, slot_rights(endpoint), endpoint->badge);
    queue_push(&((struct endpoint *)slot_object(endpoint))->attached, &s->attached, QNODE_ATTACHED);
    redeliver_tickets(s);
    return ST_OK;
}

static bool declared_permissions_valid(word_t p)
{
    return p == DECLARE_REFUSED || (p & ~(word_t)(MAP_READ | MAP_WRITE | MAP_EXEC)) == 0;
}

/* served.declare.  Rights: OWN.  Lock: alone. */
static status_t served_declare(struct object *o, struct invocation *inv)
{
    struct served *s = served_of(memory_of(o));
    word_t flags = inv_word(inv, 0), shared = inv_word(inv, 1), private = inv_word(inv, 2);
    word_t wants = inv_word(inv, 3), records = inv_word(inv, 4);
    word_t known = MAPPING_EVENTS | 1ul << MAPPING_resolve_fault;

    if (flags &
        ~(word_t)(DECLARE_MAPPABLE | DECLARE_PRIVATE | DECLARE_ASK | DECLARE_EXTEND | DECLARE_FORK))
        return inv_fail(inv, ST_BAD_ARG, 0);
    if (!declared_permissions_valid(shared))
        return inv_fail(inv, ST_BAD_ARG, 1);
    if (!declared_permissions_valid(private))
        return inv_fail(inv, ST_BAD_ARG, 2);
    if (wants & ~known)
        return inv_fail(inv, ST_BAD_ARG, 3);
    if (records > UINT32_MAX)
        return inv_fail(inv, ST_BAD_ARG, 4);

    s->flags = flags;
    s->shared = shared;
    s->private = private;
    s->wants = wants;
    s->records_max = records;
    for (unsigned i = 0; i < OWNER_NAME_BYTES / 8 && 5 + i < inv->nwords; i++) {
        word_t part = inv_word(inv, 5 + i);
        memcpy(s->name + 8 * i, &part, 8);
    }
    return ST_OK;
}

/* served.resize.  Rights: OWN.  Lock: alone.  What was the last page is zero past the old end. */
static status_t served_resize(struct object *o, struct invocation *inv)
{
    struct memory *m = memory_of(o);
    struct bank *bank = object_bank(o);
    u64 size = inv_word(inv, 0), npages = align_up(size, PAGE_SIZE) >> PAGE_SHIFT;
    u64 *last;

    if (size < m->size || size > MEMORY_MAX_SIZE)
        return inv_fail(inv, ST_BAD_ARG, 0);
    if (!radix_grow(&m->index, npages, bank))
        return inv_fail(inv, ST_NO_SPACE, bank_left(bank));

    last = radix_find(&m->index, m->npages - 1);
    if (last && (*last & SLOT_RESIDENT) && (npages > m->npages || is_aligned(size, PAGE_SIZE)))
        *last &= ~SLOT_TAIL;
    m->size = size;
    m->npages = npages;
    m->epoch++;
    return ST_OK;
}

/* Does a piece come before another in the order of served.mappings? */
static bool comes_before(u64 id, u64 start, u64 other_id, u64 other_start)
{
    return id < other_id || (id == other_id && start < other_start);
}

/* served.mappings.  Rights: OWN.  Lock: alone.  Cost: the object's regions.  Asking for what comes
 * after a piece, not for the n-th, leaves none out when others come and go in between. */
static status_t served_mappings(struct object *o, struct invocation *inv)
{
    const struct memory *m = memory_of(o);
    u64 id = inv_word(inv, 0), start = inv_word(inv, 1);
    const struct region *next = NULL;

    for (const struct region *r = slot_pointer(m->region_list); r; r = slot_pointer(r->next))
        if (comes_before(id, start, r->mapping_id, r->start) &&
            (!next || comes_before(r->mapping_id, r->start, next->mapping_id, next->start)))
            next = r;
    if (!next)
        return inv_fail(inv, ST_NOT_FOUND, m->regions);
    inv_result(inv, next->mapping_id);
    inv_result(inv, next->start);
    inv_result(inv, next->end - next->start);
    inv_result(inv, next->first_page << PAGE_SHIFT);
    inv_result(inv, next->flags);
    inv_result(inv, next->object.badge);
    return ST_OK;
}

/* served.answer.  Rights: OWN.  Lock: shared. */
static status_t served_answer(struct object *o, struct invocation *inv)
{
    return answer_invoke(served_of(memory_of(o)), inv);
}

/* ------------------------------------------------------------------------------ the mapping table */

static status_t served_get_mapping_info_with(const struct memory *m, u64 offset, u64 length,
                                             bool is_shared, struct mapping_info *info)
{
    const struct served *s = container_of(m, struct served, memory);
    u32 permissions = is_shared ? s->shared : s->private;

    (void)offset;
    (void)length;
    *info = (struct mapping_info){.permissions = permissions & ~DECLARE_REFUSED,
                                  .attribute = MEMORY_NORMAL,
                                  .is_shared = is_shared};
    return permissions & DECLARE_REFUSED ? ST_NOT_SUPPORTED : ST_OK;
}

static status_t served_get_mapping_info(const struct memory *m, u64 offset, u64 length,
                                        struct mapping_info *info)
{
    return served_get_mapping_info_with(m, offset, length, true, info);
}

/* The pages are their server's to drop.  An answer made before belongs to a past state. */
static status_t served_release_pages(struct memory *m, unsigned rights, u64 first, u64 count)
{
    if (!(rights & MEMORY_OWN))
        return ST_DENIED;
    m->epoch++;
    return memory_default_release_pages(m, rights, first, count);
}

static bool served_can_extend_on_fault(const struct memory *m)
{
    return container_of(m, struct served, memory)->flags & DECLARE_EXTEND;
}

static u32 served_fault_page_permissions(const struct memory *m, const struct access *access,
                                         u64 slot, u32 permissions)
{
    (void)m;
    (void)access;
    return slot & SLOT_ASK ? permissions & ~(u32)MAP_WRITE : permissions;
}

static bool served_supports_mmap(const struct memory *m)
{
    return container_of(m, struct served, memory)->flags & DECLARE_MAPPABLE;
}

static bool served_supports_private_mmap(const struct memory *m)
{
    return container_of(m, struct served, memory)->flags & DECLARE_PRIVATE;
}

static void served_mmap_owner_name(const struct memory *m, char name[OWNER_NAME_BYTES])
{
    memcpy(name, container_of(m, struct served, memory)->name, OWNER_NAME_BYTES);
}

static const struct mapping_ops served_mapping_ops = {
    .get_mapping_info = served_get_mapping_info,
    .get_mapping_info_with = served_get_mapping_info_with,
    .prepare_map = served_prepare_map,
    .permit_map = served_permit_map,
    .on_mapped = served_on_mapped,
    .on_unmapped = served_on_unmapped,
    .on_split = served_on_split,
    .on_protect = served_on_protect,
    .on_resync = served_on_resync,
    .release_pages = served_release_pages,
    .can_extend_on_fault = served_can_extend_on_fault,
    .fault_page_permissions = served_fault_page_permissions,
    .supports_mmap = served_supports_mmap,
    .supports_private_mmap = served_supports_private_mmap,
    .mmap_owner_name = served_mmap_owner_name,
    .resolve_fault = served_resolve_fault,
    .fork_clone = served_fork_clone,
    .resident_page = memory_default_resident_page,
};

/* ------------------------------------------------------------------------------- the object table */

/* bank.create(served, size, key).  Lock: alone. */
static status_t served_create(struct bank *bank, struct invocation *inv, const word_t args[3],
                              struct object **out)
{
    struct served *s;

    if (args[0] == 0 || args[0] > MEMORY_MAX_SIZE)
        return inv_fail(inv, ST_BAD_ARG, 2);
    s = bank_alloc(bank, sizeof(*s));
    if (!s)
        return inv_fail(inv, ST_NO_SPACE, bank->limit - bank->used);

    object_init(&s->memory.object, bank, OBJ_served, sizeof(*s));
    memory_init(&s->memory, &served_mapping_ops, args[0]);
    s->key = args[1];
    s->shared = s->private = DECLARE_REFUSED;
    memcpy(s->name, "object", sizeof("object"));
    *out = &s->memory.object;
    return ST_OK;
}

/* No region is left, so no ticket; unheard farewells are dropped with the object.  Lock: alone. */
static bool served_destroy(struct object *o)
{
    struct served *s = served_of(memory_of(o));

    assert(s->open_first == 0);
    served_detach(s);
    if (!queue_is_empty(&s->queue)) {
        struct event *e = container_of(queue_first(&s->queue), struct event, node);
        queue_remove(&s->queue, &e->node);
        if (e != &s->resync)
            event_free(s, e);
        return false;
    }
    return memory_empty(&s->memory);
}

struct waiting {
    const struct served *served;
    u64 tickets;
};

/* Debug: I2 of one slot: whoever is on its list waits for just this page. */
static void check_waiters(u64 *slot, u64 index, void *context)
{
    struct waiting *w = context;

    if (!(*slot & (SLOT_WAITING | SLOT_ASKED)))
        return;
    w->tickets++;
    for (const struct thread *t = served_first_waiter(*slot); t;
         t = slot_pointer(t->ticket.next_waiter)) {
        assert(t->state == THREAD_FAULTING && t->ticket.slot == slot);
        assert(t->ticket.object == &w->served->memory && t->ticket.index == index);
        assert((region_memory(t->ticket.region) != &w->served->memory) ==
               !!(t->ticket.access & TICKET_FAR));
    }
}

/* Debug: I2, I6, I7 and V3.  Lock: alone. */
static void served_check(const struct object *o)
{
    const struct served *s =
        container_of(container_of(o, struct memory, object), struct served, memory);
    struct waiting w = {.served = s};
    u64 sequence = 0, opened = 0;

    memory_check(&s->memory);
    for (const struct qnode *n = queue_first(&s->queue); n; n = queue_next(n)) {
        u64 number = n->kind == QNODE_EVENT ? container_of(n, struct event, node)->sequence
                                            : container_of(n, struct thread, wait)->ticket.sequence;
        assert(n->kind == QNODE_EVENT || n->kind == QNODE_TICKET);
        assert(number > sequence || (n->kind == QNODE_EVENT && number == sequence));        /* I7 */
        assert(n->kind != QNODE_EVENT || event_tells(container_of(n, struct event, node))); /* V1 */
        sequence = number;
    }
    for (const struct thread *t = slot_pointer(s->open_first); t;
         t = slot_pointer(t->ticket.open_next)) {
        assert(*t->ticket.slot & (SLOT_WAITING | SLOT_ASKED)); /* I2 */
        assert(served_first_waiter(*t->ticket.slot) == t);
        assert((t->ticket.access >> FAULT_WHY_SHIFT & FAULT_WHY_MASK) ==
               (*t->ticket.slot & SLOT_RESIDENT));
        assert(t->state == THREAD_FAULTING);
        assert(t->ticket.delivered == (t->wait.kind == QNODE_OFF));
        opened++;
    }
    radix_for_each(&s->memory.index, 0, 1ul << (RADIX_BITS * s->memory.index.depth), check_waiters,
                   &w);
    assert(w.tickets == opened); /* I2 */
    slot_check(&s->server);      /* I6 */
    assert((s->node.kind == QNODE_SERVED) <=
           (!queue_is_empty(&s->queue) && !slot_is_empty(&s->server)));         /* V3 */
    assert((s->attached.kind == QNODE_ATTACHED) == !slot_is_empty(&s->server)); /* V4 */
}

static void served_describe(const struct object *o, struct text *t)
{
    const struct served *s =
        container_of(container_of(o, struct memory, object), struct served, memory);

    text_puts(t, "served \"");
    text_escape(t, s->name, OWNER_NAME_BYTES);
    text_printf(t, "\" %lu bytes, %lu resident, key 0x%lx%s", s->memory.size, s->memory.resident,
                s->key, served_endpoint(s) ? "" : ", no server");
}

const struct object_ops served_ops = {
    .create = served_create,
    .destroy = served_destroy,
    .check = DEBUG_ONLY(served_check),
    .describe = served_describe,
    .operations = &served_operations,
};
