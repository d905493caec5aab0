/* SPDX-License-Identifier: MIT */
/* panic for host tests (kernel/core/panic.h): see panic.h beside this file. */
#include "test/unit/fake/panic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "kernel/core/panic.h"

jmp_buf *fake_panic_jump;
char fake_panic_text[512];

struct panic_record panic_record;
void (*panic_describe)(struct text *t);

static _Noreturn void end(void)
{
    if (fake_panic_jump != NULL)
        longjmp(*fake_panic_jump, 1);
    fail_msg("panic: %s", fake_panic_text);
    __builtin_unreachable();
}

_Noreturn void panic(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(fake_panic_text, sizeof(fake_panic_text), format, args);
    va_end(args);
    end();
}

_Noreturn void assert_failed(const char *condition, const char *file, unsigned line)
{
    snprintf(fake_panic_text, sizeof(fake_panic_text), "%s:%u: assert(%s)", file, line, condition);
    end();
}
