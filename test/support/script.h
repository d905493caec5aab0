/* SPDX-License-Identifier: MIT */
/*
 * A pager that does as the test says: it notes every event it hears and answers faults by a script
 * that the test may change at any time.
 *
 * It speaks to the kernel directly, without lib/pager, so that what a test sees is the kernel's
 * doing.  It runs in its own address space unless told otherwise; the struct lies in the arena.
 */
#ifndef TEST_SUPPORT_SCRIPT_H
#define TEST_SUPPORT_SCRIPT_H

#include "test/support/probe.h"

#define SCRIPT_KEYS  16 /* keys of its objects are below */
#define SCRIPT_HEARD 512

struct heard {
    unsigned what; /* MAPPING_* */
    word_t key;
    union {
        struct fault_event fault;
        struct mapping_event mapping;
        struct ask_message ask; /* MAPPING_get_mapping_info_with */
    };
};

enum script_answer {
    SCRIPT_ZERO,
    SCRIPT_COPY,
    SCRIPT_MOVE,
    SCRIPT_ERROR,
    SCRIPT_SILENT, /* none: the fault waits */
    SCRIPT_DIE,    /* stops its own thread instead */
    SCRIPT_ALLOW,  /* of a write to a page that is there */
};

struct script {
    struct worker *worker;
    cap_t endpoint;
    cap_t objects[SCRIPT_KEYS]; /* served objects by key */

    enum script_answer answer;
    cap_t source;    /* SCRIPT_COPY, SCRIPT_MOVE: an object, read at the same offset ... */
    word_t shift;    /* ... plus this */
    word_t bytes;    /* SCRIPT_COPY: how many; 0 = a page */
    word_t npages;   /* of the others; 0 = 1 */
    status_t status; /* SCRIPT_ERROR */
    word_t flags;    /* of the kind: ANSWER_PROTECTED */
    enum script_answer on_write; /* in place of `answer` where the fault is FAULT_WHY_PROTECTED */
    word_t patience; /* answer only so many faults, then as `afterwards` says; 0 = all */
    enum script_answer afterwards;

    word_t grow; /* resize the object to so many bytes before the next answer or reply; 0 = no */
    status_t permit;          /* the reply to MSG_ASK ... */
    word_t permissions;       /* ... and what it grants; 0 = all access */
    cap_t clone;              /* the reply about a fork: this object; 0: the same */
    enum script_answer asked; /* SCRIPT_SILENT or SCRIPT_DIE instead of that reply */

    struct result answered; /* how the last answer went: status, pages taken or detail */
    volatile unsigned nheard;
    struct heard heard[SCRIPT_HEARD];
};

/* space NULL: one of its own would be better, but the test's own will do.  priority as for workers. */
struct script *script_new(struct space *space, cap_t bank);
/* A served object of that size with that key, attached; mappable in every way, all events wanted,
 * from `bank` (0: kit.bank). */
cap_t script_object(struct script *s, cap_t bank, word_t size, word_t key);
/* Wait until the pager has heard all there is. */
void script_settle(struct script *s);
/* Forget what was heard so far (after settling). */
void script_clear(struct script *s);
/* How many events of that kind were heard (after settling); the n-th of them, or NULL. */
unsigned script_count(struct script *s, unsigned what);
const struct heard *script_nth(struct script *s, unsigned what, unsigned n);
void script_drop(struct script *s); /* the pager and its endpoint, not its objects */

/* The declaration of script_object, to change one thing of. */
struct declaration script_declaration(void);
void declare(cap_t object, const struct declaration *d);

#endif
