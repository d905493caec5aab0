/* SPDX-License-Identifier: MIT */
/*
 * The registers of a thread, for whoever debugs it, saves it or makes it go on elsewhere.
 *
 * Only those of a thread that does not run: it is STOPPED, or has an exception and waits for what its
 * handler says, or is suspended while it could run.  In any other waiting state the registers are a message that is still to be sent, or
 * the arguments of an invocation that starts again; the kernel has tested these and reads them later.
 *
 * Right CONTROL is enough, since whoever has it can start the thread at any instruction with any
 * stack, and so have it tell or do all that it can.
 */
#include "kernel/object/registers.h"

#include "kernel/core/fpu.h"
#include "kernel/core/invoke.h"
#include "kernel/core/schedule.h"
#include "kernel/object/thread.h"
#include "lib/base/string.h"

/* Is it where its registers are its own, and nobody's message? */
static bool is_at_rest(const struct thread *t)
{
    if (t->state == THREAD_SENDING || t->state == THREAD_CALLING)
        return t->send_kind == MSG_EXCEPTION;
    return t->state == THREAD_STOPPED ||
           (t->state == THREAD_READY && (t->unusual & THREAD_IS_SUSPENDED));
}

/* A reply of more words than an invocation has room for. */
static status_t reply_long(struct invocation *inv, const word_t *words, unsigned n)
{
    inv_result(inv, words[0]);
    inv->no_reply = true;
    reply_words(inv->thread, tag_make(MSG_REPLY, ST_OK, n, 0), 0, words, n);
    return ST_OK;
}

/* Lock: shared. */
status_t registers_read(struct thread *t, struct invocation *inv)
{
    struct thread_registers r = {0};

    if (!is_at_rest(t))
        return inv_fail(inv, ST_BAD_STATE, t->state);

    r.pc = t->regs[0];
    memcpy(r.x, &t->regs[1], sizeof(r.x));
    if (!t->exit_full)
        r.x[29] = r.x[30] = 0; /* t5, t6: as a system call leaves them */
    if (t->exception) {
        r.status = t->stop_status;
        r.access = t->stop_access;
        r.address = t->stop_address;
    }
    return reply_long(inv, &r.pc, THREAD_REGISTER_WORDS);
}

/* Lock: alone. */
status_t registers_write(struct thread *t, struct invocation *inv)
{
    word_t run = inv_word(inv, 0), pc = inv_word(inv, 1);

    if (!is_at_rest(t))
        return inv_fail(inv, ST_BAD_STATE, t->state);
    if (run > 1)
        return inv_fail(inv, ST_BAD_ARG, 0);
    if (run &&
        (t->state != THREAD_STOPPED || slot_is_empty(&t->cspace) || slot_is_empty(&t->aspace)))
        return inv_fail(inv, ST_BAD_STATE, t->state);
    if ((pc & 1) || pc >= USER_TOP)
        return inv_fail(inv, ST_BAD_ARG, 1);

    t->regs[0] = pc;
    for (unsigned i = 1; i < 32; i++)
        t->regs[i] = inv_word(inv, 1 + i);
    t->exit_full = 1;
    t->carries = 0;
    if (run) {
        t->exception = 0;
        schedule_ready(t);
    }
    return ST_OK;
}

/* Lock: shared. */
status_t registers_read_float(struct thread *t, struct invocation *inv)
{
    if (!is_at_rest(t))
        return inv_fail(inv, ST_BAD_STATE, t->state);

    fpu_flush(t);
    return reply_long(inv, t->fpu, THREAD_FLOAT_WORDS);
}

/* Lock: alone. */
status_t registers_write_float(struct thread *t, struct invocation *inv)
{
    if (!is_at_rest(t))
        return inv_fail(inv, ST_BAD_STATE, t->state);

    fpu_flush(t);
    for (unsigned i = 0; i < 32; i++)
        t->fpu[i] = inv_word(inv, i);
    t->fpu[32] = inv_word(inv, 32) & 0xff; /* the rest of fcsr is reserved */
    return ST_OK;
}
