/* SPDX-License-Identifier: MIT */
/*
 * Cut: unmapping any range of an address space, and giving any range other permissions.
 */
#ifndef KERNEL_OBJECT_CUT_H
#define KERNEL_OBJECT_CUT_H

#include "kernel/object/aspace.h"

/* Both: [start, end) is page aligned and inside user addresses.  Errors as aspace.def says, with
 * nothing changed; never for want of a server's room: its events then become one RESYNC.
 * Lock: alone.  Cost: per region and page that is there. */

/* Unmap what is mapped there.  *removed: bytes. */
MUST_CHECK status_t cut_unmap(struct aspace *a, u64 start, u64 end, u64 *removed, word_t *detail);

/* Give every page of the range these permissions (MAP_READ, MAP_WRITE with MAP_READ, MAP_EXEC). */
MUST_CHECK status_t cut_protect(struct aspace *a, u64 start, u64 end, u8 flags, word_t *detail);

#endif
