/* SPDX-License-Identifier: MIT */
/*
 * Starting a program: its banks and objects, its executable in memory, what it is given, its first
 * instruction.
 *
 * Used by init, by the shell and by tests that start programs of their own.  The order is process_create,
 * process_give for each capability, process_load, process_start; on an error at any step
 * process_end gives everything back.  The child's slots are those of env.h.
 */
#ifndef QUIRE_RT_PROCESS_H
#define QUIRE_RT_PROCESS_H

#include "lib/rt/rt.h"

/* A child program.  Capabilities are slots of the parent, 0 where there is none. */
struct process {
    char name[STARTUP_NAME];
    cap_t bank;         /* all it has; destroying it ends it */
    cap_t service_bank; /* what it serves; outlives it until process_end */
    cap_t cspace;
    cap_t aspace;
    cap_t thread;
    cap_t sched;
    cap_t endpoint; /* its own, on which it receives */
    cap_t console; /* the parent's endpoint with the child's badge: console and exception handler */
    word_t entry;
    word_t stack_pages;
    word_t next_slot;        /* of the child's cspace */
    struct startup *startup; /* mapped in the parent until process_start */
    const char *step;        /* what was last begun, for messages: "mapping its stack" */
    const char *problem;     /* a sentence where a status says too little, else NULL */
};

struct process_options {
    const char *name;
    cap_t parent_bank;    /* its banks are carved out of this one */
    word_t bank_pages;    /* limit of its own bank */
    word_t service_pages; /* limit of its service bank; 0 = none */
    word_t stack_pages;
    unsigned priority;
    unsigned cspace_bits;
    cap_t console; /* the parent's endpoint, without a badge, with SEND and GRANT */
    word_t badge;  /* for the child's messages and exceptions */
};

/* Make banks, objects and startup page. */
struct result process_create(struct process *p, const struct process_options *o);

/* Give a copy of a capability under a name that env_cap finds; badge 0 keeps the one it has.
 * value = the slot in the child.  LIMIT: over 32 capabilities, or its cspace is full. */
struct result process_give(struct process *p, const char *name, cap_t from, word_t rights,
                           word_t badge);

/* Add to argv.  LIMIT: over 16 arguments, or their text does not fit the startup page. */
struct result process_argument(struct process *p, const char *argument);

/* Copy the segments of an ELF file into fresh memory of the child.  NOT_SUPPORTED: not an executable
 * that can be loaded; p->problem says why. */
struct result process_load(struct process *p, const void *file, size_t nbytes);

/* The same for a file that is mapped from offset 0 of `object`: segments that nobody may write are
 * mapped from there, so their pages come when they are first touched; only what is writable is
 * copied.  The object must allow reading and executing, and not change. */
struct result process_load_from(struct process *p, const void *file, size_t nbytes, cap_t object);

/* Run it. */
struct result process_start(struct process *p, bool verbose, word_t seed);

/* End the program, whatever it does: its bank is destroyed.  What it serves stays as the fault
 * contracts say, until process_end. */
void process_kill(struct process *p);
/* Take everything away: both banks. */
void process_end(struct process *p);

#endif
