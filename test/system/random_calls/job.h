/* SPDX-License-Identifier: MIT */
/*
 * One job of an actor: registers to load before an ecall, or an address to touch; and what came of it.
 *
 * The actors run nothing but stub.S, which is copied to a page of their address spaces; every choice
 * is the director's.  Offsets are known to both (static asserts).
 */
#ifndef RANDOM_CALLS_JOB_H
#define RANDOM_CALLS_JOB_H

#define JOB_IN       0  /* a0 to a7 */
#define JOB_OUT      64 /* a0 to a7, t0 to t4 */
#define JOB_ADDRESS  168
#define JOB_VALUE    176
#define JOB_FINISHED 184
#define JOB_ACTION   192 /* address of a label of stub.S */
#define JOB_BUFFER   200 /* of 72 words: words, slots to send and to receive */
#define JOB_WORDS    72

#ifndef __ASSEMBLER__
#include "lib/abi/abi.h"

struct job {
    word_t in[8];
    word_t out[13];
    word_t address;
    word_t value;
    word_t finished; /* the stub came to its end */
    word_t action;   /* where the stub goes */
    word_t buffer[JOB_WORDS];
};
_Static_assert(offsetof(struct job, out) == JOB_OUT, "stub.S");
_Static_assert(offsetof(struct job, address) == JOB_ADDRESS, "stub.S");
_Static_assert(offsetof(struct job, value) == JOB_VALUE, "stub.S");
_Static_assert(offsetof(struct job, finished) == JOB_FINISHED, "stub.S");
_Static_assert(offsetof(struct job, action) == JOB_ACTION, "stub.S");
_Static_assert(offsetof(struct job, buffer) == JOB_BUFFER, "stub.S");
_Static_assert(JOB_WORDS == MESSAGE_WORDS + 2 * MESSAGE_CAPS, "stub.S");

extern const char stub_begin[], stub_end[], stub_start[], stub_go[], stub_call[], stub_load[],
    stub_store[], stub_amo[], stub_jump[], stub_done[];
#endif

#endif
