/* SPDX-License-Identifier: MIT */
/*
 * Invocation: a system call on a kernel object, from the registers to the object's function.
 *
 * Dispatch (invoke.c) looks the capability up, tests rights and length against the operation's
 * entry, calls the function, and writes status and results back.  The entries come from the .def
 * files, by way of kernel/core/operations.h.  A debug kernel panics when a function returns a
 * status that its ERR lines do not list.
 */
#ifndef KERNEL_CORE_INVOKE_H
#define KERNEL_CORE_INVOKE_H

#include "kernel/object/object.h"
#include "kernel/object/thread.h"

struct invocation {
    struct thread *thread; /* who asks */
    struct slot *slot;     /* the invoked capability; copy its badge before anything deletes it */
    unsigned nwords;       /* words in the message */
    word_t tag;
    word_t results[16]; /* word 0.. of the reply; beyond 6 go to the buffer */
    unsigned nresults;
    word_t detail; /* of an error */
    bool no_reply; /* the caller waits, runs elsewhere or is gone: write nothing */
    bool restart;  /* inv_restart */
};

typedef status_t operation_fn(struct object *o, struct invocation *inv);

/* One operation; a type's list is indexed by operation number (a gap: fn NULL, name NULL). */
struct operation {
    operation_fn *fn;
    const char *name;
    u8 rights;
    u8 nargs;
};

/* A status that an operation may return besides OK and those of any.def. */
struct operation_error {
    u8 operation;
    u8 status;
};

struct operation_table {
    const struct operation *operations;
    unsigned noperations;
    const struct operation_error *errors;
    unsigned nerrors;
};

/* Message word i of the invocation, from registers or the buffer; 0 beyond the message.  A word of the
 * buffer can change at any time, so each is read once.  Lock: any. */
static inline word_t inv_word(const struct invocation *inv, unsigned i)
{
    if (i >= inv->nwords)
        return 0;
    if (i < MESSAGE_REGISTERS)
        return inv->thread->regs[10 + i];
    return *(volatile word_t *)&inv->thread->buffer->words[i];
}

/* Report an error: `return inv_fail(inv, ST_BAD_ARG, 2);` */
static inline status_t inv_fail(struct invocation *inv, status_t status, word_t detail)
{
    inv->detail = detail;
    return status;
}
static inline void inv_result(struct invocation *inv, word_t value)
{
    inv->results[inv->nresults++] = value;
}

/*
 * A preemption point of a long operation: `if (cpu_interrupt_pending()) return inv_restart(inv);`
 * The caller executes its system call again when it next runs, with the words it came with.  What has
 * been done by then must stand in the objects themselves, be whole to everybody else, and be found
 * again by the checks at the operation's beginning; nothing of it may be kept for this caller, who
 * may never come back.
 */
static inline status_t inv_restart(struct invocation *inv)
{
    inv->restart = true;
    return ST_OK;
}

/* The same, for an operation of at most two words that counts what it does: the count so far, which
 * inv_carried gives back (once), travels in the caller's third word. */
static inline status_t inv_restart_with(struct invocation *inv, u64 count)
{
    inv->thread->regs[12] = count;
    inv->thread->carries = 1;
    return inv_restart(inv);
}
static inline u64 inv_carried(const struct invocation *inv)
{
    u64 count = inv->thread->carries ? inv->thread->regs[12] : 0;

    inv->thread->carries = 0;
    return count;
}

/* The slot of that number in the caller's cspace; NULL for an empty slot, slot 0, or outside. */
struct slot *inv_lookup(const struct invocation *inv, word_t number);
/* The caller's slot of that number, for a new capability: *status is BAD_ARG (0 or outside) or
 * OCCUPIED when NULL is returned. */
struct slot *inv_destination(const struct invocation *inv, word_t number, status_t *status);

/* The slot of that number in the caller's cspace if it holds `type` with all `rights`, else NULL. */
struct slot *inv_capability(const struct invocation *inv, word_t number, enum object_type type,
                            unsigned rights);

/* SYS_CALL or SYS_SEND on a kernel object (ipc.c handles endpoints): runs it and writes the reply
 * into the caller's registers.  Returns the status, for SYS_REPLY_RECV (WOULD_BLOCK: it will be
 * executed again); *result = first result. */
status_t invoke_object(struct thread *t, struct slot *slot, word_t tag, word_t *result);

/* Write a reply with a status and detail (or results) into a thread's registers. */
void reply_status(struct thread *t, status_t status, word_t detail);
void reply_words(struct thread *t, word_t tag, word_t badge, const word_t *words, unsigned n);

#endif
