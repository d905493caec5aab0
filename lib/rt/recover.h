/* SPDX-License-Identifier: MIT */
/*
 * Accesses that may fail: loads, stores and copies that return a status where any other access
 * would stop the thread and be told to its exception handler.
 *
 * For whoever reads memory that somebody else serves and wants to live with what goes wrong there.
 * They rest on the kernel's fixup address (struct thread_fixup); while nothing fails they cost what
 * the access costs.  A page that has to be asked for is waited for, as by any access.  The statuses
 * are those of the page (IO, INTEGRITY, DENIED, TRUNCATED, OWNER_DEAD, ...), NO_SPACE, NO_REGION,
 * FORBIDDEN, MISALIGNED and ACCESS_FAULT; the exact address that failed is in
 * sys_buffer()->fixup.failed_address until the next failure.
 */
#ifndef QUIRE_RT_RECOVER_H
#define QUIRE_RT_RECOVER_H

#include "lib/sys/sys.h"

/* Make the calling thread ready for failures of the functions below.  lib/rt does it for each thread
 * that it starts; others do it once, after sys_buffer_page is set.  Until then failures are the
 * handler's. */
void recover_arm(void);

/* Eight bytes at an aligned address.  On a failure *value, or memory, is unchanged. */
MUST_CHECK status_t try_load(const volatile void *address, word_t *value);
MUST_CHECK status_t try_store(volatile void *address, word_t value);

/* Copy between ranges that do not overlap, where either may fail.  value = bytes copied, all of them
 * on success; what lies beyond is unchanged. */
MUST_CHECK struct result try_copy(volatile void *to, const volatile void *from, size_t nbytes);

/* Have every page of a range there, and say whether it may be read (and, with to_write, written: an
 * atomic operation that stores what it finds, so not for devices).  value = the first address that
 * may not, or the range's end. */
MUST_CHECK struct result touch_range(const volatile void *address, size_t nbytes, bool to_write);

#endif
