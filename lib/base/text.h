/* SPDX-License-Identifier: MIT */
/* text.h: writing text into a buffer of fixed size, with a small printf.
 *
 * What the kernel prints (banner, panic, fault report, trace) and what an object says about itself
 * is first composed here; where it goes then is the business of the console. Nothing is allocated,
 * nothing blocks, and running out of room is not an error: the text is cut, `cut` says so, and
 * what stands in the buffer is a valid string at every moment. Once cut, later writes are left out
 * too, so what one reads is always the beginning of what was meant. */
#ifndef LIB_BASE_TEXT_H
#define LIB_BASE_TEXT_H

#include "lib/base/types.h"

struct text {
    char *at;  /* where the next character goes; *at is NUL */
    char *end; /* one past the buffer; at < end */
    bool cut;  /* something did not fit and was left out */
};

/* Start writing into buffer[0 .. size_bytes); size_bytes >= 1, since the NUL needs a place. */
void text_init(struct text *t, char *buffer, size_t size_bytes);

void text_putc(struct text *t, char c);
void text_puts(struct text *t, const char *s);

/* printf, as far as it goes:
 *   conversions  %s %c %d %i %u %x %X %p %%        (%p is 0x and the digits without padding)
 *   lengths      none, l, ll, z                     (hh and h are not known)
 *   flags        - (left justify)  0 (zero pad)  # (0x before %x)
 *   width        a number or *;  precision: .number or .* for %s only, where it bounds what is read
 * A NULL string prints as (null). A conversion it does not know is printed as it stands, without
 * taking an argument; the compiler's format check keeps the two in step for those it knows. */
void text_printf(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_vprintf(struct text *t, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* Write a string that an untrusted party chose: at most max_bytes of it (and only to its NUL if
 * that comes first; nothing beyond is read), with every byte outside printable ASCII, and the
 * backslash itself, as \xNN. So the output is one line, has no terminal control codes, and is at
 * most 4 * max_bytes long. An escape that does not fit whole is left out. */
void text_escape(struct text *t, const char *s, size_t max_bytes);

#endif
