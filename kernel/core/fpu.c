/* SPDX-License-Identifier: MIT */
/* Floating-point registers change hands at the first use by another thread. */
#include "kernel/core/fpu.h"

#include "arch/csr.h"
#include "kernel/core/hart.h"
#include "lib/base/string.h"

bool fpu_first_use(struct thread *t)
{
    struct hart *h = this_hart();

    if (t->sstatus & SSTATUS_FS)
        return false;
    if (h->fpu_owner) {
        fpu_save(h->fpu_owner->fpu);
        h->fpu_owner->sstatus &= ~(u64)SSTATUS_FS; /* FP1 */
    }
    fpu_restore(t->fpu);
    h->fpu_owner = t;
    t->sstatus |= SSTATUS_FS_CLEAN;
    return true;
}

void fpu_flush(struct thread *t)
{
    struct hart *h = this_hart();

    if (h->fpu_owner != t)
        return;
    fpu_save(t->fpu);
    h->fpu_owner = NULL;
    t->sstatus &= ~(u64)SSTATUS_FS; /* FP1 */
}

void fpu_forget(struct thread *t)
{
    struct hart *h = this_hart();

    if (h->fpu_owner == t)
        h->fpu_owner = NULL;
    t->sstatus &= ~(u64)SSTATUS_FS;
    memset(t->fpu, 0, sizeof(t->fpu));
}
