/* SPDX-License-Identifier: MIT */
/*
 * The kernel's records of its own doing: their layout, and the numbers of trace.def.
 *
 * A debug kernel writes them to a ring of each hart.  What a program reads by debug.trace_read, what
 * gdb finds in the ring and what `make trace` writes to a file are these very bytes: the ring is an
 * event stream in the Common Trace Format (CTF 1.8), and the metadata made from trace.def says so.
 */
#ifndef QUIRE_ABI_TRACE_H
#define QUIRE_ABI_TRACE_H

#include <stddef.h>
#include <stdint.h>

enum trace_event {
#define TRACE(number, name, text, a, b, c) TRACE_##name = number,
#include "lib/abi/trace.def"
#undef TRACE
    TRACE_LIMIT = 64,
};

#define TRACE_TYPE_SHIFT 56 /* of OBJECT and OPERATION words */

struct trace_record {
    uint64_t time;  /* instructions retired by the hart */
    uint16_t event; /* enum trace_event */
    uint16_t hart;  /* from 0 */
    uint32_t
        thread; /* serial number (low half) of the one that runs, or entered the kernel; 0: none */
    uint64_t words[3];
};
_Static_assert(sizeof(struct trace_record) == 40, "no gaps: the layout of a CTF event");
_Static_assert(offsetof(struct trace_record, event) == 8, "CTF: event header");
_Static_assert(offsetof(struct trace_record, hart) == 10, "CTF: event context");
_Static_assert(offsetof(struct trace_record, thread) == 12, "CTF: event context");
_Static_assert(offsetof(struct trace_record, words) == 16, "CTF: event fields");

#endif
