/* SPDX-License-Identifier: MIT */
/*
 * Fork: an address space gets every mapping of another one.
 */
#ifndef KERNEL_OBJECT_FORK_H
#define KERNEL_OBJECT_FORK_H

#include "kernel/core/invoke.h"
#include "kernel/object/aspace.h"

/* The operation aspace.fork, after its arguments: `child` gets the mappings of `a` that come after its
 * own last one, in order; `answer`, an empty slot of the caller or NULL, takes what servers answer with.
 * Errors as aspace.def says; what was mapped by then stays.  restartable: how far it has come is the
 * last region of the child.  Lock: alone. */
status_t fork_regions(struct aspace *a, struct aspace *child, struct slot *answer,
                      struct invocation *inv);

#endif
