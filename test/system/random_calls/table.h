/* SPDX-License-Identifier: MIT */
/*
 * Every operation of every object type, from lib/abi, and what came of calling it.
 *
 * A new operation is in the list by its OP line alone; the names of its arguments say what values are
 * worth trying (choose.c).
 */
#ifndef RANDOM_CALLS_TABLE_H
#define RANDOM_CALLS_TABLE_H

#include "lib/sys/sys.h"

#define TYPE_ANY    0 /* identify: any object */
#define TYPE_MEMORY OBJ_MEMORY_FIRST
#define MAX_ARGS    5

struct operation {
    const char *object, *name;
    unsigned type; /* OBJ_*, or TYPE_* */
    unsigned number;
    bool is_call;   /* a system call on an endpoint (SYS), not an operation of an object */
    unsigned needs; /* words at least */
    unsigned nargs; /* of those that have a name, or may follow */
    const char *args[MAX_ARGS];
};

extern const struct operation operations[];
extern const unsigned noperations;

/* Nothing has been seen so far; all the memory of the tally is there from now on. */
void coverage_begin(void);
/* It was called, and that status came back. */
void coverage_note(unsigned operation, status_t status);
/* How many pairs (operation, status) that the definitions list have been seen; *all = how many there
 * are (OK for each operation, and each ERR line).  V=1 names those that have not. */
unsigned coverage_pairs(unsigned *all);
/* Did the operation ever succeed? */
bool coverage_succeeded(unsigned operation);

#endif
