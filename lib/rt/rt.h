/* SPDX-License-Identifier: MIT */
/*
 * The run-time library of programs: capability slots, memory to map, threads.
 *
 * All of it is thread-safe and works on the calling program's own cspace, aspace and bank, found in
 * the slots of env.h.  Errors come as `struct result`: status, and value or detail.
 */
#ifndef QUIRE_RT_RT_H
#define QUIRE_RT_RT_H

#include "lib/rt/env.h"

/* ---- Slots: slot.c ----------------------------------------------------------------------------*/

/* An empty slot of the program's cspace, reserved until slot_free; 0 when none is left. */
cap_t slot_alloc(void);
/* Delete what the slot holds, if anything, and give the slot back.  slot_free(0) does nothing. */
void slot_free(cap_t slot);
/* Give a slot back that is known to be empty (its capability was moved away or died). */
void slot_release(cap_t slot);

/* Make an object from `bank` in a fresh slot; value = the slot.  a, b: as bank.create wants them. */
struct result object_create(cap_t bank, enum object_type type, word_t a, word_t b);

/* A copy of a capability in a fresh slot, with the rights both have, and a badge if not 0. */
struct result cap_mint(cap_t from, word_t rights, word_t badge);

/* ---- Memory: space.c --------------------------------------------------------------------------*/

/* Map `length` bytes (rounded up to pages) of a memory object where there is room; value = the
 * address.  flags: MAP_*.  Addresses are not used again before all of them have been used. */
struct result map_anywhere(cap_t object, word_t offset, word_t length, word_t flags);
/* The same, giving the mapping id too. */
struct result map_anywhere_id(cap_t object, word_t offset, word_t length, word_t flags, word_t *id);

/* Fresh zeroed memory that can be read and written, from the program's own bank; value = the
 * address, *object (if not NULL) = the slot of its anon object. */
struct result map_memory(word_t length, cap_t *object);

static inline struct result unmap(word_t vaddr, word_t length)
{
    return q_aspace_unmap(SLOT_ASPACE, vaddr, (length + 4095) & ~(word_t)4095);
}

/* ---- Threads: thread.c ------------------------------------------------------------------------*/

struct rt_thread {
    cap_t thread;
    cap_t sched;
    cap_t stack; /* anon object */
    word_t stack_base;
    word_t stack_length;
    word_t buffer; /* address of its buffer page */
};

/*
 * Start a thread at entry(argument), in this program's spaces, with a stack of `stack_length` bytes
 * between unmapped pages and thread-local storage on top of it.  Its exceptions go where those of
 * the first thread go.  It is bound to no endpoint (thread.bind).  When entry returns the thread
 * stops; thread_destroy then gives all back.  priority: 0 to 31.
 */
status_t thread_create(struct rt_thread *t, const char *name, void (*entry)(void *), void *argument,
                       unsigned priority, size_t stack_length);
/* Stop the thread if it still runs and delete all that thread_create made. */
void thread_destroy(struct rt_thread *t);
/* Has it returned from its entry, or been stopped? */
bool thread_is_stopped(const struct rt_thread *t);
/* Name a thread for fault reports: 16 bytes count. */
void thread_set_name(cap_t thread, const char *name);

/* ---- Time: time.c ----------------------------------------------------------------------------*/

/* Wait for so many nanoseconds, or until that moment of clock_ns (lib/sys); never less.  A thread that
 * counts the next moment from the last one, not from now, keeps its period.  The first sleep makes a
 * notification from the program's bank; without room for it the thread yields until then. */
void clock_sleep(word_t ns);
void clock_sleep_until(word_t moment);

/* ---- Locks: lock.c ----------------------------------------------------------------------------*/

/*
 * A lock for threads of one program.  Free and uncontended it costs no system call; whoever must
 * wait does so at a notification, made from the program's bank when it is first needed.  All zero
 * is a free lock.  Not recursive.
 */
struct rt_lock {
    unsigned state; /* 0 free, 1 held, 2 held and perhaps waited for */
    cap_t waiters;  /* notification; 0 until somebody waited */
};
void rt_lock(struct rt_lock *lock);
bool rt_lock_try(struct rt_lock *lock);
void rt_unlock(struct rt_lock *lock);

/* ---- Program: rt.c, console.c -----------------------------------------------------------------*/

/* Write to the program's console, whole, without stdio; complete lines stay together. */
void console_write(const char *text, size_t nbytes);
/* Hand on what stdout and stderr of this thread still hold. */
void console_flush(void);

/* Print a line and end the program with exit code 2: for what cannot be gone on from.
 * printf's format; "name: " comes before. */
void fatal(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/* The value of a result, or fatal("what: STATUS: sentence (detail)"). */
word_t need(struct result r, const char *what);

#endif
