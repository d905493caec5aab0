/* SPDX-License-Identifier: MIT */
/* Sleeping: waiting, with an end, for a notification that nobody signals.  All threads share it. */
#include "lib/rt/internal.h"
#include "lib/rt/rt.h"

static cap_t silent; /* made when somebody first sleeps */

void clock_sleep_until(word_t moment)
{
    cap_t n = notification_once(&silent);

    do {
        if (n)
            (void)q_wait_within(n, SYS_DEADLINE, moment);
        else
            sys_yield(); /* the best that is left */
    } while (clock_ns() < moment);
}

void clock_sleep(word_t ns)
{
    word_t now = clock_ns();

    clock_sleep_until(ns > FOREVER - now ? FOREVER : now + ns);
}
