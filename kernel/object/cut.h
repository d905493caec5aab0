/* SPDX-License-Identifier: MIT */
/*
 * Cut: unmapping any range of an address space, and giving any range other permissions.
 */
#ifndef KERNEL_OBJECT_CUT_H
#define KERNEL_OBJECT_CUT_H

#include "kernel/object/aspace.h"

/* Both: [start, end) is page aligned and inside user addresses.  Errors as aspace.def says, with
 * nothing changed; never for want of a server's room: its events then become one RESYNC.
 * WOULD_BLOCK: an interrupt waits, and how far it has come stands in the regions; call it again.
 * Lock: alone.  Cost: per region and page that is there. */

/* What others have begun to unmap there is gone.  False: an interrupt waits; call it again. */
MUST_CHECK bool cut_finish(struct aspace *a, u64 start, u64 end);

/* Unmap what is mapped there.  *removed grows by the bytes of the regions that are through. */
MUST_CHECK status_t cut_unmap(struct aspace *a, u64 start, u64 end, u64 *removed, word_t *detail);

/* Give every page of the range these permissions (MAP_READ, MAP_WRITE with MAP_READ, MAP_EXEC). */
MUST_CHECK status_t cut_protect(struct aspace *a, u64 start, u64 end, u8 flags, word_t *detail);

#endif
