/* SPDX-License-Identifier: MIT */
/*
 * console.h: what the kernel itself prints: boot lines, reports without a handler, panics.
 *
 * Until boot has found the UART, text is kept in a small buffer, because printing through the
 * firmware costs hundreds of instructions a byte; console_start sends it on.  A panic before that
 * prints through the firmware.
 */
#ifndef KERNEL_CORE_CONSOLE_H
#define KERNEL_CORE_CONSOLE_H

#include "lib/base/types.h"

/* Line ends are written as \n here and become \r\n on the line.  Lock: any, or none in boot and
 * panic.  Cost: waits for the UART. */
void console_putc(char c);
void console_puts(const char *s);

/* Formats as text_printf; at most 255 bytes, what is longer is cut. */
void console_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void console_vprintf(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

/* The way out works from now on: send what was kept, keep nothing more. */
void console_start(void);

#endif
