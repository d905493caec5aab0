/* SPDX-License-Identifier: MIT */
/*
 * Event record: what the server of an object has yet to hear of one mapping.
 *
 * Made with the mapping, from the object's bank, so that who listens pays and telling allocates
 * nothing.  A record is in one state at a time; a mapping that was never heard of vanishes without
 * a word.
 */
#ifndef KERNEL_OBJECT_EVENT_H
#define KERNEL_OBJECT_EVENT_H

#include "kernel/object/queue.h"

/*
 * V1 MAPPED and UNMAPPED records are on their object's queue; HEARD ones are not.
 * V2 a record belongs to a region (MAPPED, HEARD) or to the queue alone (UNMAPPED).
 */
enum event_state {
    EVENT_MAPPED,   /* on_mapped is to be told */
    EVENT_HEARD,    /* on_mapped was told (or is not wanted); nothing to tell now */
    EVENT_UNMAPPED, /* on_unmapped is to be told, then the record is freed */
};

struct event {
    struct qnode node; /* spare[0] = state, spare[1] = MAP_* flags */
    u64 mapping_id;
    u64 vaddr;
    u64 length;
    u64 offset;
    u64 badge;
    u64 sequence;
};
_Static_assert(sizeof(struct event) == 64, "event record");

#endif
