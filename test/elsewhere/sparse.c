/* SPDX-License-Identifier: MIT */
/*
 * sparse: 2 MiB of text of which three pages are executed.
 *
 * Claim: a program that `run` starts is mapped page by page from its file, so it causes a fault for
 * each page it touches and no more; and what no byte of the file is behind is zero.  Copying the
 * file, or mapping its last page where bss begins, would fail.  It has no run-time library, so that
 * its pages can be counted: entry, middle, and end of its text.  Built outside the tree by
 * test/tools/sessions.py.
 */
#include "lib/rt/env.h"

extern char _end[];
extern long sparse_middle(void), sparse_end(void);

__asm__(".section .text.sparse, \"ax\"\n"
        ".skip 0x100000, 1\n"
        ".balign 4096\n"
        "sparse_middle: li a0, 20\n ret\n"
        ".skip 0x100000, 1\n"
        "sparse_end: li a0, 22\n ret\n"
        ".text\n");

static volatile char begun[5000] = {1};
static volatile char empty[3 * 4096];

/* Is all of the data behind its first byte zero, up to the end of its last page? */
static bool rest_is_zero(void)
{
    const volatile char *end = (const volatile char *)(((word_t)_end + 4095) & ~4095ul);

    for (const volatile char *at = begun + 1; at < end; at++)
        if (*at)
            return false;
    return begun[0] == 1 && empty[0] == 0;
}

static void say(const char *text, word_t nbytes)
{
    struct message m = {.words = {nbytes}};

    for (word_t i = 0; i < nbytes; i++)
        m.words[1 + i / 8] |= (word_t)text[i] << i % 8 * 8;
    message_prepare(&m, CONSOLE_WRITE, 1 + (unsigned)(nbytes + 7) / 8, 0);
    (void)q_call(SLOT_CONSOLE, &m);
}

__attribute__((section(".text.start"))) void _start(void)
{
    struct message m = {.words = {0}};

    if (sparse_middle() + sparse_end() == 42 && rest_is_zero())
        say("sparse: 42, and the rest is zero\n", 33);
    else
        say("sparse: WRONG\n", 14);
    message_prepare(&m, CONSOLE_EXIT, 1, 0);
    (void)q_call(SLOT_CONSOLE, &m);
    for (;;)
        sys_yield();
}
