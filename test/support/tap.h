/* SPDX-License-Identifier: MIT */
/*
 * TAP: the one form in which every test reports (test/tools/tap.py reads it).
 *
 * A line `ok 3 - text` for each claim, comments `# ...` behind one that failed, and the plan at the
 * end.  The text is the claim itself, so that the list of passing lines reads as what was shown;
 * an error of lib/abi is claimed as `object.operation ERROR: ...`, which a script looks for.
 */
#ifndef TEST_SUPPORT_TAP_H
#define TEST_SUPPORT_TAP_H

#include <stdbool.h>
#include <stdint.h>

/* One claim; returns `passed`. */
bool ok(bool passed, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The claim that two numbers are equal; both are printed if they are not. */
bool same(uint64_t got, uint64_t wanted, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A comment.  After a claim that failed it is kept with it. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The test cannot go on: says so and ends the program with status 1. */
_Noreturn void bail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Prints the plan; what main returns: 0 if every claim passed, else 1. */
int tap_end(void);

#endif
