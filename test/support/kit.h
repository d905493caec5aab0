/* SPDX-License-Identifier: MIT */
/*
 * The vocabulary of the system tests: objects that are made or the test ends, refusals that change
 * nothing, memory to map into.
 *
 * A test program begins with kit_begin.  What it was given stands in `kit`.  Whatever a function
 * here makes comes from kit.bank unless it takes a bank.
 */
#ifndef TEST_SUPPORT_KIT_H
#define TEST_SUPPORT_KIT_H

#include "lib/rt/rt.h"
#include "test/support/tap.h"

#define PAGE       4096ul
#define PAGES(n)   ((n)*PAGE)
#define ALL_ACCESS (MAP_READ | MAP_WRITE | MAP_EXEC)
#define NO_SLOT    60000ul /* a slot number outside every cspace of the tests but the largest */

/* What the test was given; 0 = not given. */
struct kit {
    cap_t bank;    /* what tests pay with, without right DEVICE */
    cap_t devices; /* a bank with right DEVICE */
    cap_t root;    /* the first bank, right DESTROY alone: nobody can destroy it */
    cap_t debug;   /* all rights */
    cap_t bundle;  /* phys object of the boot bundle */
};
extern struct kit kit;

void kit_begin(void);

/* ---- Slots and capabilities ----*/
cap_t slot_new(void); /* an empty slot of the own cspace; slot_release gives it back */
/* Make an object and return its first capability. */
cap_t make_in(cap_t bank, enum object_type type, word_t a, word_t b);
cap_t make(enum object_type type, word_t a, word_t b);
cap_t copy_of(cap_t from, word_t rights); /* a child with fewer rights */
cap_t badged(cap_t from, word_t rights, word_t badge);
void drop(cap_t cap); /* delete, and give the slot back */
/* Give the slot back of a capability that something else has deleted (a bank destroyed). */
void forget(cap_t cap);
bool slot_is_empty(cap_t slot);
/* A new table from `bank` with `n` copies of a capability in slots 1 to n: each from the one before, or
 * all the others from the first. */
cap_t many_copies(word_t n, cap_t bank, cap_t of, bool chain);

/* Reply to an exception with `label`, and receive nothing. */
void let_go(word_t label);

/* ---- What may not change ----*/
struct bank_state {
    word_t limit, used, peak, slabs, frames, children;
};
struct bank_state bank_read(cap_t bank);
word_t free_frames(void); /* of the machine */

struct counters {
    word_t ticks, idle, switches, faults, free_frames, console_writes;
};
struct counters counters_read(void);

struct memory_state {
    word_t size, resident, mappings, epoch;
};
struct memory_state memory_read(cap_t object);

struct page_state {
    word_t state; /* 0 missing, 1 resident, 2 awaited */
    word_t paddr, mappings, bits;
};
struct page_state page_read(cap_t object, word_t offset);

struct snapshot {
    struct bank_state bank;
    word_t free_frames;
    word_t regions; /* of the own address space */
};
struct snapshot snapshot(void);

/* The claim that an operation was refused with that status and detail, and that kit.bank, the
 * machine's free frames and the own regions are as `before` says. */
void refused(const struct snapshot *before, struct result got, status_t status, word_t detail,
             const char *format, ...) __attribute__((format(printf, 5, 6)));
#define REFUSED(call, status, detail, ...)                          \
    do {                                                            \
        struct snapshot before_ = snapshot();                       \
        refused(&before_, (call), (status), (detail), __VA_ARGS__); \
    } while (0)
/* Ends the test unless the operation succeeds; its first result. */
word_t must(struct result r, const char *what);

/* ---- Mapping ----*/
#define ANYWHERE_BASE 0x3000000000 /* kit_map and fresh_range take addresses from here on */
void *fresh_range(word_t length);  /* an unmapped range with unmapped pages around it */
void *kit_map(cap_t object, word_t length, word_t offset, word_t flags);
void kit_unmap(void *address, word_t length);
bool is_mapped(const void *address);
word_t region_count(cap_t aspace);

#endif
