/* SPDX-License-Identifier: MIT */
/*
 * Transfer: one message from one thread to another, words and capabilities.  Used by ipc.c.
 */
#ifndef KERNEL_CORE_TRANSFER_H
#define KERNEL_CORE_TRANSFER_H

#include "kernel/object/thread.h"

/* Registers of a message, in both directions (lib/abi/abi.h). */
#define REG_A0     10
#define REG_NUMBER 16 /* a6 */
#define REG_TAG    17 /* a7 */
#define REG_TAKEN  29 /* t4 */

/* The capabilities of one message: where they are and where they go. */
struct transfer_caps {
    unsigned n;
    struct slot *from[MESSAGE_CAPS];
    struct slot *to[MESSAGE_CAPS];
};

/* What can be said about a message before there is a receiver: BAD_LENGTH, BAD_ARG. */
static inline status_t transfer_check_tag(word_t tag, word_t *detail)
{
    if (tag_nwords(tag) > MESSAGE_WORDS) {
        *detail = MESSAGE_WORDS;
        return ST_BAD_LENGTH;
    }
    if (tag_ncaps(tag) > MESSAGE_CAPS) {
        *detail = tag_ncaps(tag);
        return ST_BAD_ARG;
    }
    return ST_OK;
}

/* Where the `m->n` capabilities are: BAD_CAP, *detail = place, if the sender has none there. */
status_t transfer_find_sources(const struct thread *from, struct transfer_caps *m, word_t *detail);
/* Where they go: OCCUPIED, *detail = place, if the receiver has no room there. */
status_t transfer_find_destinations(const struct thread *to, struct transfer_caps *m,
                                    word_t *detail);
/* Move what both have found.  Lock: alone. */
void transfer_move_caps(const struct transfer_caps *m);

/* The words, as a message of that kind. */
void transfer_put_message(const struct thread *from, struct thread *to, unsigned kind,
                          word_t badge);

/* All of it, or nothing: BAD_CAP or OCCUPIED.  The tag has been checked. */
status_t transfer_message(struct thread *from, struct thread *to, unsigned kind, word_t badge,
                          word_t *detail);

#endif
