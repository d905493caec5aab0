/* SPDX-License-Identifier: MIT */
/*
 * What every kernel object begins with, and the table each type fills in.
 *
 * An object dies when its origin slot has no child left (nobody can name it) or when its bank is
 * destroyed.  Death is never immediate inside another operation: the object is queued (object_doom),
 * and whoever let the last capability go works the queue off before it goes on in user mode; so no
 * function finds an object freed under its hands, and no death nests in another.
 *
 * Death takes as long as there is to give back, so it goes in bounded steps.  How far it has come
 * stands in the object (OBJECT_DYING, and what is still there), never in the thread that does it: if
 * that is interrupted, others may run, destroy the same, or end the thread.
 */
#ifndef KERNEL_OBJECT_OBJECT_H
#define KERNEL_OBJECT_OBJECT_H

#include "kernel/object/slot.h"
#include "lib/base/text.h"

struct bank;
struct invocation;
struct operation_table;

struct object {
    struct slot origin; /* root of every capability to this object */
    u8 type;            /* [I] enum object_type */
    u8 flags;           /* OBJECT_* */
    u16 reserved;
    u32 doom_next; /* queue of the dying: slot numbers of objects */
    u32 doom_prev;
    u32 size;   /* [I] bytes taken from the bank (power of two) */
    u64 serial; /* [I] counts all objects ever made; for people */
    u64 spare;
};
_Static_assert(sizeof(struct object) == 64, "registers of a thread begin here");

#define OBJECT_DYING  1 /* being destroyed: nothing new may be made from it */
#define OBJECT_DOOMED 2 /* on the queue of object_reap */

/*
 * One per type, const, in that type's .c, named <type>_ops, found through object_ops_of.
 *  create   bank.create: validate args a, b, c and report errors through inv (detail = argument
 *           index), take memory from the bank, initialise, return the object with its origin made
 *           (object_init).  After an error nothing has changed.
 *  destroy  the object has no capability left and is DYING: let go of everything (embedded slots
 *           by slot_delete, frames, queues), or of a bounded part of it; true: nothing is left.
 *           Between two calls others may run.  Memory of the object itself is freed by the caller.
 *           Must not fail.
 *  check    debug: assert its invariants.      describe  one line for panics and traces.
 */
struct object_ops {
    status_t (*create)(struct bank *bank, struct invocation *inv, const word_t args[3],
                       struct object **out);
    bool (*destroy)(struct object *o);
    void (*check)(const struct object *o);
    void (*describe)(const struct object *o, struct text *t);
    const struct operation_table *operations; /* from kernel/core/operations.h */
};

/* A function that only debug builds have: what nothing names is not in the image. */
#define DEBUG_ONLY(function) (CONFIG_DEBUG ? (function) : NULL)

extern const struct object_ops bank_ops, cspace_ops, thread_ops, aspace_ops, endpoint_ops,
    notification_ops, sched_ops, irq_ops, debug_ops, anon_ops, phys_ops, served_ops;

/* The table of a type; NULL for a number that names none. */
const struct object_ops *object_ops_of(unsigned type);
const char *object_type_name(unsigned type);

/* Fill in the header and link the origin under the bank's (NULL: the first bank). */
void object_init(struct object *o, struct bank *bank, enum object_type type, u32 size);

/* The bank that paid for the object: the holder of its origin's parent. */
static inline struct bank *object_bank(const struct object *o)
{
    return o->origin.parent ? slot_object(slot_from_number(o->origin.parent)) : NULL;
}

/* Queue an object whose last capability is gone, or whose destruction nobody goes on with. */
void object_doom(struct object *o);

/* Objects that were queued and not reaped since the last object_reap_fresh: mostly 0. [k] */
extern u32 objects_fresh;

/* Destroy what was queued since the last call: at the end of an operation.  False: an interrupt waits;
 * the caller's thread owes the rest (thread->reaps).  Lock: alone. */
MUST_CHECK bool object_reap_fresh(void);
/* Destroy all that is queued, for a thread that owes it, or with nothing else to do.  False: an
 * interrupt waits.  Lock: alone. */
MUST_CHECK bool object_reap(void);
/* A few steps of it, at each tick: so it ends even if whoever owed it is gone.  Lock: alone. */
void object_reap_some(void);

/*
 * Destroy everything below and including this object.  `last` (or NULL), a capability to it, goes
 * last, so that whoever destroys by it can come back.  False: an interrupt waits; call it again.
 * Lock: alone.
 */
MUST_CHECK bool object_destroy(struct object *o, const struct slot *last);

#endif
