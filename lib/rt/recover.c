/* SPDX-License-Identifier: MIT */
/* The part of recover.h that cannot fail itself; accesses.S has the accesses. */
#include "lib/rt/recover.h"

#define PAGE 4096ul

extern char __recover_start[], __recover_end[]; /* user.ld */
extern void recover_fixup(void);
extern status_t recover_touch(const volatile void *address, bool to_write);

void recover_arm(void)
{
    struct thread_fixup *f = &sys_buffer()->fixup;

    f->start = (word_t)__recover_start;
    f->end = (word_t)__recover_end;
    f->address = (word_t)recover_fixup;
}

struct result touch_range(const volatile void *address, size_t nbytes, bool to_write)
{
    word_t at = (word_t)address, end = at + nbytes;

    if (end < at)
        return (struct result){ST_NO_REGION, at};
    while (at < end) {
        status_t status =
            recover_touch((const volatile void *)(to_write ? at & ~3ul : at), to_write);

        if (status != ST_OK)
            return (struct result){status, at};
        at = (at & ~(PAGE - 1)) + PAGE;
    }
    return (struct result){ST_OK, end};
}
