/* SPDX-License-Identifier: MIT */
/*
 * console.c: the kernel's own output.  See console.h.
 */
#include "kernel/core/console.h"

#include "kernel/core/platform.h"
#include "lib/base/text.h"

static struct {
    bool started;
    u32 kept_bytes;
    char kept[512]; /* what does not fit is lost: the lines before the UART are few and known */
} console;

void console_putc(char c)
{
    if (!console.started) {
        if (console.kept_bytes < sizeof(console.kept))
            console.kept[console.kept_bytes++] = c;
        return;
    }
    if (c == '\n')
        platform_console_put('\r');
    platform_console_put(c);
}

void console_puts(const char *s)
{
    while (*s)
        console_putc(*s++);
}

void console_vprintf(const char *format, va_list args)
{
    char line[256];
    struct text t;

    text_init(&t, line, sizeof(line));
    text_vprintf(&t, format, args);
    console_puts(line);
}

void console_printf(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    console_vprintf(format, args);
    va_end(args);
}

void console_start(void)
{
    if (console.started)
        return;
    console.started = true;
    for (u32 i = 0; i < console.kept_bytes; i++)
        console_putc(console.kept[i]);
}
