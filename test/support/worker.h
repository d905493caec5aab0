/* SPDX-License-Identifier: MIT */
/*
 * Threads of a test, in its own address space or in another one.
 *
 * A `space` is an address space with a copy of the program as it was when the space was made, so a
 * function of the test can run there: pager and client stand in one file, and yet neither sees the
 * other's memory.  What both are to see lies in the arena, memory that is mapped at one address in
 * every space.  All workers use the test's cspace, so capabilities need not be passed.
 */
#ifndef TEST_SUPPORT_WORKER_H
#define TEST_SUPPORT_WORKER_H

#include "test/support/kit.h"

/* Zeroed memory of the arena, aligned to 64 bytes; never given back. */
void *arena_new(size_t nbytes);

/* Pages that kit.bank pays for, but for the arena's, which grows as it is used. */
word_t pages_used(void);

struct space {
    cap_t aspace;
};
struct space *space_new(cap_t bank);
void space_drop(struct space *s);
/* Map an object there; ends the test on an error. */
void space_map(struct space *s, void *address, cap_t object, word_t length, word_t offset,
               word_t flags);

struct worker_options {
    struct space *space; /* NULL: the test's own */
    cap_t bank;          /* of the thread and its scheduling context; 0: kit.bank */
    cap_t handler;       /* of its exceptions; 0: none */
    cap_t endpoint;      /* that it receives from; 0: none */
    int priority;        /* relative to the test's own */
    bool passive;        /* no scheduling context of its own */
};

struct worker {
    cap_t thread;
    cap_t sched; /* 0: passive */
    struct thread_buffer *buffer;
    void (*function)(void *);
    void *argument;
    volatile bool done;     /* the function has returned */
    volatile word_t result; /* the function's own use */
};

struct worker *worker_new(const struct worker_options *options);
/* Run a function there; may be called again once it is done. */
void worker_start(struct worker *w, void (*function)(void *), void *argument);
/* A worker made and started at once, with the options as initialiser. */
#define WORKER(function, argument, ...) \
    worker_run(&(struct worker_options){__VA_ARGS__}, function, argument)
struct worker *worker_run(const struct worker_options *options, void (*function)(void *),
                          void *argument);
/* Let others run until it is done, or for long enough; is it done? */
bool worker_wait(struct worker *w);
/* The worker that the calling thread is. */
struct worker *worker_self(void);
void worker_drop(struct worker *w);
/* Its bank was destroyed: give back what the test keeps of it. */
void worker_forget(struct worker *w);

struct thread_state {
    word_t state; /* THREAD_* */
    word_t pc, status, address;
};
struct thread_state thread_read(cap_t thread);
/* Let others run until the thread is in that state, or for long enough; is it? */
bool thread_reaches(cap_t thread, word_t state);
/* Let others run for a while. */
void let_run(void);
/* Let others run until *flag, or for long enough; the flag. */
bool wait_for(volatile bool *flag);

#endif
