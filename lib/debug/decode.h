/* SPDX-License-Identifier: MIT */
/*
 * Where a thread goes from the instruction at its pc: RV64GC, decoded as far as control flow asks.
 *
 * Pure: code is read by a function of the caller, registers come as an array.  For single-stepping
 * (step.h), since user threads of this architecture cannot be stepped by hardware.
 */
#ifndef QUIRE_DEBUG_DECODE_H
#define QUIRE_DEBUG_DECODE_H

#include <stdbool.h>

#include "lib/abi/abi.h"

#define DECODE_TARGETS 8 /* most of one step */

/* Two bytes of code at an even address; false: not readable. */
typedef bool decode_read_fn(void *context, word_t address, uint16_t *half);

/*
 * Every address where the next step may begin.  One, for all but LR: the registers say which way a
 * branch goes.  A sequence from LR to SC is one step, since a trap in between would make SC fail for
 * ever: its targets are what comes behind SC, and where branches leave the sequence.
 * x: x0 (ignored) to x31.  Returns how many, at most DECODE_TARGETS; 0: the code is not readable, or
 * longer than any instruction of RV64GC.  Source: RISC-V Unprivileged ISA 20191213, chapters 2, 8, 16.
 */
unsigned decode_targets(word_t pc, const word_t x[32], decode_read_fn *read, void *context,
                        word_t targets[DECODE_TARGETS]);

#endif
