/* SPDX-License-Identifier: MIT */
/* What an actor does next: every random choice of the director's. */
#ifndef RANDOM_CALLS_CHOOSE_H
#define RANDOM_CALLS_CHOOSE_H

#include "lib/base/random.h"
#include "test/system/random_calls/table.h"
#include "test/system/random_calls/world.h"

extern struct random dice;
word_t below(word_t n);
bool chance(unsigned percent);

/* Fill in the job of an actor in that space.  *operation = the index in `operations` that the result counts for, or
 * NO_OPERATION. */
void choose_job(struct job *job, cap_t space, unsigned *operation);

/* An actor waits for a page: let others listen. */
void choose_listeners(void);

/* What an actor heard: a fault's offset and epoch are worth answering. */
void choose_remember(const struct job *job);

#endif
