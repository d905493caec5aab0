/* SPDX-License-Identifier: MIT */
/* Invocations without threads, for host tests: see objects.c beside this file. */
#ifndef FAKE_OBJECTS_H
#define FAKE_OBJECTS_H

#include "kernel/core/invoke.h"
#include "kernel/object/cspace.h"

extern struct cspace *fake_cspace; /* the caller's */

/* Call the function of an operation with these words; rights and length are not checked. */
MUST_CHECK status_t fake_invoke(struct object *o, unsigned operation, struct invocation *inv,
                                const word_t *words, unsigned nwords);

#endif
