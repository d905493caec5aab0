/* SPDX-License-Identifier: MIT */
/* string.h: the memory and string functions of the C library that the kernel may use, and two for
 * whole pages.
 *
 * string.c is linked into the kernel only; a user program has picolibc's versions of the standard
 * ones, with these very prototypes, so that lib/base code compiles for both. */
#ifndef LIB_BASE_STRING_H
#define LIB_BASE_STRING_H

#include <stddef.h>

/* As in ISO C (and POSIX for strnlen). The compiler also emits calls to the first four by itself.
 * Cost: one 8-byte access per 8 bytes where all pointers are 8-byte aligned, else one per byte. */
void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t max);

/* Fill 4096 bytes with zeros; `page` is page aligned. About 550 instructions on rv64. */
void page_zero(void *page);

/* Copy 4096 bytes; both pages are page aligned and are not the same page. About 1,080 instructions
 * on rv64. */
void page_copy(void *to, const void *from);

#endif
