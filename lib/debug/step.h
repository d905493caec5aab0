/* SPDX-License-Identifier: MIT */
/*
 * Breakpoints and single steps of a thread that this program debugs.
 *
 * The debugger is the thread's exception handler (thread.set_handler), has its right CONTROL, and holds
 * a mapping of its code that may be written.  A step puts a breakpoint wherever the next instruction can
 * be (decode.h), lets the thread go on, hears of it, and puts the bytes back.  Other threads that run
 * the same code meanwhile meet the breakpoints too: stop them first.  On a machine of several harts
 * the thread must run on the debugger's, since FENCE.I reaches no other.
 */
#ifndef QUIRE_DEBUG_STEP_H
#define QUIRE_DEBUG_STEP_H

#include "lib/debug/decode.h"
#include "lib/sys/sys.h"

/* A range of the debuggee's code, and where the debugger sees the same bytes, to read and write. */
struct debug_code {
    word_t start;
    word_t nbytes;
    volatile unsigned char *view;
};

struct debuggee {
    cap_t thread;
    const struct debug_code *code;
    unsigned ncode;
    /* Of the step under way: */
    unsigned ntargets;
    word_t targets[DECODE_TARGETS];
    uint16_t bytes[DECODE_TARGETS]; /* what was there */
};

/* Put a breakpoint (two bytes) at an address; *bytes = what was there, for breakpoint_clear.
 * NOT_FOUND: in no range of code. */
MUST_CHECK status_t breakpoint_set(const struct debuggee *d, word_t address, uint16_t *bytes);
MUST_CHECK status_t breakpoint_clear(const struct debuggee *d, word_t address, uint16_t bytes);

/* Make ready for one step from where the thread is.  BAD_STATE: it runs; NOT_FOUND: code that is in no
 * range, or no instruction.  On an error nothing has changed. */
MUST_CHECK status_t step_begin(struct debuggee *d);
/* Put everything back; was `pc`, where a BREAKPOINT was heard, the end of the step? */
bool step_end(struct debuggee *d, word_t pc);

/*
 * One step of a thread whose exception the calling thread heard last and has not answered: *m is what
 * is heard next.  OK: that is the end of the step, and the thread waits at its new pc.  BUSY: something
 * else came (another exception of it, or any other message): the step is off, and *m tells.  Otherwise
 * as step_begin, and *m is unchanged.
 */
MUST_CHECK status_t step_once(struct debuggee *d, struct message *m);

#endif
