/* SPDX-License-Identifier: MIT */
/*
 * Cspace: a flat table of 2^bits capability slots (bits 2 to 16).  Slot 0 is always empty: it
 * stands for "none" in calls and for the reply in SYS_REPLY_RECV.
 *
 * The slots lie in frames of their own (or a slab piece for small tables), zeroed at creation, which
 * for large ones takes several steps.
 */
#ifndef KERNEL_OBJECT_CSPACE_H
#define KERNEL_OBJECT_CSPACE_H

#include "kernel/object/object.h"

#define CSPACE_MIN_BITS 2
#define CSPACE_MAX_BITS 16

struct cspace {
    struct object object;
    u64 nslots;         /* [I] */
    struct slot *slots; /* [I] */
    u64 emptied;        /* DYING: slots below are empty */
};
_Static_assert(sizeof(struct cspace) <= 128, "size class");

/* The slot of that number, or NULL outside the table.  Slot 0 is returned as any other. */
static inline struct slot *cspace_slot(const struct cspace *c, word_t number)
{
    return number < c->nslots ? &c->slots[number] : NULL;
}

/* Boot: a cspace of 2^bits slots from a bank; panics without room. */
struct cspace *cspace_boot(struct bank *bank, unsigned bits);

#endif
