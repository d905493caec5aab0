/* SPDX-License-Identifier: MIT */
/*
 * console.c: the kernel's own output.  See console.h.
 */
#include "kernel/core/console.h"

#include "kernel/core/platform.h"
#include "lib/base/string.h"
#include "lib/base/text.h"

static struct {
    bool started;
    u32 kept_bytes;
    char kept[512]; /* what does not fit is lost: the lines before the UART are few and known */
} console;

static void keep(const char *bytes, size_t n)
{
    n = MIN(n, sizeof(console.kept) - console.kept_bytes);
    memcpy(console.kept + console.kept_bytes, bytes, n);
    console.kept_bytes += n;
}

/* Send n bytes, with a carriage return before each line end. */
static void send(const char *bytes, size_t n)
{
    size_t start = 0;

    for (size_t i = 0; i < n; i++) {
        if (bytes[i] != '\n')
            continue;
        platform_console_write(bytes + start, i - start);
        platform_console_write("\r", 1);
        start = i;
    }
    platform_console_write(bytes + start, n - start);
}

static void write(const char *bytes, size_t n)
{
    if (console.started)
        send(bytes, n);
    else
        keep(bytes, n);
}

void console_putc(char c)
{
    write(&c, 1);
}

void console_puts(const char *s)
{
    write(s, strlen(s));
}

void console_vprintf(const char *format, va_list args)
{
    char line[256];
    struct text t;

    text_init(&t, line, sizeof(line));
    text_vprintf(&t, format, args);
    write(line, (size_t)(t.at - line));
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
    send(console.kept, console.kept_bytes);
}
