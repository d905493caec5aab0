/* SPDX-License-Identifier: MIT */
/*
 * What a program finds when it starts: slots, addresses, and the startup page.
 *
 * Whoever starts a program (user/init by way of lib/rt/process.h) fills the first slots of its
 * cspace as below and maps one page, `struct startup`, that names what else it was given.  The
 * numbers are a convention between programs; the kernel knows none of them, but for the table of
 * the first program, which kernel/core/first_user.c fills.
 */
#ifndef QUIRE_RT_ENV_H
#define QUIRE_RT_ENV_H

#include "lib/sys/sys.h"

/* Slots of every program; 0 is never used. */
#define SLOT_CSPACE       1  /* its own capability space, all rights */
#define SLOT_THREAD       2  /* its first thread */
#define SLOT_ASPACE       3  /* its own address space */
#define SLOT_BANK         4  /* its own bank: what it works with */
#define SLOT_SERVICE_BANK 5  /* bank for the objects it serves; empty if it serves none */
#define SLOT_CONSOLE      6  /* badged endpoint of whoever started it: CONSOLE_* below */
#define SLOT_ENDPOINT     7  /* its own endpoint; the first thread is bound to it */
#define SLOT_SCHED        8  /* scheduling context of its first thread */
#define SLOT_FIRST_GIVEN  16 /* from here on what the system description gives, then free slots */

/*
 * The first program, init, has no startup page: lib/abi/first.h says what the kernel puts where.
 * Slots 1 to 4 and 8 hold the same there and here; 5 to 7 are empty in init.
 */
/* Messages to SLOT_CONSOLE.  The first two are laid out as debug.write and debug.power_off, so that init can
 * use a debug capability in its place. */
#define CONSOLE_WRITE 1 /* word 0 = bytes, then the bytes; WOULD_BLOCK: no room now, try again */
#define CONSOLE_EXIT  2 /* word 0 = exit code; no reply */
#define CONSOLE_READY 3 /* from a console driver: it writes what is in its ring from now on */

/* Addresses: the program at 0x10000 (lib/rt/user.ld), below it the startup page, above it: */
#define STARTUP_ADDRESS 0xf000
#define HEAP_BASE       0x1000000000
#define HEAP_END        0x2000000000
#define MAPPING_BASE    0x2000000000 /* map_anywhere */
#define MAPPING_END     0x3000000000
#define STACK_TOP       0x3f00000000 /* of the first thread; nothing is mapped beside the stack */

#define STARTUP_MAGIC 0x31545251 /* "QRT1" */
#define STARTUP_CAPS  32
#define STARTUP_NAME  24
#define STARTUP_ARGS  16

/*
 * The startup page; a0 of the first thread is its address.  It belongs to the program, which may
 * write to it (argv points into it).
 */
struct startup {
    uint32_t magic;
    uint32_t cspace_bits;
    uint32_t first_free_slot; /* from here on the cspace is empty */
    uint32_t verbose;         /* the machine was started with V=1 */
    uint64_t seed;            /* of the machine (SEED=), for whatever is random */
    char name[STARTUP_NAME];  /* of the program, NUL terminated */
    uint32_t nargs;
    uint32_t ncaps;
    uint32_t argument[STARTUP_ARGS]; /* offsets of NUL-terminated strings in this page */
    struct {
        char name[STARTUP_NAME]; /* NUL terminated */
        uint64_t slot;
    } caps[STARTUP_CAPS];
    char strings[4096 - 4 * 4 - 8 - STARTUP_NAME - 2 * 4 - STARTUP_ARGS * 4 -
                 STARTUP_CAPS * (STARTUP_NAME + 8)];
};
_Static_assert(sizeof(struct startup) == 4096, "one page");

/* The slot of what the system description gives under that name; 0 if there is none. */
cap_t env_cap(const char *name);
/* The program's own name. */
const char *env_name(void);
/* V=1 on the command line: print a line for each event. */
bool env_verbose(void);
/* SEED=n, else the same number on each run. */
word_t env_seed(void);
/* The capability that takes CONSOLE_* messages. */
cap_t env_console(void);

/*
 * Find the startup page, given a0.  The one in the library takes a0 as its address; init, which
 * the kernel starts without one, has its own.  A null pointer ends the program.
 */
const struct startup *rt_find_startup(word_t argument);

#endif
