/* SPDX-License-Identifier: MIT */
/*
 * Probes: one access to memory, made by a thread whose exceptions are caught.
 *
 * A probe is a function of a few instructions.  If one of them traps and the trap ends as an
 * exception message, the catcher notes what it says and lets the thread go on where the probe would
 * have returned to; so a test may touch whatever it likes and read what came of it.
 */
#ifndef TEST_SUPPORT_PROBE_H
#define TEST_SUPPORT_PROBE_H

#include "test/support/worker.h"

enum probe_op {
    PROBE_LOAD,       /* 8 bytes */
    PROBE_LOAD1,      /* one byte */
    PROBE_STORE,      /* 8 bytes */
    PROBE_AMO,        /* amoadd.d, value added; result: what was there */
    PROBE_LR,         /* lr.d */
    PROBE_LR_SC,      /* lr.d and sc.d until it succeeds; result: what was there */
    PROBE_JUMP,       /* call the address with `value` as argument; result: what it returns */
    PROBE_ILLEGAL,    /* an instruction that does not exist; address ignored */
    PROBE_BREAKPOINT, /* ebreak */
    PROBE_BAD_CALL,   /* ecall with a kind that is no system call */
};

/* What came of it: status ST_OK and a result, or what the exception message said. */
struct touched {
    volatile bool done;
    status_t status;
    word_t result;
    struct exception_message message; /* of an exception */
    word_t badge;                     /* of the handler capability */
    word_t nwords;                    /* of the message */
};

/* One prober: a thread for one probe at a time. */
struct prober {
    struct worker *worker;
    cap_t handler; /* badged capability to the catcher's endpoint */
    enum probe_op op;
    word_t address;
    word_t value;
    bool leave_stopped; /* answer an exception so that the thread stays stopped */
    struct touched touched;
};

/* In a space (NULL: the test's own), paid by a bank (0: kit.bank). */
struct prober *prober_new(struct space *space, cap_t bank);
void prober_drop(struct prober *p);
void prober_forget(struct prober *p); /* its bank was destroyed */

/* Begin; wait until it is over (false: it still waits, after a long time). */
void probe_start(struct prober *p, enum probe_op op, word_t address, word_t value);
bool probe_wait(struct prober *p);
/* Both; the test ends if the probe does not come back. */
const struct touched *probe(struct prober *p, enum probe_op op, const volatile void *address,
                            word_t value);
/* By a prober in the test's own space. */
const struct touched *touch(enum probe_op op, const volatile void *address);
word_t probe_pc(enum probe_op op);         /* where the probe's first instruction stands */
word_t load(const volatile void *address); /* ends the test if the load fails */

/* The owner's name in an exception message, NUL terminated. */
const char *owner_of(const struct touched *t);
/* End the catcher and the prober of `touch`. */
void probe_end(void);

#endif
