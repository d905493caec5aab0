/* SPDX-License-Identifier: MIT */
/*
 * stdout and stderr of picolibc: a line buffer for each thread, sent to the console capability.
 *
 * The buffer is thread-local, so that printf needs no lock and lines of several threads do not mix.
 * A line goes out at its newline, a longer one in pieces.  Input reads as end of file.
 */
#include <stdio.h>

#include "lib/rt/rt.h"

#define LINE_BYTES 248

static __thread struct {
    unsigned used;
    char text[LINE_BYTES];
} line;

/* In pieces of one message; while there is no room for one, let others run and try again.  init has
 * a console_write of its own. */
__attribute__((weak)) void console_write(const char *text, size_t nbytes)
{
    const size_t most = (MESSAGE_WORDS - 1) * sizeof(word_t);

    while (nbytes > 0) {
        size_t n = nbytes < most ? nbytes : most;
        status_t status;

        /* A console that is gone is no reason to stop, and there is nowhere to say so. */
        while ((status = q_write(env_console(), text, n)) == ST_WOULD_BLOCK)
            sys_yield();
        text += n;
        nbytes -= n;
    }
}

void console_flush(void)
{
    if (line.used > 0)
        console_write(line.text, line.used);
    line.used = 0;
}

static int console_putc(char c, FILE *file)
{
    (void)file;
    line.text[line.used++] = c;
    if (c == '\n' || line.used == LINE_BYTES)
        console_flush();
    return (unsigned char)c;
}

static int console_getc(FILE *file)
{
    (void)file;
    return _FDEV_EOF;
}

static int console_flush_file(FILE *file)
{
    (void)file;
    console_flush();
    return 0;
}

static FILE console =
    FDEV_SETUP_STREAM(console_putc, console_getc, console_flush_file, _FDEV_SETUP_RW);

FILE *const stdin = &console;
FILE *const stdout = &console;
FILE *const stderr = &console;
