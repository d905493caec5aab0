/* SPDX-License-Identifier: MIT */
/*
 * Thread: the control block, 1 KiB, registers first.
 *
 * In user mode sscratch holds its address; trap entry stores registers straight into it, so there
 * is no trap frame and no per-thread kernel stack.  A thread that waits is described wholly by its
 * `state` and the fields below; nothing of it is on a stack.
 */
#ifndef KERNEL_OBJECT_THREAD_H
#define KERNEL_OBJECT_THREAD_H

#include "kernel/core/clock.h"
#include "kernel/core/tree.h"
#include "kernel/object/object.h"
#include "kernel/object/queue.h"

struct hart;
struct sched;
struct endpoint;
struct notification;
struct memory;
struct region;

/*
 * What a thread that waits for a page keeps: the ticket is the page's index slot, pointing at the
 * first waiter, and this in each waiter.  Only the first waiter's copy of `epoch`, `delivered` and
 * the place on the object's queue counts; if it leaves, the next takes over.
 */
#define TICKET_FAR \
    0x40 /* in `access`: the page belongs to an object that the region reaches by links */
#define TICKET_LINKED         0x80 /* ... or that is below private pages: who waits has to fault again */
#define TICKET_ASKS           2 /* values of `delivered` for a thread that does not wait for a page: */
#define TICKET_PERMIT_PRIVATE 4 /* see below */
#define TICKET_PERMIT_SHARED  5
#define TICKET_ASKS_CLONE     6
#define TICKET_CLONE          7
/*
 * The same fields keep what became of a question about a mapping (served.c, permit_map), since a
 * thread that asks cannot wait for a page.  TICKET_ASKS: vaddr = key of the object, sequence = its
 * serial, epoch.  A permit: sequence and epoch as before, index = first page, vaddr = length,
 * access = permissions; good for the same invocation when it starts again, and gone with any fault
 * in between.  So it is with a question about a fork (TICKET_ASKS_CLONE) and its answer (TICKET_CLONE):
 * index = mapping id; what the server is told, and the mapping's start, is in a2 to a5.
 */
struct ticket {
    struct memory *object;
    u64 index;
    u64 *slot;
    u64 *pte;
    union {
        struct {
            struct region *region;
            u64 vaddr;
            u32 next_waiter; /* thread, slot number */
            u32 open_next;   /* object's open tickets: threads, slot numbers */
        };
        struct tree_node aside; /* `saved`: of endpoint.saved */
    };
    u32 open_prev;
    u32 epoch;
    u8 access; /* ACCESS_*, FAULT_WHY_*, TICKET_LINKED, TICKET_FAR: what the server is asked for */
    u8 delivered;
    u8 saved;  /* CALLING, and put aside (saved.h) */
    u8 tried;  /* ACCESS_* of the thread, if LINKED */
    u32 since; /* low bits of kernel_counters.ticks when the wait began */
    u64 sequence;
};

/*
 * T1 sched->queued <=> sched != NULL, state READY and not IS_SUSPENDED.  A READY thread without a context is stranded
 *    until someone lends: on its endpoint's `stranded` queue, unless it is the hart's current one.
 * T2 sched != NULL => sched->thread == this.
 * T3 caller != NULL <=> caller->callee == this and caller is CALLING, and not saved.
 * T4 wait.kind == OFF unless SENDING, RECEIVING, WAITING, (undelivered first waiter) FAULTING, or
 *    stranded.
 * T7 HAS_PLEDGED <=> callee->pledger is this: FAULTING, its context at hand, and callee (which has that
 *    fault) runs on a helper's.
 * T6 IS_TIMED <=> `timeout` is in the clock's queue; only SENDING, CALLING, RECEIVING, WAITING.
 * T5 lender != NULL <=> lender->lendee == this; a lender is SENDING, CALLING or FAULTING, and whom it
 *    lent to is neither STOPPED nor RECEIVING.  The context at the end of a chain of loans is the
 *    home of the thread at its head (nothing else ever moves).
 */
