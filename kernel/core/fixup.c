/* SPDX-License-Identifier: MIT */
/*
 * The fixup address: a thread that says beforehand where it goes on after a failed access.
 *
 * It is a few words of the thread's own buffer page, so that to set it costs a store, nobody but
 * the thread's address space can, and an access that does not fail costs nothing.  Everything read
 * there is an allegation: each word is read once, and the worst that a wrong one does is what a wrong
 * jump of the thread would have done.  The range of instructions is looked at here rather than by the
 * program: who finds out afterwards that it was not ready has no way to raise the failure again with
 * every register as it was.
 */
#include "kernel/core/fixup.h"

#include "arch/csr.h"

/* Is it about data, and the kind of failure that a program can be ready for? */
static bool is_failed_access(status_t status, unsigned access)
{
    switch (status) {
    case ST_ILLEGAL:
    case ST_BREAKPOINT:
    case ST_BAD_CALL:
    case ST_BUDGET:
        return false;
    case ST_MISALIGNED:
    case ST_ACCESS_FAULT:
        return access >= CAUSE_LOAD_MISALIGNED;
    default:
        return access != ACCESS_INSTRUCTION;
    }
}

bool fixup_take(struct thread *t, status_t status, unsigned access, u64 address)
{
    volatile struct thread_fixup *f = &t->buffer->fixup;
    u64 at = f->address;

    if (at == 0 || (at & 1) || at >= USER_TOP || !is_failed_access(status, access))
        return false;
    f->failed_pc = t->regs[0];
    f->failed_status = status;
    f->failed_access = access;
    f->failed_address = address;
    t->regs[0] = at;
    return true;
}
