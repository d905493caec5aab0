/* SPDX-License-Identifier: MIT */
/* Panics in host tests: one that is not expected fails the running test; one that is comes back. */
#ifndef FAKE_PANIC_H
#define FAKE_PANIC_H

#include <setjmp.h>
#include <stdbool.h>

extern jmp_buf *fake_panic_jump;  /* where an expected panic continues; NULL: none is expected */
extern char fake_panic_text[512]; /* of the last panic */

/* Run a statement; true if it panicked.  `if (!EXPECT_PANIC(slot_delete(s))) ...` */
#define EXPECT_PANIC(statement)         \
    ({                                  \
        jmp_buf expect_jump;            \
        volatile bool panicked = true;  \
        fake_panic_jump = &expect_jump; \
        if (setjmp(expect_jump) == 0) { \
            statement;                  \
            panicked = false;           \
        }                               \
        fake_panic_jump = NULL;         \
        (bool)panicked;                 \
    })

#endif
