/* SPDX-License-Identifier: MIT */
/* Breakpoints and single steps; step.h says what for. */
#include "lib/debug/step.h"

#define C_EBREAK 0x9002 /* two bytes, so that it fits wherever an instruction begins */

/* The two bytes at an address of the debuggee, as this program sees them; NULL: in no range. */
static volatile unsigned char *look(const struct debuggee *d, word_t address)
{
    for (unsigned i = 0; i < d->ncode; i++) {
        word_t within = address - d->code[i].start;

        if (within < d->code[i].nbytes && d->code[i].nbytes - within >= 2)
            return d->code[i].view + within;
    }
    return NULL;
}

static bool read_half(void *context, word_t address, uint16_t *half)
{
    volatile unsigned char *at = look(context, address);

    if (at)
        *half = (uint16_t)(at[0] | at[1] << 8);
    return at;
}

static status_t write_half(const struct debuggee *d, word_t address, uint16_t half)
{
    volatile unsigned char *at = look(d, address);

    if (!at)
        return ST_NOT_FOUND;
    *(volatile uint16_t *)at = half;
    __asm__ volatile("fence.i" ::: "memory");
    return ST_OK;
}

status_t breakpoint_set(const struct debuggee *d, word_t address, uint16_t *bytes)
{
    if ((address & 1) || !read_half((void *)d, address, bytes))
        return ST_NOT_FOUND;
    return write_half(d, address, C_EBREAK);
}

status_t breakpoint_clear(const struct debuggee *d, word_t address, uint16_t bytes)
{
    return write_half(d, address, bytes);
}

/* The last first: two targets may be one place. */
static void put_back(struct debuggee *d)
{
    while (d->ntargets > 0) {
        d->ntargets--;
        (void)!breakpoint_clear(d, d->targets[d->ntargets], d->bytes[d->ntargets]);
    }
}

status_t step_begin(struct debuggee *d)
{
    struct thread_registers r;
    word_t x[32] = {0};
    struct result got = q_thread_registers(d->thread, &r);
    unsigned n;

    if (got.status != ST_OK)
        return got.status;
    for (unsigned i = 1; i < 32; i++)
        x[i] = r.x[i - 1];
    n = decode_targets(r.pc, x, read_half, d, d->targets);
    d->ntargets = 0;
    for (unsigned i = 0; i < n; i++) {
        if (breakpoint_set(d, d->targets[i], &d->bytes[i]) != ST_OK) {
            put_back(d);
            return ST_NOT_FOUND;
        }
        d->ntargets = i + 1;
    }
    return n ? ST_OK : ST_NOT_FOUND;
}

bool step_end(struct debuggee *d, word_t pc)
{
    bool ended = false;

    for (unsigned i = 0; i < d->ntargets; i++)
        ended = ended || d->targets[i] == pc;
    put_back(d);
    return ended;
}

status_t step_once(struct debuggee *d, struct message *m)
{
    status_t status = step_begin(d);
    bool ended;

    if (status != ST_OK)
        return status;
    message_prepare(m, 0, 0, 0);
    status = q_reply_recv(m);
    ended = step_end(d, m->words[2]); /* pc, where it is an exception */
    return status == ST_OK && message_kind(m) == MSG_EXCEPTION &&
                   message_status(m) == ST_BREAKPOINT && ended
               ? ST_OK
               : ST_BUSY;
}
