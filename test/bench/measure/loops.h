/* SPDX-License-Identifier: MIT */
/*
 * The measured windows and the loops of the servers, in assembly (loops.S), so that what is counted
 * is the kernel and a known number of instructions of ours.
 *
 * A window returns the difference of two reads of instret, all that lies between the two included.
 */
#ifndef TEST_BENCH_MEASURE_LOOPS_H
#define TEST_BENCH_MEASURE_LOOPS_H

#include "lib/abi/abi.h"

/* Nothing: what two reads of instret cost. */
word_t window_empty(void);
/* 1,000 instructions. */
word_t window_loop_1000(void);
/* One system call with the words w[0] to w[3]; *w gets the four words and in w[4] the tag back. */
word_t window_call(word_t tag, cap_t cap, word_t w[5]);
/* A load from *address; *value gets what it read. */
word_t window_load(const volatile word_t *address, word_t *value);
/* A store to *address. */
word_t window_store(volatile word_t *address, word_t value);
/* Two system calls, one after the other: tag, cap and five words each. */
word_t window_two_calls(const word_t first[7], const word_t second[7], word_t status[2]);
/* instret, for windows that end in another thread. */
word_t window_now(void);

/* Servers: never return.  Start them with the argument in a0. */
void serve_echo(void *unused);      /* replies to each call with the words it carried */
void serve_exception(void *unused); /* replies so that the thread goes on 4 bytes further */
struct serve_pages {
    cap_t object; /* served object, all rights */
    cap_t source; /* of the frames */
    word_t what;  /* answer_what(ANSWER_MOVE, 0, pages) */
    word_t next;  /* 0: frames come from the offset that faults; else from here on, in order */
};
void serve_pages(void *struct_serve_pages);
/* Waits at a notification for ever: *(word_t *)(p + 8) += instret - *(word_t *)p after each wait,
 * where p = { start, total, cap }. */
struct serve_wait {
    volatile word_t start, total;
    cap_t notification;
};
void serve_wait(void *struct_serve_wait);
/* Signals: stores instret in *start, then the call. */
void window_signal(cap_t notification, volatile word_t *start);
/* A new thread's first instruction: stores instret in *a0, then stops itself (a1 ignored). */
void first_instruction(void);

#endif
