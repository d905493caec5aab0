/* SPDX-License-Identifier: MIT */
/*
 * panic.h: what the kernel does when it is wrong.
 *
 * Not for what a caller or a thread did wrong: those get a status or a fault message.  A panic
 * prints where and why, and ends the machine with exit code 1.  The message stays in memory, in
 * panic_record, for a debugger that comes later.
 */
#ifndef KERNEL_CORE_PANIC_H
#define KERNEL_CORE_PANIC_H

#include "lib/base/types.h"

#ifndef CONFIG_DEBUG
#define CONFIG_DEBUG 0
#endif

/* Formats as text_printf.  Never returns; may be called in any state, also from within itself. */
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2), cold));

_Noreturn void assert_failed(const char *condition, const char *file, unsigned line)
    __attribute__((cold));

/* An invariant.  Tested in debug builds; in the others it is compiled, and then left out. */
#define assert(condition)                                  \
    do {                                                   \
        if (CONFIG_DEBUG && !(condition))                  \
            assert_failed(#condition, __FILE__, __LINE__); \
    } while (0)

#define PANIC_MESSAGE_BYTES 256

struct panic_record {
    u32 panicked;                      /* PANICKED once it has happened */
    char message[PANIC_MESSAGE_BYTES]; /* NUL-terminated */
};
#define PANICKED 0x50414e43 /* "PANC" */
extern struct panic_record panic_record;

/* What the hart was doing, for the report: thread, system call by name, object.  Written where the
 * objects are known (current.c); it may itself fault, then the rest of the report is left out. */
struct text;
void current_describe(struct text *out);

#endif
