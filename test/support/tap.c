/* SPDX-License-Identifier: MIT */
/* TAP lines on standard output; one program counts its own. */
#include "test/support/tap.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned claims, failures;

static bool claim(bool passed, const char *format, va_list arguments)
{
    char text[200];

    vsnprintf(text, sizeof text, format, arguments);
    claims++;
    failures += !passed;
    printf("%sok %u - %s\n", passed ? "" : "not ", claims, text);
    return passed;
}

bool ok(bool passed, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    claim(passed, format, arguments);
    va_end(arguments);
    return passed;
}

bool same(uint64_t got, uint64_t wanted, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    claim(got == wanted, format, arguments);
    va_end(arguments);
    if (got != wanted)
        note("got 0x%lx, wanted 0x%lx", got, wanted);
    return got == wanted;
}

void note(const char *format, ...)
{
    char text[200];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    printf("# %s\n", text);
}

void bail(const char *format, ...)
{
    char text[200];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    printf("Bail out! %s\n1..%u\n", text, claims);
    exit(1);
}

int tap_end(void)
{
    printf("1..%u\n", claims);
    return failures != 0;
}
