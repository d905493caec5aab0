/* SPDX-License-Identifier: MIT */
/*
 * Event record: what the server of an object has yet to hear of one region.
 *
 * Made with the region, from the object's bank, so that who listens pays and telling allocates
 * nothing.  Its range and flags are always those of the region as it is now, so a server that hears
 * late hears what is, not what was: a mapping it never heard of vanishes without a word, or comes as
 * on_mapped for each piece that is left; of several changes of permission it hears the last.
 */
#ifndef KERNEL_OBJECT_EVENT_H
#define KERNEL_OBJECT_EVENT_H

#include "kernel/object/queue.h"

/*
 * V1 a record is on its object's queue iff it has something to tell.
 * V2 a record belongs to a region, or (UNMAPPED alone to tell) to the queue, or is the object's own
 *    (RESYNC).
 * Bits of what is to be told, which is told from the lowest up:
 */
enum event_tell {
    EVENT_MAPPED = 1,
    EVENT_SPLIT = 2, /* this piece was cut off the one below it */
    EVENT_PROTECTED = 4,
    EVENT_UNMAPPED = 8, /* then the record is freed */
    EVENT_RESYNC = 16,
};

struct event {
    struct qnode node; /* spare[0] = what to tell (EVENT_*), spare[1] = MAP_* flags */
    u64 mapping_id;
    u64 vaddr;
    u64 length;
    u64 offset;
    u64 badge;
    u64 sequence;
};
_Static_assert(sizeof(struct event) == 64, "event record");

#endif
