/* SPDX-License-Identifier: MIT */
/*
 * The world that random calls are made in: banks, spaces and threads of which nothing matters.
 *
 * Actors are threads whose cspace is the world's own.  It holds what they may use and break: their own
 * threads, spaces and contexts, two banks with all rights, endpoints, memory.  The director keeps a
 * capability above each of those, so it can always stop and start an actor, as long as that exists.
 */
#ifndef RANDOM_CALLS_WORLD_H
#define RANDOM_CALLS_WORLD_H

#include "test/support/worker.h"
#include "test/system/random_calls/job.h"

#define NACTORS     4
#define NSPACES     2
#define WORLD_BITS  7
#define WORLD_SLOTS (1u << WORLD_BITS)
#define POOL_SLOTS  72 /* most numbers that are chosen lie below */

#define STUB_ADDRESS 0x10000ul
/* Where a label of stub.S is in the world's spaces. */
static inline word_t stub_place(const char *label)
{
    return STUB_ADDRESS + (word_t)(label - stub_begin);
}
#define JOB_ADDRESS0 0x20000ul /* of actor 0; a page for each */
#define NWINDOWS     3
extern const word_t windows[NWINDOWS]; /* where things are mapped */
#define WINDOW_PAGES 24

#define NO_OPERATION 0xffff /* a raw system call, or no call at all */

struct actor {
    cap_t thread, sched;
    struct job *job;    /* as the director sees it */
    unsigned operation; /* that its job is a call of (choose.h) */
    bool gone;
};

struct world {
    cap_t bank, banks[2], cspace, spaces[NSPACES];
    struct actor actors[NACTORS];
    /* slots of the pool that held them at first; served by key */
    word_t threads[NACTORS], served[2], anon;
};
extern struct world world;

/* Once: what outlives a world.  H is where the actors' exceptions go; badge BADGE_ACTOR + number. */
void world_prepare(void);
#define BADGE_OTHER 99
#define BADGE_ACTOR 100

void world_make(bool tight); /* tight: its banks are all but empty */
void world_end(void);        /* everything goes with its bank, whatever it is doing */
void world_forget(void);     /* once, at the end: give back what world_prepare made */

/* What slot `number` of the world's cspace holds: type (0: nothing), rights. */
unsigned pool_type(word_t number);

#endif
