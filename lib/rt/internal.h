/* SPDX-License-Identifier: MIT */
/* What the files of lib/rt know of each other and programs need not. */
#ifndef QUIRE_RT_INTERNAL_H
#define QUIRE_RT_INTERNAL_H

#include "lib/sys/sys.h"

/* Slots from `first_free` up to 2^bits are the allocator's. */
void slot_init(unsigned cspace_bits, cap_t first_free);

/* The notification in *where, which all threads share, made now if there is none; 0: no room for it. */
cap_t notification_once(cap_t *where);

#endif
