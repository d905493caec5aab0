/* SPDX-License-Identifier: MIT */
/*
 * Transfer: one message from one thread to another, words and capabilities.
 *
 * Everything is found first and moved then, so that a message comes whole or not at all.  Whose
 * mistake it is, the sender's or the receiver's, the two halves of the search tell apart.
 */
#include "kernel/core/transfer.h"

#include "kernel/object/cspace.h"

/* A slot that a thread's buffer names; each word of the buffer is read once. */
static struct slot *named_slot(const struct thread *t, const cap_t *number)
{
    cap_t n = *(const volatile cap_t *)number;

    return n ? cspace_slot(slot_object(&t->cspace), n) : NULL;
}

/* BAD_CAP, *detail = place: the sender has no capability there. */
status_t transfer_find_sources(const struct thread *from, struct transfer_caps *m, word_t *detail)
{
    for (unsigned i = 0; i < m->n; i++) {
        m->from[i] = named_slot(from, &from->buffer->send[i]);
        if (!m->from[i] || slot_is_empty(m->from[i])) {
            *detail = i;
            return ST_BAD_CAP;
        }
    }
    return ST_OK;
}

/* OCCUPIED, *detail = place: the receiver has no room there, or named one slot twice. */
status_t transfer_find_destinations(const struct thread *to, struct transfer_caps *m,
                                    word_t *detail)
{
    for (unsigned i = 0; i < m->n; i++) {
        bool usable;

        m->to[i] = named_slot(to, &to->buffer->receive[i]);
        usable = m->to[i] && slot_is_empty(m->to[i]);
        for (unsigned k = 0; k < i; k++)
            usable = usable && m->to[k] != m->to[i];
        if (!usable) {
            *detail = i;
            return ST_OCCUPIED;
        }
    }
    return ST_OK;
}

/* Lock: alone, if there is anything to move. */
void transfer_move_caps(const struct transfer_caps *m)
{
    for (unsigned i = 0; i < m->n; i++)
        slot_derive(m->to[i], m->from[i], PLACE_CSPACE, slot_rights(m->from[i]), m->from[i]->badge);
}

/* Words, tag and badge; t4 is what the receiver's last invocation yielded, if it receives.  t0-t3 are
 * zero since the receiver's entry into the kernel. */
void transfer_put_message(const struct thread *from, struct thread *to, unsigned kind, word_t badge)
{
    word_t tag = from->regs[REG_TAG];
    unsigned n = tag_nwords(tag);

#define COPY(i) to->regs[REG_A0 + i] = n > i ? from->regs[REG_A0 + i] : 0
    COPY(0);
    COPY(1);
    COPY(2);
    COPY(3);
    COPY(4);
    COPY(5);
#undef COPY
    for (unsigned i = MESSAGE_REGISTERS; i < n; i++)
        to->buffer->words[i] = from->buffer->words[i];
    to->regs[REG_NUMBER] = badge;
    to->regs[REG_TAG] = tag_make(kind, tag_label(tag), n, tag_ncaps(tag));
    if (kind != MSG_REPLY)
        to->regs[REG_TAKEN] = to->taken;
}

/* Move the message of `from` to the receiver `to`, capabilities and all, or change nothing. */
status_t transfer_message(struct thread *from, struct thread *to, unsigned kind, word_t badge,
                          word_t *detail)
{
    struct transfer_caps caps;
    status_t status;

    caps.n = tag_ncaps(from->regs[REG_TAG]);
    if (caps.n) {
        status = transfer_find_sources(from, &caps, detail);
        if (status == ST_OK)
            status = transfer_find_destinations(to, &caps, detail);
        if (status != ST_OK)
            return status;
        transfer_move_caps(&caps);
    }
    transfer_put_message(from, to, kind, badge);
    return ST_OK;
}