#define THREAD_IS_TIMED     1 /* its wait ends at a moment */
#define THREAD_IS_SUSPENDED 2 /* it does not run until it is resumed */
#define THREAD_HAS_PLEDGED  4 /* T7 */

struct thread {
    struct object object;
    u64 regs[32]; /* [0] = pc, else x1 to x31 */
    u64 sstatus;
    struct hart *hart;   /* [h] runs it now */
    u8 exit_full;        /* entered by a trap that must preserve every register */
    u8 state;            /* THREAD_* */
    u8 send_kind;        /* SENDING, CALLING: MSG_CALL, MSG_SEND, MSG_EXCEPTION, MSG_ASK */
    u8 caller_left;      /* whom it was to reply to is gone: its next reply goes nowhere */
    u8 exception;        /* stopped by an exception: stop_* hold */
    u8 reaps;            /* what it let go of is still to be destroyed before it goes on */
    u8 carries;          /* a2 is what the call that starts again has counted (inv_restart_with) */
    u8 unusual;          /* THREAD_IS_*: what few threads are, so that one test finds them all */
    u64 satp;            /* [k] of its address space */
    struct sched *sched; /* context that animates it, or NULL */
    struct thread *lender; /* who lent that context, or NULL */
    struct thread *lendee; /* whom this one lent its context to */
    struct thread *caller; /* waits for this one's reply */
    union {
        struct thread *callee;     /* CALLING: whose reply it waits for; HAS_PLEDGED: to whom */
        struct endpoint *sends_to; /* SENDING; CALLING and saved: where */
        struct notification *waits_for; /* WAITING */
    };
    struct thread_buffer *buffer; /* kernel address; NULL until configured */
    u64 buffer_user;              /* user address */
    u64 send_badge;
    u64 stop_address;
    u32 stop_status; /* status_t of the exception or of the fault */
    u32 stop_access; /* ACCESS_* or scause */
    u32 pledger;     /* who has pledged its context to this one: slot number, or 0 */
    _Alignas(32) struct slot cspace;
    struct slot aspace;
    struct slot handler;
    struct slot home;
    struct slot endpoint;
    struct slot notification;
    _Alignas(32) struct qnode wait;
    u64 name[2];
    union {
        struct ticket ticket;
        struct timer timeout; /* THREAD_IS_TIMED: overlays object, index and slot */
    };
    u64 taken;   /* first result of the invocation in SYS_REPLY_RECV: t4 of the next message */
    u64 fpu[33]; /* f0 to f31, fcsr; valid while another thread owns the registers (fpu.h) */
};
_Static_assert(sizeof(struct thread) <= 1024, "bytes_thread");
_Static_assert(offsetof(struct thread, ticket.aside) % 32 == 0, "a slot number names it");
_Static_assert(offsetof(struct thread, timeout) % 32 == 0, "a slot number names it");
_Static_assert(sizeof(struct timer) <= offsetof(struct ticket, pte),
               "what TICKET_ASKS and `saved` keep is not touched");
#define THREAD_BYTES 1024

static inline struct thread *thread_of_wait(struct qnode *n)
{
    return container_of(n, struct thread, wait);
}

struct thread *thread_boot(struct bank *bank);
void thread_check(const struct object *o); /* debug: T1 to T7 */

/* thread.configure and thread.start without capability work (boot uses them too). */
struct cspace;
struct aspace;
status_t thread_configure_slots(struct thread *t, struct slot *cspace, struct slot *aspace,
                                struct slot *handler, struct slot *home, word_t *detail);
void thread_run(struct thread *t, u64 pc, u64 sp, u64 argument, u64 tp);

/* Stop wherever it is: leaves every queue, ticket and loan; state STOPPED.  Whoever waits for its
 * reply hears CANCELLED.  Does nothing to a thread that is NEW. */
void thread_halt(struct thread *t);

/* Slot hooks (slot_places.def). */
bool thread_lost_cspace(struct thread *t);
bool thread_lost_aspace(struct thread *t);
bool thread_lost_handler(struct thread *t);
bool thread_lost_home(struct thread *t);
bool thread_lost_endpoint(struct thread *t);
bool thread_lost_notification(struct thread *t);

#endif
